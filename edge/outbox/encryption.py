"""Encryption at rest: AES-GCM with the owner's key, each image bound to its entry."""

from __future__ import annotations

import base64
import binascii
import os
from typing import Protocol

from edge.errors import EntryUnreadable, SettingsError

_MAGIC = b"edge encrypted 1\n"
"""First bytes of every encrypted image. No image format starts like this, so images stored before
the key was set are recognised as such."""
_NONCE_BYTES = 12
_KEY_BYTES = 32


class Encryption(Protocol):
    """Turns an image into the bytes that are stored, and back."""

    def encrypt(self, image: bytes, entry_key: str) -> bytes:
        """The bytes to store for the entry with this key."""
        ...

    def decrypt(self, stored: bytes, entry_key: str) -> bytes:
        """The image; raises ``EntryUnreadable`` if it cannot be recovered."""
        ...


class NoEncryption:
    """Stores images as they are."""

    def encrypt(self, image: bytes, entry_key: str) -> bytes:
        """Return the image unchanged."""
        del entry_key
        return image

    def decrypt(self, stored: bytes, entry_key: str) -> bytes:
        """Return the image; raises ``EntryUnreadable`` if it is encrypted."""
        if stored.startswith(_MAGIC):
            raise EntryUnreadable(f"The image of {entry_key} is encrypted. Set outbox_key.")
        return stored


class AesGcmEncryption:
    """AES-256-GCM. Stored are a magic number, a random nonce and the ciphertext with its tag.

    The entry's key is authenticated as associated data: an image moved to another entry is refused.
    """

    def __init__(self, key: str) -> None:
        """Take the key, 32 bytes in base64; raises ``SettingsError`` for anything else."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 -- only if a key is set

        try:
            raw = base64.b64decode(key, validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) != _KEY_BYTES:
            raise SettingsError(
                "outbox_key is not 32 bytes in base64. Create one with `openssl rand -base64 32`."
            )
        self._cipher = AESGCM(raw)

    def encrypt(self, image: bytes, entry_key: str) -> bytes:
        """Encrypt under a new random nonce."""
        nonce = os.urandom(_NONCE_BYTES)
        return _MAGIC + nonce + self._cipher.encrypt(nonce, image, entry_key.encode())

    def decrypt(self, stored: bytes, entry_key: str) -> bytes:
        """Decrypt; images stored before the key was set are returned as they are.

        Raises:
            EntryUnreadable: the image was encrypted with another key, or was changed.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 -- as above

        if not stored.startswith(_MAGIC):
            return stored
        encrypted = stored[len(_MAGIC) :]
        nonce, ciphertext = encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, ciphertext, entry_key.encode())
        except (InvalidTag, ValueError) as error:
            raise EntryUnreadable(
                "The image cannot be decrypted with this outbox_key; "
                "it was encrypted with another one, or is damaged."
            ) from error
