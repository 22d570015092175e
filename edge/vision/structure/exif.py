"""Reads the orientation from an EXIF block, and whether Pillow may read the block as well.

EXIF is a TIFF directory (EXIF 2.32, section 4.6). Its entries may all refer to the same bytes, so
64 KB of it can become 300 MB of values in a reader that copies them.
"""

from __future__ import annotations

import struct

_ORIENTATION = 0x0112
_SHORT, _LONG = 3, 4
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes of a value of each type of TIFF 6.0, which EXIF uses."""
_MAX_ENTRIES = 256
_MAX_VALUE_BYTES = 128 << 10
_ENTRY_BYTES = 12
_MIN_BYTES = 10  # a header and the number of entries
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_PREFIX = b"Exif\0\0"


def read_exif(block: bytes) -> tuple[int, bool]:
    """Return the orientation, 1..8, and whether the block is small enough for any reader.

    As in browsers the orientation is 1 if it is missing or unreadable.
    """
    block = block.removeprefix(_PREFIX)
    order = _ORDERS.get(block[:4])
    if order is None or len(block) < _MIN_BYTES:
        return 1, True
    (offset,) = struct.unpack_from(f"{order}I", block, 4)
    if offset + 2 > len(block):
        return 1, True
    (count,) = struct.unpack_from(f"{order}H", block, offset)
    start = offset + 2
    present = min(count, _MAX_ENTRIES, (len(block) - start) // _ENTRY_BYTES)
    orientation, value_bytes = 1, 0
    entries = struct.iter_unpack(f"{order}HHI4s", block[start : start + present * _ENTRY_BYTES])
    for tag, kind, values, field in entries:
        value_bytes += values * TYPE_BYTES.get(kind, 1)
        if tag == _ORIENTATION and values == 1:
            orientation = _orientation(order, kind, field)
    simple = count <= _MAX_ENTRIES and value_bytes <= _MAX_VALUE_BYTES
    return orientation, simple


def _orientation(order: str, kind: int, field: bytes) -> int:
    if kind == _SHORT:
        (value,) = struct.unpack_from(f"{order}H", field)
    elif kind == _LONG:
        (value,) = struct.unpack_from(f"{order}I", field)
    else:
        return 1
    return value if 1 <= value <= 8 else 1  # noqa: PLR2004 -- EXIF 2.32, tag 0x0112
