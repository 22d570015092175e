"""Decodes bytes to upright RGB pixels. Every limit is checked on the structure, before decoding.

One rule at every entrance: EXIF orientation is applied; grey, palette, CMYK and 16-bit pixels
become RGB as a person would see them; transparent pixels show white; ICC profiles are ignored
(models are trained on pixels as stored); of an animation or a multi-page file, the first image
counts. Each copy of the pixels is dropped before the next one is made.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np
from PIL import (  # only the formats in `formats` (MPO is a JPEG with several images)
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from edge.errors import CorruptImage, EdgeError, OutOfMemory, UnsupportedImage
from edge.vision.cost import RGB_BYTES, decode_bytes
from edge.vision.decode_memory import decode_memory
from edge.vision.frame import Frame
from edge.vision.structure.inspect import inspect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from edge.vision.structure.structure import Structure

_PLUGINS = (
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

# `inspect` has a limit of its own: Pillow's gives a warning where a request needs an error.
Image.MAX_IMAGE_PIXELS = None
# What Pillow warns about (odd EXIF, truncated TIFF tags) does not matter here or raises as well.
warnings.filterwarnings("ignore", module=r"PIL\.")

_WHITE = (255, 255, 255)
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0  # TIFF 6.0
_STRIP_PIXELS = 1 << 18
"""Pixels that are converted at once where a conversion needs copies of its own."""

_UPRIGHT = {  # EXIF 2.32, tag 0x0112: the operation that turns the stored pixels upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode(
    encoded: bytes,
    *,
    max_pixels: int,
    min_side: int | None = None,
    deadline: float | None = None,
) -> Frame:
    """Decode an image to upright RGB.

    Args:
        encoded: JPEG, PNG, WebP, BMP, GIF or TIFF.
        max_pixels: maximum width times height, checked on the header.
        min_side: minimum pixels per side. A JPEG is decoded at the smallest DCT scale that keeps
            them; other formats have no such scale. ``None`` decodes at full scale.
        deadline: until when a large image waits for memory; see `DecodeMemory.take`.

    Raises:
        CorruptImage: truncated or broken.
        UnsupportedImage: not an image, or its format or pixel type is not supported.
        ImageTooLarge: more than ``max_pixels``, too long a side, or too much memory.
        ImageTooComplex: its decoding would cost more than its pixels.
        OutOfMemory: no memory for it now.
    """
    structure = inspect(encoded, max_pixels=max_pixels)
    lease = decode_memory.take(decode_bytes(structure, min_side), deadline=deadline)
    try:
        pixels = _decode_upright(structure, min_side)
    except MemoryError as error:
        lease.end()
        raise _out_of_memory() from error
    except BaseException:
        lease.end()
        raise
    lease.shrink(RGB_BYTES * pixels.width * pixels.height)
    lease.end_with(pixels)
    return Frame(pixels, *structure.upright_size, encoded)


def _decode_upright(structure: Structure, min_side: int | None) -> Image.Image:
    stored = open_structure(structure)
    if min_side is not None:
        stored.draft(None, (min_side, min_side))
    load(stored)
    if structure.format == "WEBP":
        stored = _without_decoder(stored)
    pixels = to_rgb(stored)
    del stored
    is_turned = structure.format == "TIFF"  # Pillow has done it
    if structure.orientation in _UPRIGHT and not is_turned:
        pixels = pixels.transpose(_UPRIGHT[structure.orientation])
    pixels.info = {}  # Pillow would copy a comment into new files, and fails on a long one
    return pixels


def open_header(encoded: bytes, *, max_pixels: int) -> Image.Image:
    """Check an image and open it without decoding; raises as `decode` does."""
    return open_structure(inspect(encoded, max_pixels=max_pixels))


def upright_size(encoded: bytes, *, max_pixels: int) -> tuple[int, int]:
    """Read width and height of the upright image from its structure; raises as `decode` does."""
    return inspect(encoded, max_pixels=max_pixels).upright_size


def open_structure(structure: Structure) -> Image.Image:
    """Open an image that was checked, and read its header; raises as `decode` does."""
    try:
        image = Image.open(io.BytesIO(structure.encoded), formats=(structure.format,))
    except MemoryError as error:
        raise _out_of_memory() from error
    except Exception as error:  # Pillow's parsers raise almost any type for broken bytes
        raise _broken(structure.format, error) from error
    size = structure.width, structure.height
    if structure.format == "TIFF":  # Pillow gives its upright size, from version 11 on
        size = structure.upright_size
    if image.size != size:  # what was checked is not what would be decoded
        raise CorruptImage(f"The {structure.format} image gives two sizes: {size}, {image.size}.")
    return image


def load(image: Image.Image) -> None:
    """Decode the pixels of an opened image in place; raises ``CorruptImage``, ``OutOfMemory``."""
    try:
        image.load()
    except MemoryError as error:
        raise _out_of_memory() from error
    except Exception as error:  # as above
        raise _broken(image.format or "image", error) from error


def _without_decoder(image: Image.Image) -> Image.Image:
    """The same pixels without Pillow's WebP decoder, which holds three times their memory."""
    return image._new(image.im)  # noqa: SLF001 -- Pillow's own way to wrap pixels


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert a loaded image to 8-bit RGB, as a person would see it on a white page.

    Raises:
        CorruptImage: its pixels and what is said of them do not go together.
        UnsupportedImage: the pixel type has no agreed conversion (32-bit integers, floats, LAB).
    """
    try:
        return _to_rgb(image)
    except (EdgeError, MemoryError):
        raise
    except Exception as error:  # as above: a palette image without a palette, for one
        raise _broken(image.format or "image", error) from error


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
    rows = max(_STRIP_PIXELS // image.width, 1)
    if rows >= image.height:
        yield 0, image
        return
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _on_white(image: Image.Image) -> Image.Image:
    page = Image.new("RGB", image.size, _WHITE)
    for top, strip in _strips(image):
        layer = strip.convert("RGBA")
        page.paste(layer, (0, top), layer)
    return page


def _grey16_to_rgb(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey to 8 bits.

    Pillow's convert() would clip it at 255, and ignores its transparency and its inversion.
    """
    photometric = None
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        photometric = image.tag_v2.get(_PHOTOMETRIC)
    transparent = image.info.get("transparency")
    page = Image.new("RGB", image.size)
    for top, strip in _strips(image):
        stored = np.asarray(strip)
        grey: NDArray[np.uint8] = (stored >> 8).astype(np.uint8)
        if photometric == _WHITE_IS_ZERO:
            grey = np.bitwise_not(grey)  # 255 - grey
        if isinstance(transparent, int):
            grey[stored == transparent] = 255
        page.paste(Image.fromarray(grey), (0, top))
    return page


def _out_of_memory() -> OutOfMemory:
    return OutOfMemory("There is no memory left to decode the image. Try again in a moment.")


def _broken(name: str, error: Exception) -> CorruptImage:
    words = str(error).strip() or type(error).__name__
    if "cannot identify" in words:  # Pillow's message contains a memory address
        words = "its header is invalid"
    return CorruptImage(f"The {name} image is truncated or broken: {words}.")
