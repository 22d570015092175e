"""An image to bytes that are cheap to send: upright, no larger than useful, under a number of bytes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import ImageTooLarge
from edge.vision.decode import decode, load, open_header, orientation_of

if TYPE_CHECKING:
    from PIL import Image

_QUALITIES = (85, 70, 50)
_SMALLER = 0.7
_LEAST_SIDE = 64


@dataclass(frozen=True, slots=True)
class Upload:
    """Encoded bytes and their media type."""

    encoded: bytes
    media_type: str


def for_upload(encoded: bytes, *, max_pixels: int, max_side: int, max_bytes: int) -> Upload:
    """The original where it is a small upright JPEG, else a JPEG of the upright picture.

    Args:
        encoded: any image that is read here.
        max_pixels: as for `decode`.
        max_side: pixels of the longer side above which a picture is made smaller.
        max_bytes: of the result; the quality is lowered first, then the size.

    Raises:
        CorruptImage, UnsupportedImage: as `decode` does.
        ImageTooLarge: as `decode` does, or no picture of it has so few bytes.
    """
    header = open_header(encoded, max_pixels=max_pixels)
    if len(encoded) <= max_bytes and max(header.size) <= max_side and _is_plain_jpeg(header):
        return Upload(encoded, "image/jpeg")
    picture = decode(encoded, max_pixels=max_pixels, min_side=max_side).pixels
    picture = _within(picture, max_side)
    while True:
        for quality in _QUALITIES:
            file = io.BytesIO()
            picture.save(file, "JPEG", quality=quality)
            if file.tell() <= max_bytes:
                return Upload(file.getvalue(), "image/jpeg")
        if max(picture.size) < _LEAST_SIDE:
            break
        picture = _within(picture, round(max(picture.size) * _SMALLER))
    raise ImageTooLarge(f"The image cannot be brought under {max_bytes:,} bytes.")


def _is_plain_jpeg(image: Image.Image) -> bool:
    if image.format != "JPEG" or image.mode not in {"RGB", "L"}:
        return False
    load(image)  # a truncated one is refused here, not by the cloud
    return orientation_of(image) == 1


def _within(picture: Image.Image, side: int) -> Image.Image:
    scale = side / max(picture.size)
    if scale >= 1:
        return picture
    width, height = (max(round(edge * scale), 1) for edge in picture.size)
    return picture.resize((width, height))
