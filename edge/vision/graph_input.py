"""Prepares bytes for graphs that decode images themselves (AutoML's SavedModels).

TensorFlow's decoders read JPEG, PNG and static GIF, ignore EXIF, and turn transparent pixels black.
So the graph gets the original bytes if it reads them correctly, and otherwise a lossless PNG of the
upright image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.vision.decode import decode, load, open_header, orientation_of
from edge.vision.encode import lossless

if TYPE_CHECKING:
    from PIL import Image

# PNG is without 'P': TensorFlow reads palettes, but transparent colours as black.
_READABLE_MODES = {
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
    """Return bytes that a graph reads correctly: the original, or a PNG of the upright image.

    Args:
        encoded: the original.
        max_pixels: as for `decode`.
        re_encode: always make a PNG.

    Raises:
        CorruptImage, UnsupportedImage, ImageTooLarge: as `decode` does.
    """
    if not re_encode:
        image = open_header(encoded, max_pixels=max_pixels)
        if _is_read_correctly(image):
            return GraphInput(encoded, image.width, image.height)
    frame = decode(encoded, max_pixels=max_pixels)
    return GraphInput(lossless(frame.pixels), frame.width, frame.height)


def _is_read_correctly(image: Image.Image) -> bool:
    if image.mode not in _READABLE_MODES.get(image.format or "", ()):
        return False
    if image.format == "GIF" and _is_animated(image):
        return False
    if image.format == "PNG":
        load(image)  # its EXIF may come after the pixels
    return not image.has_transparency_data and orientation_of(image) == 1


def _is_animated(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # Pillow looks for a second frame and fails on what it finds
        return True
