"""Shrinks an image for upload: upright, no larger than useful, below a number of bytes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import ImageTooLarge
from edge.vision.decode import decode, load, open_structure
from edge.vision.structure.inspect import inspect

if TYPE_CHECKING:
    from PIL import Image

    from edge.vision.structure.structure import Structure

_QUALITIES = (85, 70, 50)
_SHRINK_FACTOR = 0.7
_MIN_SIDE = 64


@dataclass(frozen=True, slots=True)
class Upload:
    """Encoded bytes and their media type."""

    encoded: bytes
    media_type: str


def for_upload(encoded: bytes, *, max_pixels: int, max_side: int, max_bytes: int) -> Upload:
    """Return the original if it is a small upright JPEG, else a JPEG of the upright image.

    Args:
        encoded: an image in any supported format.
        max_pixels: as for `decode`.
        max_side: maximum pixels of the longer side; a larger image is resized.
        max_bytes: of the result; first the quality is lowered, then the size.

    Raises:
        RequestError, OutOfMemory: as `decode` does.
        ImageTooLarge: as `decode` does, or even the smallest result has more than ``max_bytes``.
    """
    structure = inspect(encoded, max_pixels=max_pixels)
    longest = max(structure.width, structure.height)
    if len(encoded) <= max_bytes and longest <= max_side and _is_plain_jpeg(structure):
        return Upload(encoded, "image/jpeg")
    picture = decode(encoded, max_pixels=max_pixels, min_side=max_side).pixels
    picture = _within(picture, max_side)
    while True:
        for quality in _QUALITIES:
            file = io.BytesIO()
            picture.save(file, "JPEG", quality=quality)
            if file.tell() <= max_bytes:
                return Upload(file.getvalue(), "image/jpeg")
        if max(picture.size) < _MIN_SIDE:
            break
        picture = _within(picture, round(max(picture.size) * _SHRINK_FACTOR))
    raise ImageTooLarge(f"The image cannot be compressed to {max_bytes:,} bytes or less.")


def _is_plain_jpeg(structure: Structure) -> bool:
    if structure.format != "JPEG" or structure.orientation != 1:
        return False
    image = open_structure(structure)
    if image.format != "JPEG" or image.mode not in {"RGB", "L"}:
        return False
    load(image)  # refuses a truncated one here, before the cloud does
    return True


def _within(picture: Image.Image, side: int) -> Image.Image:
    scale = side / max(picture.size)
    if scale >= 1:
        return picture
    width, height = (max(round(edge * scale), 1) for edge in picture.size)
    return picture.resize((width, height))
