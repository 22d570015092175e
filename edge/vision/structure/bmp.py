"""Reads the header of a BMP: Windows' from version 3 to 5, and OS/2's.

Nothing but this header says what the samples mean, so `edge.vision.bmp_pixels` decodes from the
`BmpLayout` alone.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from edge.errors import ImageTooComplex, UnsupportedImage
from edge.vision.structure.structure import Malformed, Structure, too_complex

_FILE_HEADER_BYTES = 14
_CORE_BYTES, _INFO_BYTES, _OS2_BYTES = 12, 40, 64
_HEADERS = frozenset({_CORE_BYTES, _INFO_BYTES, 52, 56, _OS2_BYTES, 108, 124})
_MASKS_AT = _FILE_HEADER_BYTES + _INFO_BYTES
"""Where bit masks are: the last fields of a longer header, or right behind one of 40 bytes."""

_ALPHA_MASK_HEADER = 56
"""Bytes of the shortest header with a mask for alpha."""

_PLAIN, _RLE8, _RLE4, _MASKED, _MASKED_WITH_ALPHA = 0, 1, 2, 3, 6
_RUN_BITS = {_RLE8: 8, _RLE4: 4}
_PALETTES = frozenset({1, 4, 8})
_MASKED_BITS = frozenset({16, 32})
_DEPTHS = _PALETTES | _MASKED_BITS | {24}
_RGB555 = (0x7C00, 0x03E0, 0x001F, 0)
_RGB888 = (0xFF0000, 0x00FF00, 0x0000FF, 0)

_MAX_RLE_PIXELS = 1_000_000
"""Pixels of a run-length encoded BMP: its runs are decoded in Python, up to a microsecond each."""

_RLE_SLACK = 1_024
_RLE_BYTES = 12
"""Bytes per pixel in addition to the image: indices, skipped pixels, and an RGB copy of both."""


@dataclass(frozen=True, slots=True)
class BmpLayout:
    """Where the samples of a BMP are, and what they mean.

    Attributes:
        bits: of a pixel: 1, 4, 8, 16, 24 or 32.
        offset: of the pixels, in bytes.
        row_bytes: of a stored row, a multiple of four.
        is_bottom_up: whether the last row is stored first.
        palette: red, green and blue of each colour, ``2 ** bits`` of them; empty without.
        masks: of red, green, blue and alpha; alpha is 0 without. Of 16 and 32 bits only.
        runs: whether pixels are run-length encoded.
    """

    bits: int
    offset: int
    row_bytes: int
    is_bottom_up: bool
    palette: bytes = b""
    masks: tuple[int, int, int, int] = (0, 0, 0, 0)
    runs: bool = False

    @property
    def is_plain_rgb(self) -> bool:
        """Whether pixels are bytes of blue, green and red, and perhaps one that says nothing."""
        return self.bits == 24 or (self.bits == 32 and self.masks == _RGB888)  # noqa: PLR2004


def read_bmp(encoded: bytes) -> Structure:
    """Read the structure of a BMP.

    Raises:
        Malformed: the header is cut off or invalid.
        UnsupportedImage: its depth, compression or bit masks.
        ImageTooComplex: run-length encoded, and too many pixels or bytes.
    """
    if len(encoded) < 26:  # noqa: PLR2004 -- file header and the smallest info header
        raise Malformed("its header is cut off")
    offset, header_bytes = struct.unpack_from("<II", encoded, 10)
    if header_bytes not in _HEADERS or len(encoded) < _FILE_HEADER_BYTES + header_bytes:
        raise Malformed("its header is invalid")
    compression, colours = _PLAIN, 0
    if header_bytes == _CORE_BYTES:
        width, height, _, bits = struct.unpack_from("<HHHH", encoded, 18)
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", encoded, 18)
        (colours,) = struct.unpack_from("<I", encoded, 46)
    if width < 0:
        raise Malformed("its width is negative")
    is_bottom_up, height = height >= 0, abs(height)
    _check_type(bits, compression, header_bytes)
    if compression in _RUN_BITS:
        _check_runs(len(encoded) - offset, width, height)
    table = _FILE_HEADER_BYTES + header_bytes
    if header_bytes == _INFO_BYTES and compression in {_MASKED, _MASKED_WITH_ALPHA}:
        table += 16 if compression == _MASKED_WITH_ALPHA else 12
    if 0 < offset < _FILE_HEADER_BYTES + header_bytes:
        raise Malformed("its pixels begin inside its header")
    palette = _read_palette(encoded, bits, table, offset, colours, header_bytes)
    layout = BmpLayout(
        bits=bits,
        offset=offset or table + len(palette) // 3 * 4,
        row_bytes=(width * bits + 31) // 32 * 4,
        is_bottom_up=is_bottom_up,
        palette=palette,
        masks=_read_masks(encoded, bits, compression, header_bytes),
        runs=compression in _RUN_BITS,
    )
    return Structure(
        format="BMP",
        encoded=encoded,
        width=width,
        height=height,
        stored_bytes=_stored_bytes(layout),
        is_rgb=layout.is_plain_rgb,
        decoder_bytes=_RLE_BYTES * width * height if layout.runs else 0,
        layout=layout,
    )


def _stored_bytes(layout: BmpLayout) -> int:
    if layout.palette:
        return 1
    return 4 if layout.is_plain_rgb else 0  # masked samples are converted in strips


def _check_type(bits: int, compression: int, header_bytes: int) -> None:
    """Refuse what is not read, by its name."""
    is_os2 = header_bytes == _OS2_BYTES
    is_read = (
        (compression == _PLAIN and bits in _DEPTHS)
        or _RUN_BITS.get(compression) == bits
        or (compression in {_MASKED, _MASKED_WITH_ALPHA} and bits in _MASKED_BITS and not is_os2)
    )
    if not is_read:
        raise UnsupportedImage(
            f"The BMP image has {bits} bits per pixel with compression {compression}, which is not "
            "supported. Send 1, 4, 8, 16, 24 or 32 bits uncompressed, or PNG."
        )


def _check_runs(data_bytes: int, width: int, height: int) -> None:
    if width * height > _MAX_RLE_PIXELS:
        raise ImageTooComplex(
            f"The BMP image is run-length encoded and has {width * height:,} pixels; the limit for "
            f"such a BMP is {_MAX_RLE_PIXELS:,}. Send it uncompressed, or as PNG."
        )
    # Each run shows a pixel and takes two bytes, and so does the end of each row.
    if data_bytes > 2 * height * (width + 1) + _RLE_SLACK:
        raise too_complex("BMP", f"{data_bytes:,} bytes of runs")


def _read_palette(
    encoded: bytes, bits: int, start: int, pixels: int, colours: int, header_bytes: int
) -> bytes:
    """The colours as RGB; those that the file does not have are black, as in browsers."""
    if bits not in _PALETTES:
        return b""
    entry = 3 if header_bytes == _CORE_BYTES else 4
    count = 1 << bits
    present = min(colours or count, count)
    if pixels > start:  # a file may have fewer than it says
        present = min(present, (pixels - start) // entry)
    stored = encoded[start : start + present * entry]
    if len(stored) < entry:
        raise Malformed("it has no palette")
    red, green, blue = (stored[channel::entry] for channel in (2, 1, 0))
    palette = bytearray(3 * count)
    for channel, values in enumerate((red, green, blue)):
        palette[channel : 3 * len(values) : 3] = values
    return bytes(palette)


def _read_masks(
    encoded: bytes, bits: int, compression: int, header_bytes: int
) -> tuple[int, int, int, int]:
    if bits not in _MASKED_BITS:
        return (0, 0, 0, 0)
    if compression == _PLAIN:  # its fourth byte means nothing, whatever the header's version
        return _RGB555 if bits == 16 else _RGB888  # noqa: PLR2004
    has_alpha = compression == _MASKED_WITH_ALPHA or header_bytes >= _ALPHA_MASK_HEADER
    count = 4 if has_alpha else 3
    if len(encoded) < _MASKS_AT + 4 * count:
        raise Malformed("its header is cut off")
    masks = struct.unpack_from(f"<{count}I", encoded, _MASKS_AT)
    red, green, blue = masks[:3]
    alpha = masks[3] if has_alpha else 0
    colours = [red, green, blue, *([alpha] if alpha else [])]
    overlap = sum(colours) != red | green | blue | alpha
    if overlap or not all(_is_one_run(mask, bits) for mask in colours):
        shown = ", ".join(f"{mask:#x}" for mask in masks)
        raise UnsupportedImage(
            f"The BMP image has the bit masks {shown}, which are not supported. Send 24 bits, "
            "or PNG."
        )
    return red, green, blue, alpha


def _is_one_run(mask: int, bits: int) -> bool:
    """Whether the mask is one run of ones within that many bits."""
    lowest = mask & -mask
    return bool(mask) and mask < 1 << bits and (mask + lowest) & mask == 0
