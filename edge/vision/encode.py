"""Encodes pixels as bytes."""

from __future__ import annotations

import io
import math

from PIL import Image, ImageOps

_GREY = (128, 128, 128)
_MAX_ENLARGEMENT = 2
_CAMERA_QUALITY = 85


def lossless(pixels: Image.Image) -> bytes:
    """Encode as PNG, compressed quickly rather than well."""
    file = io.BytesIO()
    pixels.save(file, "PNG", compress_level=1)
    return file.getvalue()


def grey_jpeg(width: int, height: int) -> bytes:
    """Make a uniform grey image of that size, to warm up a model."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), _GREY).save(file, "JPEG")
    return file.getvalue()


def enlarged_jpeg(photo: bytes, width: int, height: int) -> bytes:
    """Make a JPEG of that size with as much detail as a camera's, for measurements.

    The photo is enlarged to cover the size, but no more than twice: beyond that it is smoother than
    a camera's image. The remaining area repeats it, mirrored so that no edges appear.
    """
    with Image.open(io.BytesIO(photo)) as opened:
        pixels = opened.convert("RGB")
    scale = min(_MAX_ENLARGEMENT, max(width / pixels.width, height / pixels.height))
    tile = pixels.resize(
        (math.ceil(pixels.width * scale), math.ceil(pixels.height * scale)),
        Image.Resampling.BICUBIC,
    )
    page = Image.new("RGB", (width, height))
    for row, top in enumerate(range(0, height, tile.height)):
        for column, left in enumerate(range(0, width, tile.width)):
            mirrored = ImageOps.mirror(tile) if column % 2 else tile
            page.paste(ImageOps.flip(mirrored) if row % 2 else mirrored, (left, top))
    file = io.BytesIO()
    page.save(file, "JPEG", quality=_CAMERA_QUALITY)
    return file.getvalue()
