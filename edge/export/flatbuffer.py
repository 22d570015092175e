"""Reads flatbuffer tables field by field, without code generated from a schema."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from flatbuffers import number_types as types
from flatbuffers.table import Table as RawTable

if TYPE_CHECKING:
    from collections.abc import Iterator

FLATBUFFER_ERRORS: Final = (
    struct.error,
    TypeError,
    ValueError,
    IndexError,
    OverflowError,
    UnicodeDecodeError,
)
"""What reading a damaged flatbuffer raises: past its end, or in the wrong place."""

_OFFSET_BYTES: Final = 4
_FIRST_VTABLE_SLOT: Final = 4  # before it: the size of the vtable and of the table
_VTABLE_SLOT_BYTES: Final = 2


class Table:
    """A flatbuffer table, whose fields are taken by their number in the schema."""

    def __init__(self, data: bytes, position: int) -> None:
        self._raw = RawTable(data, position)

    @classmethod
    def root(cls, data: bytes) -> Table:
        """The table that the file starts with."""
        return cls(data, struct.unpack_from("<I", data, 0)[0])

    def integer(self, field: int, flags: Any = types.Int32Flags, default: int = 0) -> int:
        """A number; ``flags`` is its type in the schema."""
        offset = self._offset(field)
        if not offset:
            return default
        return int(self._raw.Get(flags, self._raw.Pos + offset))

    def text(self, field: int) -> str:
        """A string, empty if absent."""
        offset = self._offset(field)
        if not offset:
            return ""
        content: bytes = self._raw.String(self._raw.Pos + offset)
        return content.decode()

    def table(self, field: int) -> Table | None:
        """A table, or ``None`` if absent."""
        offset = self._offset(field)
        if not offset:
            return None
        return Table(self._raw.Bytes, self._raw.Indirect(self._raw.Pos + offset))

    def tables(self, field: int) -> Iterator[Table]:
        """The tables of a vector."""
        offset = self._offset(field)
        if offset:
            for index in range(self._raw.VectorLen(offset)):
                yield self._element(offset, index)

    def at(self, field: int, index: int) -> Table:
        """One table of a vector; raises ``IndexError`` if the vector has none of that index."""
        offset = self._offset(field)
        if not offset or not 0 <= index < self._raw.VectorLen(offset):
            raise IndexError(f"no element {index} in field {field}")
        return self._element(offset, index)

    def numbers(self, field: int, flags: Any = types.Int32Flags) -> list[Any]:
        """The numbers of a vector, empty if absent; ``flags`` is their type in the schema."""
        offset = self._offset(field)
        if not offset:
            return []
        return list(self._raw.GetVectorAsNumpy(flags, offset).tolist())

    def blob(self, field: int) -> bytes:
        """The bytes of a vector; raises ``IndexError`` if they reach past the end of the file."""
        offset = self._offset(field)
        if not offset:
            return b""
        start, end = self._raw.Vector(offset), self.blob_end(field)
        missing = end - len(self._raw.Bytes)
        if missing > 0:
            raise IndexError(f"{missing} bytes are missing at the end")
        return bytes(self._raw.Bytes[start:end])

    def blob_end(self, field: int) -> int:
        """Where the bytes of a vector end in the file, 0 if absent."""
        offset = self._offset(field)
        if not offset:
            return 0
        return int(self._raw.Vector(offset)) + int(self._raw.VectorLen(offset))

    def field_position(self, field: int) -> int:
        """Where a field's value, or the offset to it, stands in the file; 0 if it is absent."""
        offset = self._offset(field)
        return int(self._raw.Pos) + offset if offset else 0

    def _offset(self, field: int) -> int:
        """Where the field stands, from the start of the table; 0 if it is absent."""
        return int(self._raw.Offset(_FIRST_VTABLE_SLOT + _VTABLE_SLOT_BYTES * field))

    def _element(self, offset: int, index: int) -> Table:
        start = self._raw.Vector(offset)
        return Table(self._raw.Bytes, self._raw.Indirect(start + _OFFSET_BYTES * index))
