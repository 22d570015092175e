"""Pixels back to bytes."""

from __future__ import annotations

import io

from PIL import Image

_GREY = (128, 128, 128)


def lossless(pixels: Image.Image) -> bytes:
    """The pixels as PNG, compressed quickly rather than well."""
    file = io.BytesIO()
    pixels.save(file, "PNG", compress_level=1)
    return file.getvalue()


def grey_jpeg(width: int, height: int) -> bytes:
    """An even grey picture of that size, to warm a model up with."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), _GREY).save(file, "JPEG")
    return file.getvalue()
