"""The size of a zip's central directory, read before `zipfile` makes an object of each entry.

`zipfile` keeps about 600 bytes for each of a directory's entries, of which each has 46 bytes in the
file or more. The names and layouts of the records follow PKWARE's APPNOTE, 4.3.14 to 4.3.16.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import BinaryIO

_END: Final = struct.Struct("<4s4H2LH")
_END_SIGNATURE: Final = b"PK\5\6"
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_END64_SIGNATURE: Final = b"PK\6\6"
_LOCATOR: Final = struct.Struct("<4sLQL")
_LOCATOR_SIGNATURE: Final = b"PK\6\7"
_NO_COMMENT: Final = b"\0\0"
_MAX_COMMENT_BYTES: Final = 1 << 16
_MAX_TAIL_BYTES: Final = _MAX_COMMENT_BYTES + _END.size + _LOCATOR.size + _END64.size
_UNKNOWN: Final = 1 << 63  # its record is elsewhere, where some versions of `zipfile` look for it


def directory_bytes(stream: BinaryIO) -> int:
    """Bytes of the central directory as `zipfile` will find it; 0 if the file is no zip.

    Of a size that is stated twice, in the old record and in that of Zip64, the larger counts.
    """
    size = stream.seek(0, 2)
    tail_bytes = min(size, _MAX_TAIL_BYTES)
    stream.seek(size - tail_bytes)
    tail = stream.read(tail_bytes)
    end = len(tail) - _END.size
    if not (tail.startswith(_END_SIGNATURE, end) and tail.endswith(_NO_COMMENT)):
        end = tail.rfind(_END_SIGNATURE, max(0, len(tail) - _MAX_COMMENT_BYTES - _END.size))
    if end < 0 or end + _END.size > len(tail):
        return 0
    stated = int(_END.unpack_from(tail, end)[5])
    return max(stated, _zip64_directory_bytes(tail, end))


def _zip64_directory_bytes(tail: bytes, end: int) -> int:
    """What the Zip64 record in front of the end record states; 0 if there is none."""
    locator = end - _LOCATOR.size
    if locator < 0 or not tail.startswith(_LOCATOR_SIGNATURE, locator):
        return 0
    record = locator - _END64.size
    if record < 0 or not tail.startswith(_END64_SIGNATURE, record):
        return _UNKNOWN
    return int(_END64.unpack_from(tail, record)[8])
