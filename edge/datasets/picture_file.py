"""Reads the file of a picture of a data set, and tells it from others by its bytes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from edge.errors import ExportError, InputError
from edge.export.regular_file import read_bounded
from edge.vision.picture_files import MAX_BYTES

if TYPE_CHECKING:
    from pathlib import Path

DIGEST_BYTES: Final = 16


def read_picture(file: Path) -> bytes:
    """The bytes of a picture.

    Raises:
        InputError: it is missing, no regular file, unreadable or too large; a sentence that does
            not name the file.
    """
    try:
        return read_bounded(file, MAX_BYTES)
    except ExportError as error:
        reason = error.reason
    except OSError as error:
        reason = error.strerror or str(error)
    raise InputError(f"It cannot be read: {reason}.")


def picture_digest(content: bytes) -> bytes:
    """By which a picture is known wherever its file lies and whatever it is called."""
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()
