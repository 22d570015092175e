"""Reads and writes the directory of a TIFF (TIFF 6.0, and BigTIFF)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from edge.vision.structure.exif import TYPE_BYTES
from edge.vision.structure.structure import Malformed, too_complex

_TYPE_BYTES = TYPE_BYTES | {16: 8, 17: 8, 18: 8}  # BigTIFF
_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_LONG, _LONG8 = 4, 16
_MAX_ENTRIES = 4_096


@dataclass(frozen=True, slots=True)
class Entry:
    """One tag of the directory: its type, its number of values, and where they are."""

    tag: int
    kind: int
    count: int
    start: int

    @property
    def size(self) -> int:
        """Bytes of its values."""
        return self.count * _TYPE_BYTES.get(self.kind, 1)


class Directory:
    """The tags of the first image."""

    def __init__(self, encoded: bytes) -> None:
        self.encoded = encoded
        self.order = "<" if encoded[:2] == b"II" else ">"
        self.is_big = encoded[2:4] in {b"+\0", b"\0+"}
        self.word = "Q" if self.is_big else "I"
        self.field_bytes = 8 if self.is_big else 4
        try:
            self._read()
        except (struct.error, OverflowError) as error:  # the latter for BigTIFF's offsets
            raise Malformed("its directory is cut off") from error

    def _read(self) -> None:
        (offset,) = struct.unpack_from(self.order + self.word, self.encoded, self.field_bytes)
        count_form = self.order + ("Q" if self.is_big else "H")
        (count,) = struct.unpack_from(count_form, self.encoded, offset)
        if count > _MAX_ENTRIES:
            raise too_complex("TIFF", f"{count:,} tags")
        entry = struct.Struct(f"{self.order}HH{self.word}")
        position = offset + struct.calcsize(count_form)
        self.entries: dict[int, Entry] = {}
        for _ in range(count):
            tag, kind, values = entry.unpack_from(self.encoded, position)
            start = position + entry.size
            if values * _TYPE_BYTES.get(kind, 1) > self.field_bytes:
                (start,) = struct.unpack_from(self.order + self.word, self.encoded, start)
            self.entries.setdefault(tag, Entry(tag, kind, values, start))
            position += entry.size + self.field_bytes
        self.count = count
        (self.following,) = struct.unpack_from(self.order + self.word, self.encoded, position)

    def number(self, tag: int, default: int | None = None) -> int:
        """The first value of a tag that holds whole numbers."""
        entry = self.entries.get(tag)
        if entry is not None and not entry.count:
            raise Malformed(f"tag {tag} has no value")
        if entry is None or entry.kind not in _INTEGERS:
            if default is None:
                raise Malformed(f"tag {tag} is missing or no number")
            return default
        return self.numbers(tag, 1)[0]

    def numbers(self, tag: int, limit: int) -> tuple[int, ...]:
        """Up to ``limit`` values of a tag that holds whole numbers."""
        entry = self.entries[tag]
        if entry.kind not in _INTEGERS:
            raise Malformed(f"tag {tag} is no number")
        form = f"{self.order}{min(entry.count, limit)}{_INTEGERS[entry.kind]}"
        try:
            return struct.unpack_from(form, self.encoded, entry.start)
        except (struct.error, OverflowError) as error:
            raise Malformed(f"the values of tag {tag} are outside the file") from error

    def values(self, tag: int, limit: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """As `numbers`; the default if the tag is missing."""
        return self.numbers(tag, limit) if tag in self.entries else default

    def copy(self, kept: list[Entry], numbers: dict[int, int]) -> bytes:
        """Return a copy of the file with a directory of its own, and no other.

        Args:
            kept: entries whose values stay where they are.
            numbers: values of further tags, or of tags in place of the kept ones.
        """
        order, word, size = self.order, self.word, self.field_bytes
        kind = _LONG8 if self.is_big else _LONG
        fields = {
            tag: struct.pack(f"{order}HH{word}{word}", tag, kind, 1, number)
            for tag, number in numbers.items()
        }
        for entry in kept:
            if entry.size > size:
                value = struct.pack(order + word, entry.start)
            else:
                value = self.encoded[entry.start : entry.start + entry.size].ljust(size, b"\0")
            head = struct.pack(f"{order}HH{word}", entry.tag, entry.kind, entry.count)
            fields.setdefault(entry.tag, head + value)
        padding = bytes(-len(self.encoded) % 8)
        parts = [struct.pack(order + ("Q" if self.is_big else "H"), len(fields))]
        parts += [fields[tag] for tag in sorted(fields)]
        parts.append(bytes(size))  # no directory follows
        header = self.encoded[:size] + struct.pack(order + word, len(self.encoded) + len(padding))
        rest = memoryview(self.encoded)[len(header) :]
        return b"".join([header, rest, padding, *parts])
