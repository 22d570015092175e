"""Makes thumbnails of images, for people to look at."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

from edge.vision.decode import decode
from edge.vision.heat import lay_heat

if TYPE_CHECKING:
    from edge.vision.heat import Heat

_QUALITY = 80


def thumbnail(encoded: bytes, side: int, *, max_pixels: int, heat: Heat | None = None) -> bytes:
    """Make a JPEG of the upright image, up to ``side`` pixels long, under its heat if given.

    Raises:
        RequestError: as `decode` does.
    """
    pixels = decode(encoded, max_pixels=max_pixels, min_side=side).pixels
    if max(pixels.size) > side:
        pixels = pixels.copy()
        pixels.thumbnail((side, side), Image.Resampling.BILINEAR)
    if heat is not None:
        pixels = pixels.copy()
        lay_heat(pixels, heat)
    file = io.BytesIO()
    pixels.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
