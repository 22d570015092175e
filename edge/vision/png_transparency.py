"""Takes the transparent colour of a PNG (chunk tRNS) for what it is, at every depth.

Pillow compares it with samples that are scaled to 8 bits already, and so finds it in no image of 2,
4 or 3 x 16 bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from edge.vision.strips import strip_rows

if TYPE_CHECKING:
    from PIL.PngImagePlugin import PngImageFile

_DEPTH_AT, _COLOUR_AT = 24, 25
_GREY, _RGB, _WIDE = 0, 2, 16
_SCALES = {2: 85, 4: 17}  # of grey samples, to 8 bits


def is_wide_key(encoded: bytes, image: Image.Image) -> bool:
    """Whether a colour of 3 x 16 bits is transparent."""
    is_rgb16 = encoded[_DEPTH_AT] == _WIDE and encoded[_COLOUR_AT] == _RGB
    return is_rgb16 and "transparency" in image.info


def correct_key(encoded: bytes, image: Image.Image) -> None:
    """Scale the transparent colour as Pillow scales the samples."""
    depth, colour = encoded[_DEPTH_AT], encoded[_COLOUR_AT]
    key = image.info.get("transparency")
    highest = (1 << depth) - 1  # bits beyond the depth do not count (PNG, 11.3.1.1)
    if colour == _GREY and isinstance(key, int) and depth != 1:
        image.info["transparency"] = (key & highest) * _SCALES.get(depth, 1)
    elif colour == _RGB and isinstance(key, tuple):
        image.info["transparency"] = tuple(sample & highest for sample in key)


def read_low_bytes(image: PngImageFile) -> None:
    """Let an opened image of 3 x 16 bits decode to the low bytes of its samples."""
    image.tile = [tile._replace(args="RGB;16L") for tile in image.tile]


def whiten_key(high: Image.Image, low: Image.Image, key: tuple[int, ...]) -> None:
    """Paint white where high and low bytes are the transparent colour's."""
    high_key = np.array([sample >> 8 for sample in key], np.uint8)
    low_key = np.array([sample & 255 for sample in key], np.uint8)
    for top, bottom in strip_rows(high.width, high.height):
        box = (0, top, high.width, bottom)
        is_high = (np.asarray(high.crop(box)) == high_key).all(-1)
        is_key = is_high & (np.asarray(low.crop(box)) == low_key).all(-1)
        if is_key.any():
            high.paste((255, 255, 255), box, Image.fromarray(is_key))
