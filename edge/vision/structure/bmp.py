"""Reads the header of a BMP (Windows BITMAPINFOHEADER and its relatives)."""

from __future__ import annotations

import struct

from edge.errors import ImageTooComplex
from edge.vision.structure.structure import Malformed, Structure, too_complex

_CORE_BYTES, _INFO_BYTES = 12, 40
_RLE8, _RLE4 = 1, 2
_BYTE, _WIDE = 8, 32

_MAX_RLE_PIXELS = 1_000_000
"""Pixels of a run-length encoded BMP: Pillow decodes it in Python, about a microsecond a pixel."""

_RLE_SLACK = 1_024


def read_bmp(encoded: bytes) -> Structure:
    """Read the structure of a BMP.

    Raises:
        Malformed: the header is cut off.
        ImageTooComplex: run-length encoded, and too many pixels or bytes.
    """
    if len(encoded) < 26:  # noqa: PLR2004 -- file header and the smallest info header
        raise Malformed("its header is cut off")
    offset, header_bytes = struct.unpack_from("<II", encoded, 10)
    compression = 0
    if header_bytes == _CORE_BYTES:
        width, height, _, bits = struct.unpack_from("<HHHH", encoded, 18)
    elif header_bytes >= _INFO_BYTES and len(encoded) >= 14 + _INFO_BYTES:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", encoded, 18)
    else:
        raise Malformed("its header is invalid")
    width, height = abs(width), abs(height)
    if compression in {_RLE8, _RLE4}:
        _check_runs(len(encoded) - offset, width, height)
    return Structure(
        format="BMP",
        encoded=encoded,
        width=width,
        height=height,
        stored_bytes=1 if bits <= _BYTE else 4,
        is_rgb=_BYTE < bits < _WIDE,
        decoder_bytes=2 * width * height if compression in {_RLE8, _RLE4} else 0,
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
