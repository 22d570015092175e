"""Bytes to upright RGB pixels, with every limit checked on the header, before a pixel is decoded.

One rule at every door: EXIF orientation applied; grey, palette, CMYK and 16-bit become RGB as a person would see them;
what is transparent shows white; ICC profiles are ignored (models are trained on pixels as stored); of an animation or a
multi-page file, the first picture.
"""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import (  # those of the formats in `formats` (MPO is a JPEG with several pictures): no other is loaded
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

_PLUGINS = (
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

# Our own limit stands in its place: Pillow's answers with a warning where a door must answer with an error.
Image.MAX_IMAGE_PIXELS = None
# What Pillow warns of (odd EXIF, cut-off TIFF tags) either does not matter here or is raised as well.
warnings.filterwarnings("ignore", module=r"PIL\.")

_WHITE = (255, 255, 255)
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0  # TIFF 6.0
_UPRIGHT = {  # EXIF 2.32, tag 0x0112: what has to be done to the stored pixels
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
        max_pixels: width times height above which the image is refused, told from the header.
        min_side: pixels that each side must keep. A JPEG is then decoded at the smallest DCT scale that keeps them;
            the other formats know no such scale. ``None`` decodes exactly.

    Raises:
        CorruptImage: truncated or broken.
        UnsupportedImage: not an image, or of a format or pixel type that is not read here.
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
    pixels.info = {}  # Pillow writes a comment into whatever is made of the pixels, and fails on a long one
    return Frame(pixels, width, height, encoded)


def open_header(encoded: bytes, *, max_pixels: int) -> Image.Image:
    """The image with nothing but its header read; raises as `decode` does."""
    name = sniff(encoded)
    try:
        image = Image.open(io.BytesIO(encoded), formats=(name,))
    except Exception as error:  # Pillow's parsers raise nearly anything on broken bytes
        raise _broken(name, error) from error
    if image.width * image.height > max_pixels:
        raise ImageTooLarge(
            f"The image is {image.width} x {image.height}, {image.width * image.height:,} pixels; "
            f"at most {max_pixels:,} are decoded here. Send a smaller one."
        )
    return image


def upright_size(encoded: bytes, *, max_pixels: int) -> tuple[int, int]:
    """Width and height of the upright image in pixels, told from its header; raises as `decode` does."""
    image = open_header(encoded, max_pixels=max_pixels)
    width, height = image.size
    return (height, width) if orientation_of(image) in _SWAPS_AXES else (width, height)


def load(image: Image.Image) -> None:
    """Decode the pixels of an opened image in place; raises ``CorruptImage``."""
    try:
        image.load()
    except Exception as error:  # as above
        raise _broken(image.format or "image", error) from error


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation 1..8 of a loaded image; 1 where there is none or it cannot be read, as browsers do.

    A TIFF says 1 after its loading: Pillow has turned it by then. A PNG may carry its EXIF behind the pixels.
    """
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # broken EXIF spoils no picture
        return 1
    return orientation if orientation in _UPRIGHT else 1


def to_rgb(image: Image.Image) -> Image.Image:
    """The loaded image in mode RGB, 8 bits a channel, as a person would see it on a white page.

    Raises:
        UnsupportedImage: a pixel type with no agreed look (32-bit integers, floats, LAB).
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
        f"The image's pixels are of type {image.mode}, which has no agreed look. Send 8 or 16 bits a channel."
    )


def _grey16_to_rgb(image: Image.Image) -> Image.Image:
    """16-bit grey scaled to 8; convert() would clip it at 255, and knows neither its transparency nor its inversion."""
    stored = np.asarray(image)
    grey = (stored >> 8).astype(np.uint8)
    if (
        isinstance(image, TiffImagePlugin.TiffImageFile)
        and image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    ):
        grey = 255 - grey
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[stored == transparent] = 255
    return Image.fromarray(grey).convert("RGB")


def _broken(name: str, error: Exception) -> CorruptImage:
    words = str(error).strip() or type(error).__name__
    if "cannot identify" in words:  # Pillow's sentence holds a memory address
        words = "its header makes no sense"
    return CorruptImage(f"The {name} image is truncated or broken: {words}.")
