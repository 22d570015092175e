"""Images at rest, encrypted: AES-GCM with the owner's key, bound to the entry they belong to."""

from __future__ import annotations

import base64
import binascii
import os
from typing import Protocol

from edge.errors import EntryUnreadable, SettingsError

_MARK = b"edge sealed 1\n"
"""What sealed bytes begin with, and no image does: an outbox may hold images of before its key was set."""
_NONCE_BYTES = 12
_KEY_BYTES = 32


class Seal(Protocol):
    """Closes and opens an image."""

    def close(self, image: bytes, key: str) -> bytes:
        """The bytes as they are stored under the entry's key."""
        ...

    def open(self, stored: bytes, key: str) -> bytes:
        """The image; raises ``EntryUnreadable`` where it cannot be had."""
        ...


class NoSeal:
    """Stores images as they are."""

    def close(self, image: bytes, key: str) -> bytes:
        """The image itself."""
        del key
        return image

    def open(self, stored: bytes, key: str) -> bytes:
        """The image itself."""
        if stored.startswith(_MARK):
            raise EntryUnreadable(f"The image of {key} is encrypted. Set outbox_key.")
        return stored


class AesGcm:
    """AES-256-GCM: a mark, a random nonce, then the ciphertext; the entry's key is authenticated with it."""

    def __init__(self, key: str) -> None:
        """Take the key, 32 bytes in base64; raises ``SettingsError`` where it is not that."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 -- only where a key is set

        try:
            raw = base64.b64decode(key, validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) != _KEY_BYTES:
            raise SettingsError(
                "outbox_key is not 32 bytes in base64. `openssl rand -base64 32` makes one."
            )
        self._cipher = AESGCM(raw)

    def close(self, image: bytes, key: str) -> bytes:
        """Encrypt."""
        nonce = os.urandom(_NONCE_BYTES)
        return _MARK + nonce + self._cipher.encrypt(nonce, image, key.encode())

    def open(self, stored: bytes, key: str) -> bytes:
        """Decrypt what is sealed; raises ``EntryUnreadable`` with another key than it was closed with."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 -- as above

        if not stored.startswith(_MARK):
            return stored
        sealed = stored[len(_MARK) :]
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], key.encode())
        except (InvalidTag, ValueError) as error:
            raise EntryUnreadable(
                "The image does not open with this outbox_key; it was closed with another."
            ) from error
