"""Reads what the samples of a TIFF mean, and refuses by its name what has no agreed look.

Pillow is trusted with plain 8-bit and 1-bit images and with whole codecs (JPEG, CCITT). Samples of
other images are unpacked by `edge.vision.tiff_pixels` from a `TiffLayout`: libtiff and Pillow only
decompress rows of bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import UnsupportedImage
from edge.vision.structure.structure import Malformed
from edge.vision.structure.tiff_layout import (
    BITS,
    BLACK_IS_ZERO,
    BYTE,
    CMYK,
    COMPRESSION,
    FILL_ORDER,
    JPEG,
    PALETTE,
    PHOTOMETRIC,
    PLANAR,
    RGB,
    SAMPLES,
    STRIP_BYTES,
    STRIP_OFFSETS,
    TILE_BYTES,
    UNCOMPRESSED,
    WHITE_IS_ZERO,
    TiffLayout,
)

if TYPE_CHECKING:
    from edge.vision.structure.tiff_directory import Directory

_MAX_SAMPLE, _PREDICTOR, _COLOR_MAP = 281, 317, 320
_INK_SET, _EXTRA_SAMPLES, _SAMPLE_FORMAT, _SMAX_SAMPLE = 332, 338, 339, 341
_YCBCR_SUBSAMPLING = 530

_CCITT = frozenset({2, 3, 4})
_PREDICTED = frozenset({5, 8, 32946})  # LZW and deflate alone have predictors

_YCBCR = 6
_COLOUR_SAMPLES = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4, _YCBCR: 3}
_FOREIGN = {
    4: "a transparency mask",
    8: "CIE L*a*b* colours",
    9: "ICC L*a*b* colours",
    10: "ITU L*a*b* colours",
    32803: "a camera's raw samples",
    32844: "LogL samples",
    32845: "LogLuv samples",
    34892: "a camera's raw samples",
}
_UNSIGNED = frozenset({1, 4})  # 4: undefined, which TIFF 6.0 says to take as unsigned
_SAMPLE_FORMATS = {2: "signed", 3: "floating-point", 5: "complex integer", 6: "complex"}

_SHORT = 16
_PREMULTIPLIED, _ALPHA = 1, 2  # of ExtraSamples
_MAX_SAMPLES = 6
"""Samples per pixel: CMYK and two more."""

_ADVICE = "Send unsigned samples of 8 or 16 bits as grey, RGB or CMYK."


def read_layout(
    directory: Directory, part_width: int, part_height: int, parts_across: int, parts: int
) -> TiffLayout | None:
    """What the samples mean; ``None`` if Pillow reads them right.

    Args:
        directory: of the image.
        part_width: pixels of a strip or tile.
        part_height: pixels of a strip or tile.
        parts_across: strips or tiles in a row.
        parts: strips or tiles of the image, of one plane.

    Raises:
        UnsupportedImage: the samples have no agreed look, or are not supported.
        Malformed: their description is inconsistent.
    """
    photometric = _read_photometric(directory)
    samples = directory.number(SAMPLES, 1)
    colours = _COLOUR_SAMPLES[photometric]
    if samples < colours:
        raise Malformed(f"it has {samples} samples per pixel in place of {colours}")
    _check_format(directory)
    bits = _read_bits(directory, samples)
    compression = directory.number(COMPRESSION, UNCOMPRESSED)
    is_planar = samples > 1 and directory.number(PLANAR, 1) != 1
    extras = directory.values(_EXTRA_SAMPLES, _MAX_SAMPLES)[: samples - colours]
    if compression in _CCITT or compression == JPEG or photometric == _YCBCR:
        _check_codec(directory, compression, photometric, bits, samples, is_planar=is_planar)
        return None
    is_plain = samples == colours and not is_planar and directory.number(FILL_ORDER, 1) == 1
    is_bytes_or_bits = bits == BYTE or bits == samples == 1
    if is_plain and is_bytes_or_bits and photometric not in {PALETTE, CMYK}:
        return None
    stored_bits = _container_bits(
        directory, bits, part_width * part_height * (1 if is_planar else samples)
    )
    alpha, premultiplied, is_certain = _read_alpha(extras, samples, colours)
    if premultiplied and photometric in {WHITE_IS_ZERO, PALETTE, CMYK}:
        raise _unsupported("colours multiplied by alpha that are not RGB")
    layout = TiffLayout(
        directory=directory,
        bits=stored_bits,
        max_sample=_read_max_sample(directory, bits, samples),
        samples=1 if is_planar else samples,
        planes=samples if is_planar else 1,
        photometric=photometric,
        part_width=part_width,
        parts_across=parts_across,
        parts=parts,
        differenced=_is_differenced(directory, compression, bits),
        alpha=alpha,
        premultiplied=premultiplied,
        alpha_is_certain=is_certain,
        palette=_read_palette(directory, bits) if photometric == PALETTE else b"",
    )
    if parts_across > 1 and part_width * layout.samples * stored_bits % BYTE:
        raise Malformed("a row of a tile is no whole number of bytes")
    return layout


def _unsupported(what: str) -> UnsupportedImage:
    return UnsupportedImage(f"The TIFF image has {what}, which is not supported. {_ADVICE}")


def _read_photometric(directory: Directory) -> int:
    if PHOTOMETRIC not in directory.entries:
        raise Malformed("it does not say what its samples mean (tag 262 is missing)")
    photometric = directory.number(PHOTOMETRIC)
    if photometric not in _COLOUR_SAMPLES:
        raise _unsupported(_FOREIGN.get(photometric, f"samples of photometric type {photometric}"))
    if photometric == CMYK and directory.number(_INK_SET, 1) != 1:
        raise _unsupported("inks other than CMYK")
    return photometric


def _check_format(directory: Directory) -> None:
    for number in directory.values(_SAMPLE_FORMAT, _MAX_SAMPLES):
        if number not in _UNSIGNED:
            what = _SAMPLE_FORMATS.get(number, f"format {number}")
            bits = directory.number(BITS, 1)
            raise _unsupported(f"{bits}-bit {what} samples, whose range is not known")


def _read_bits(directory: Directory, samples: int) -> int:
    depths = set(directory.values(BITS, samples, (1,)))
    if not depths:
        raise Malformed(f"tag {BITS} (BitsPerSample) has no value")
    if len(depths) > 1:
        raise _unsupported(f"samples of different depths ({sorted(depths)} bits)")
    (bits,) = depths
    if not 1 <= bits <= _SHORT:
        raise _unsupported(f"{bits}-bit samples")
    return bits


def _check_codec(
    directory: Directory,
    compression: int,
    photometric: int,
    bits: int,
    samples: int,
    *,
    is_planar: bool,
) -> None:
    """Refuse what Pillow and libtiff do not decode right."""
    if compression in _CCITT:
        is_right = bits == 1 and samples == 1 and photometric in {WHITE_IS_ZERO, BLACK_IS_ZERO}
    elif photometric in {PALETTE, CMYK}:
        is_right = False
    else:
        is_right = bits == BYTE and not is_planar and samples == _COLOUR_SAMPLES[photometric]
    if not is_right:
        raise _unsupported(
            f"{samples} x {bits}-bit samples of photometric type {photometric} in compression "
            f"{compression}"
        )
    subsampling = directory.values(_YCBCR_SUBSAMPLING, 2, (2, 2))
    is_right = compression == JPEG or (compression != UNCOMPRESSED and subsampling == (1, 1))
    if photometric == _YCBCR and not is_right:
        raise _unsupported("YCbCr colours that are uncompressed, or subsampled without JPEG")


def _container_bits(directory: Directory, bits: int, part_samples: int) -> int:
    """Bits that a sample takes in the file.

    TIFF 6.0 wants 10 to 15 bits packed, the first sample in the highest bits. Many cameras write
    each into two bytes nevertheless, which only the size of a strip shows.
    """
    if bits <= BYTE or bits == _SHORT:
        return bits
    if directory.number(COMPRESSION, UNCOMPRESSED) != UNCOMPRESSED:
        raise _unsupported(f"compressed {bits}-bit samples")
    tag = STRIP_BYTES if STRIP_OFFSETS in directory.entries else TILE_BYTES
    part_bytes = directory.number(tag, 0)
    return _SHORT if part_bytes >= 2 * part_samples else bits


def _read_max_sample(directory: Directory, bits: int, samples: int) -> int:
    """The value of full intensity.

    MaxSampleValue of 16-bit samples counts if it says that 9 to 15 bits are used, 2^n - 1. Others
    are a statistic of the image, as TIFF 6.0 wants it.
    """
    full = (1 << bits) - 1
    if bits != _SHORT:
        return full
    for tag in (_MAX_SAMPLE, _SMAX_SAMPLE):
        entry = directory.entries.get(tag)
        if entry is None or not entry.count:
            continue
        values = set(directory.numbers(tag, samples))
        if len(values) == 1:
            (value,) = values
            if 1 << BYTE < value < full and value & (value + 1) == 0:
                return value
    return full


def _read_alpha(
    extras: tuple[int, ...], samples: int, colours: int
) -> tuple[int | None, bool, bool]:
    """Which sample is alpha, whether colours are multiplied by it, and whether the file says so."""
    for index, kind in enumerate(extras):
        if kind in {_PREMULTIPLIED, _ALPHA}:
            return colours + index, kind == _PREMULTIPLIED, True
    if not extras and samples == colours + 1:
        return colours, False, False
    if len(extras) < samples - colours:
        raise _unsupported(f"{samples} samples per pixel of which {colours} are explained")
    return None, False, True


def _is_differenced(directory: Directory, compression: int, bits: int) -> bool:
    predictor = directory.number(_PREDICTOR, 1)
    if compression not in _PREDICTED or predictor == 1:
        return False
    if predictor != 2 or bits not in {BYTE, _SHORT}:  # noqa: PLR2004 -- horizontal differencing
        raise _unsupported(f"predictor {predictor} of {bits}-bit samples")
    return True


def _read_palette(directory: Directory, bits: int) -> bytes:
    count = 1 << bits
    if bits > BYTE:
        raise _unsupported(f"a palette of {bits} bits")
    values = directory.values(_COLOR_MAP, 3 * count)
    if len(values) < 3 * count:
        raise Malformed("it has no palette, or too small a one")
    # Some writers give bytes where 16 bits are due; libtiff takes them as such, too.
    shift = 8 if max(values) > 255 else 0  # noqa: PLR2004
    red, green, blue = values[:count], values[count : 2 * count], values[2 * count :]
    return bytes(
        channel >> shift & 255
        for colour in zip(red, green, blue, strict=True)
        for channel in colour
    )
