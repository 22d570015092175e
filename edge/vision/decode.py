"""Decodes bytes to upright RGB pixels. Every limit is checked on the structure, before decoding.

One rule at every entrance: EXIF orientation is applied; grey, palette, CMYK and 16-bit pixels
become RGB as a person would see them; transparent pixels show white; ICC profiles are ignored
(models are trained on pixels as stored); of an animation or a multi-page file, the first image
counts. What has no agreed look is refused: `docs/pictures.md` has the table. Each copy of the
pixels is dropped before the next one is made.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, cast

from PIL import (  # only the formats in `formats` (MPO is a JPEG with several images)
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from edge.errors import CorruptImage, EdgeError
from edge.vision.bmp_pixels import read_bmp_pixels
from edge.vision.cost import RGB_BYTES, decode_bytes
from edge.vision.decode_memory import decode_memory
from edge.vision.faults import broken, out_of_memory
from edge.vision.formats import stripped_advice
from edge.vision.frame import Frame
from edge.vision.png_rows import has_all_rows
from edge.vision.png_transparency import correct_key, is_wide_key, read_low_bytes, whiten_key
from edge.vision.rgb import WHITE, to_rgb
from edge.vision.structure.bmp import BmpLayout
from edge.vision.structure.inspect import inspect
from edge.vision.structure.jpeg import without_metadata
from edge.vision.structure.structure import BROKEN_BYTES
from edge.vision.tiff_pixels import read_tiff_pixels

if TYPE_CHECKING:
    from edge.vision.structure.structure import Structure
    from edge.vision.structure.tiff_layout import TiffLayout

_PLUGINS = (
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
        pixels = _decode_upright(structure, encoded, min_side)
    except BaseException:
        lease.end()
        raise
    lease.shrink(RGB_BYTES * pixels.width * pixels.height)
    lease.end_with(pixels)
    return Frame(pixels, *structure.upright_size, encoded)


def _decode_upright(structure: Structure, encoded: bytes, min_side: int | None) -> Image.Image:
    """The upright image; whatever else than an `EdgeError` broken bytes cause becomes one."""
    try:
        return _turn_upright(structure, min_side)
    except MemoryError as error:
        raise out_of_memory() from error
    except CorruptImage as error:
        raise CorruptImage(error.message + stripped_advice(encoded)) from error
    except BROKEN_BYTES as error:
        raise broken(structure.format, error) from error


def _turn_upright(structure: Structure, min_side: int | None) -> Image.Image:
    if structure.layout is not None:
        pixels = _read_samples(structure)
    elif structure.format == "PNG":
        pixels = _decode_png(structure)
    else:
        pixels = _decode_with_pillow(structure, min_side)
    if structure.window is not None:
        _whiten_outside(pixels, structure.window)
    is_turned = structure.format == "TIFF" and structure.layout is None  # Pillow has done it
    if structure.orientation in _UPRIGHT and not is_turned:
        pixels = pixels.transpose(_UPRIGHT[structure.orientation])
    pixels.info = {}  # Pillow would copy a comment into new files, and fails on a long one
    return pixels


def _decode_with_pillow(structure: Structure, min_side: int | None) -> Image.Image:
    stored = open_structure(structure)
    if min_side is not None:
        stored.draft(None, (min_side, min_side))
    load(stored)
    if structure.format == "WEBP":
        stored = _without_decoder(stored)
    return to_rgb(stored)


def _decode_png(structure: Structure) -> Image.Image:
    stored = open_structure(structure)
    correct_key(structure.encoded, stored)
    load(stored)
    if not has_all_rows(structure.encoded, stored):
        raise CorruptImage("The PNG image is truncated or broken: rows are missing.")
    if not is_wide_key(structure.encoded, stored):
        return to_rgb(stored)
    low = open_structure(structure)
    read_low_bytes(cast("PngImagePlugin.PngImageFile", low))
    load(low)
    whiten_key(stored, low, stored.info["transparency"])
    return stored


def _read_samples(structure: Structure) -> Image.Image:
    """Decode a BMP or TIFF whose samples Pillow would not take for what they are."""
    layout = structure.layout
    try:
        if isinstance(layout, BmpLayout):
            return read_bmp_pixels(structure, layout)
        return read_tiff_pixels(structure, cast("TiffLayout", layout))
    except (EdgeError, MemoryError):
        raise
    except Exception as error:  # Pillow decompresses, and raises almost any type for broken bytes
        raise broken(structure.format, error) from error


def _whiten_outside(pixels: Image.Image, window: tuple[int, int, int, int]) -> None:
    """Paint white what the first image of an animation leaves transparent."""
    left, top, right, bottom = window
    width, height = pixels.size
    boxes = (
        (0, 0, width, top),
        (0, bottom, width, height),
        (0, top, left, bottom),
        (right, top, width, bottom),
    )
    for box in boxes:
        if box[0] < box[2] and box[1] < box[3]:
            pixels.paste(WHITE, box)


def open_header(encoded: bytes, *, max_pixels: int) -> Image.Image:
    """Check an image and open it without decoding; raises as `decode` does."""
    return open_structure(inspect(encoded, max_pixels=max_pixels))


def upright_size(encoded: bytes, *, max_pixels: int) -> tuple[int, int]:
    """Read width and height of the upright image from its structure; raises as `decode` does."""
    return inspect(encoded, max_pixels=max_pixels).upright_size


def open_structure(structure: Structure) -> Image.Image:
    """Open an image that was checked, and read its header; raises as `decode` does."""
    try:
        image = _open(structure.encoded, structure.format)
    except CorruptImage:
        if structure.format != "JPEG":
            raise
        # Pillow fails on damaged metadata, of which a decoder needs nothing.
        image = _open(without_metadata(structure.encoded), structure.format)
    size = structure.width, structure.height
    if structure.format == "TIFF":  # Pillow gives its upright size, from version 11 on
        size = structure.upright_size
    if image.size != size:  # what was checked is not what would be decoded
        raise CorruptImage(f"The {structure.format} image gives two sizes: {size}, {image.size}.")
    return image


def _open(encoded: bytes, name: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(encoded), formats=(name,))
    except MemoryError as error:
        raise out_of_memory() from error
    except Exception as error:  # Pillow's parsers raise almost any type for broken bytes
        raise broken(name, error) from error


def load(image: Image.Image) -> None:
    """Decode the pixels of an opened image in place; raises ``CorruptImage``, ``OutOfMemory``."""
    try:
        image.load()
    except MemoryError as error:
        raise out_of_memory() from error
    except Exception as error:  # as above
        raise broken(image.format or "image", error) from error


def _without_decoder(image: Image.Image) -> Image.Image:
    """The same pixels without Pillow's WebP decoder, which holds three times their memory."""
    return image._new(image.im)  # noqa: SLF001 -- Pillow's own way to wrap pixels
