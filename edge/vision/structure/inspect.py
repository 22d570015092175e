"""Checks an encoded image before anything decodes it; the one entrance to `edge.vision.structure`.

The checks are static, and cost microseconds for a camera's JPEG. A child process that decodes
suspicious files and can be killed would cost each of them 30 ms and a copy of its pixels, would
need the same checks to know what is suspicious, and would still let an attacker use its CPU time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import CorruptImage, ImageTooLarge, UnsupportedImage
from edge.vision.formats import sniff, stripped_advice
from edge.vision.structure.bmp import read_bmp
from edge.vision.structure.gif import read_gif
from edge.vision.structure.jpeg import read_jpeg
from edge.vision.structure.png import read_png
from edge.vision.structure.structure import BROKEN_BYTES, MAX_SIDE, Malformed
from edge.vision.structure.tiff import read_tiff
from edge.vision.structure.webp import read_webp

if TYPE_CHECKING:
    from edge.vision.structure.structure import Structure

_READERS = {
    "JPEG": read_jpeg,
    "PNG": read_png,
    "WEBP": read_webp,
    "BMP": read_bmp,
    "GIF": read_gif,
    "TIFF": read_tiff,
}


def inspect(encoded: bytes, *, max_pixels: int) -> Structure:
    """Read and check the structure of an image.

    Args:
        encoded: JPEG, PNG, WebP, BMP, GIF or TIFF.
        max_pixels: maximum width times height.

    Raises:
        CorruptImage: empty, or its structure is broken.
        UnsupportedImage: not an image in a supported format or compression.
        ImageTooLarge: more than ``max_pixels``, or a side of more than ``MAX_SIDE``.
        ImageTooComplex: its decoding would cost more than its pixels.
    """
    try:
        structure = _read(encoded)
    except (CorruptImage, UnsupportedImage) as error:
        raise type(error)(error.message + stripped_advice(encoded)) from error
    width, height = structure.width, structure.height
    if structure.pixels > max_pixels:
        raise ImageTooLarge(
            f"The image is {width} x {height}, {structure.pixels:,} pixels; "
            f"the limit is {max_pixels:,}. Send a smaller one."
        )
    if max(width, height) > MAX_SIDE:
        raise ImageTooLarge(
            f"The image is {width} x {height} pixels; the limit of each side is {MAX_SIDE:,}. "
            "Send a smaller one."
        )
    if not structure.pixels:
        raise CorruptImage(f"The {structure.format} image has no pixels: it is {width} x {height}.")
    return structure


def _read(encoded: bytes) -> Structure:
    name = sniff(encoded)
    try:
        return _READERS[name](encoded)
    except Malformed as error:
        raise CorruptImage(f"The {name} image is truncated or broken: {error}.") from error
    except BROKEN_BYTES as error:
        words = "its structure makes no sense"
        raise CorruptImage(f"The {name} image is truncated or broken: {words}.") from error
