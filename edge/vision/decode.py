"""Decodes bytes to upright RGB pixels. Every limit is checked on the header, before decoding.

One rule at every entrance: EXIF orientation is applied; grey, palette, CMYK and 16-bit pixels
become RGB as a person would see them; transparent pixels show white; ICC profiles are ignored
(models are trained on pixels as stored); of an animation or a multi-page file, the first image
counts.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np
from PIL import (  # only the formats in `formats` (MPO is a JPEG with several images)
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from edge.errors import CorruptImage, ImageTooLarge, UnsupportedImage
from edge.vision.formats import sniff
from edge.vision.frame import Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PLUGINS = (
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

# `open_header` has a limit of its own: Pillow's gives a warning where a request needs an error.
Image.MAX_IMAGE_PIXELS = None
# What Pillow warns about (odd EXIF, truncated TIFF tags) does not matter here or raises as well.
warnings.filterwarnings("ignore", module=r"PIL\.")

_WHITE = (255, 255, 255)
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0  # TIFF 6.0
_UPRIGHT = {  # EXIF 2.32, tag 0x0112: the operation that turns the stored pixels upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPS_AXES = frozenset({5, 6, 7, 8})


def decode(encoded: bytes, *, max_pixels: int, min_side: int | None = None) -> Frame:
    """Decode an image to upright RGB.

    Args:
        encoded: JPEG, PNG, WebP, BMP, GIF or TIFF.
        max_pixels: maximum width times height, checked on the header.
        min_side: minimum pixels per side. A JPEG is decoded at the smallest DCT scale that keeps
            them; other formats have no such scale. ``None`` decodes at full scale.

    Raises:
        CorruptImage: truncated or broken.
        UnsupportedImage: not an image, or its format or pixel type is not supported.
        ImageTooLarge: more than ``max_pixels``.
    """
    stored = open_header(encoded, max_pixels=max_pixels)
    width, height = stored.size
    if min_side is not None:
        stored.draft(None, (min_side, min_side))
    scaled = stored.size != (width, height)
    load(stored)
    orientation = orientation_of(stored)
    pixels = to_rgb(stored)
    if orientation in _UPRIGHT:
        pixels = pixels.transpose(_UPRIGHT[orientation])
    if not scaled:
        width, height = pixels.size
    elif orientation in _SWAPS_AXES:
        width, height = height, width
    pixels.info = {}  # Pillow would copy a comment into new files, and fails on a long one
    return Frame(pixels, width, height, encoded)


def open_header(encoded: bytes, *, max_pixels: int) -> Image.Image:
    """Open an image and read its header only; raises as `decode` does."""
    name = sniff(encoded)
    try:
        image = Image.open(io.BytesIO(encoded), formats=(name,))
    except Exception as error:  # Pillow's parsers raise almost any type for broken bytes
        raise _broken(name, error) from error
    if image.width * image.height > max_pixels:
        raise ImageTooLarge(
            f"The image is {image.width} x {image.height}, {image.width * image.height:,} pixels; "
            f"the limit is {max_pixels:,}. Send a smaller one."
        )
    return image


def upright_size(encoded: bytes, *, max_pixels: int) -> tuple[int, int]:
    """Read width and height of the upright image from its header; raises as `decode` does."""
    image = open_header(encoded, max_pixels=max_pixels)
    width, height = image.size
    if orientation_of(image) in _SWAPS_AXES:
        return height, width
    return width, height


def load(image: Image.Image) -> None:
    """Decode the pixels of an opened image in place; raises ``CorruptImage``."""
    try:
        image.load()
    except Exception as error:  # as above
        raise _broken(image.format or "image", error) from error


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation 1..8 of a loaded image; as in browsers, 1 if it is missing or unreadable.

    A loaded TIFF has orientation 1, because Pillow has already turned it. A PNG may have its EXIF
    after the pixels.
    """
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # broken EXIF is no reason to refuse an image
        return 1
    return orientation if orientation in _UPRIGHT else 1


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert a loaded image to 8-bit RGB, as a person would see it on a white page.

    Raises:
        UnsupportedImage: the pixel type has no agreed conversion (32-bit integers, floats, LAB).
    """
    if image.mode.startswith("I;16"):
        return _grey16_to_rgb(image)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        page = Image.new("RGB", image.size, _WHITE)
        page.paste(layer, mask=layer)
        return page
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


def _grey16_to_rgb(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey to 8 bits.

    Pillow's convert() would clip it at 255, and ignores its transparency and its inversion.
    """
    stored = np.asarray(image)
    grey: NDArray[np.uint8] = (stored >> 8).astype(np.uint8)
    photometric = None
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        photometric = image.tag_v2.get(_PHOTOMETRIC)
    if photometric == _WHITE_IS_ZERO:
        grey = np.bitwise_not(grey)  # 255 - grey
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[stored == transparent] = 255
    return Image.fromarray(grey).convert("RGB")


def _broken(name: str, error: Exception) -> CorruptImage:
    words = str(error).strip() or type(error).__name__
    if "cannot identify" in words:  # Pillow's message contains a memory address
        words = "its header is invalid"
    return CorruptImage(f"The {name} image is truncated or broken: {words}.")
