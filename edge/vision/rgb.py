"""Converts what Pillow has decoded to 8-bit RGB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from edge.errors import EdgeError, UnsupportedImage
from edge.vision.faults import broken
from edge.vision.strips import strip_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

WHITE = (255, 255, 255)


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert a loaded image to 8-bit RGB, as a person would see it on a white page.

    Raises:
        CorruptImage: its pixels do not match their description.
        UnsupportedImage: the pixel type has no agreed conversion (32-bit integers, floats, LAB).
    """
    try:
        return _to_rgb(image)
    except (EdgeError, MemoryError):
        raise
    except Exception as error:  # as above: a palette image without a palette, for one
        raise broken(image.format or "image", error) from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return _grey16_to_rgb(image)
    if image.has_transparency_data:
        return _on_white(image)
    if image.mode == "RGB":
        return image
    if image.mode not in {"I", "F", "LAB"}:
        try:
            return image.convert("RGB")
        except ValueError:
            pass
    raise UnsupportedImage(
        f"The image's pixels are of type {image.mode}, which has no agreed conversion to RGB. "
        "Send 8 or 16 bits per channel."
    )


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """The image in strips of whole rows, each with the number of its first row."""
    for top, bottom in strip_rows(image.width, image.height):
        is_whole = bottom - top == image.height
        yield top, image if is_whole else image.crop((0, top, image.width, bottom))


def _on_white(image: Image.Image) -> Image.Image:
    page = Image.new("RGB", image.size, WHITE)
    for top, strip in _strips(image):
        layer = strip.convert("RGBA")
        page.paste(layer, (0, top), layer)
    return page


def _grey16_to_rgb(image: Image.Image) -> Image.Image:
    """Scale the 16-bit grey of a PNG to 8 bits.

    Pillow's convert() would clip it at 255, and ignores its transparency.
    """
    transparent = image.info.get("transparency")
    page = Image.new("RGB", image.size)
    for top, strip in _strips(image):
        stored = np.asarray(strip)
        grey: NDArray[np.uint8] = (stored >> 8).astype(np.uint8)
        if isinstance(transparent, int):
            grey[stored == transparent] = 255
        page.paste(Image.fromarray(grey), (0, top))
    return page
