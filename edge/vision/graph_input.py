"""Bytes for a graph that decodes by itself (AutoML's SavedModels): what TensorFlow reads, already upright.

TensorFlow's decoders read JPEG, PNG and static GIF, ignore EXIF, and drop alpha to black. So the original goes in when
it is readable and looks right as it is, and a lossless PNG of the upright picture when not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.vision.decode import decode, load, open_header, orientation_of
from edge.vision.encode import lossless

if TYPE_CHECKING:
    from PIL import Image

# 'P' is left out of PNG: TensorFlow reads palettes, but transparent ones as black.
_AS_IT_IS = {
    "JPEG": {"RGB", "L"},
    "MPO": {"RGB", "L"},
    "PNG": {"RGB", "L"},
    "GIF": {"P", "L", "RGB"},
}


@dataclass(frozen=True, slots=True)
class GraphInput:
    """Encoded bytes that TensorFlow reads, with the upright image's size in pixels."""

    encoded: bytes
    width: int
    height: int


def for_graph(encoded: bytes, *, max_pixels: int, re_encode: bool = False) -> GraphInput:
    """The original bytes where a graph reads them right, else (or when told to) a PNG of the upright picture.

    Raises:
        CorruptImage, UnsupportedImage, ImageTooLarge: as `decode` does.
    """
    if not re_encode:
        image = open_header(encoded, max_pixels=max_pixels)
        if _reads_right(image):
            return GraphInput(encoded, image.width, image.height)
    frame = decode(encoded, max_pixels=max_pixels)
    return GraphInput(lossless(frame.pixels), frame.width, frame.height)


def _reads_right(image: Image.Image) -> bool:
    if image.mode not in _AS_IT_IS.get(image.format or "", ()):
        return False
    if image.format == "GIF" and _is_animated(image):
        return False
    if image.format == "PNG":
        load(image)  # its EXIF may stand behind the pixels
    return not image.has_transparency_data and orientation_of(image) == 1


def _is_animated(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # Pillow looks for a second frame, and stumbles over what it finds there
        return True
