"""Makes thumbnails of images, for people to look at."""

from __future__ import annotations

import io

from PIL import Image

from edge.vision.decode import decode

_QUALITY = 80


def thumbnail(encoded: bytes, side: int, *, max_pixels: int) -> bytes:
    """Make a JPEG of the upright image, up to ``side`` pixels long; raises as `decode` does."""
    pixels = decode(encoded, max_pixels=max_pixels, min_side=side).pixels
    if max(pixels.size) > side:
        pixels = pixels.copy()
        pixels.thumbnail((side, side), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    pixels.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
