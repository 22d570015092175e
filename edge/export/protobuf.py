"""Walks the protobuf wire format, because TensorFlow would take 6 s to import."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


class WireType(IntEnum):
    """How a field's value is stored, in protobuf's encoding. Groups (3 and 4) are not read."""

    VARINT = 0
    FIXED64 = 1
    BYTES = 2
    FIXED32 = 5


_FIXED_WIDTHS: Final[dict[int, int]] = {WireType.FIXED64: 8, WireType.FIXED32: 4}
_MAX_VARINT_BYTES: Final = 10
_MORE_BYTES_FOLLOW: Final = 0x80
_MAX_KEY: Final = (1 << 32) - 1


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field: an integer, or the bytes of a string or sub-message.

    Raises:
        ValueError: truncated, or not protobuf.
    """
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        if key > _MAX_KEY:  # TensorFlow would cut it and see another field
            raise ValueError(f"a field number is out of range at byte {position}")
        number, wire_type = key >> 3, key & 7
        value: int | memoryview
        if wire_type == WireType.VARINT:
            value, position = _varint(message, position)
        elif wire_type == WireType.BYTES:
            length, position = _varint(message, position)
            value = message[position : position + length]
            position += length
        elif width := _FIXED_WIDTHS.get(wire_type):
            value = int.from_bytes(message[position : position + width], "little")
            position += width
        else:
            raise ValueError(f"wire type {wire_type} at byte {position}")
        if number == 0 or position > len(message):
            raise ValueError(f"it breaks off at byte {len(message)}")
        yield number, value


def messages(message: memoryview, number: int) -> Iterator[memoryview]:
    """The sub-messages (or strings) in the field of that number."""
    for found, value in fields(message):
        if found == number and isinstance(value, memoryview):
            yield value


def message(parent: memoryview, number: int) -> memoryview:
    """The sub-message in the field of that number: empty if absent.

    If it is repeated, its occurrences are merged, which protobuf defines as joining their bytes.
    """
    found = list(messages(parent, number))
    if len(found) == 1:
        return found[0]
    return memoryview(b"".join(found))


def texts(message: memoryview, number: int) -> list[str]:
    """The strings in the field of that number; what is not UTF-8 in them is replaced."""
    return [bytes(value).decode("utf-8", "replace") for value in messages(message, number)]


def text(message: memoryview, number: int) -> str:
    """The string in the field of that number: empty if absent, the last one if repeated."""
    found = memoryview(b"")
    for value in messages(message, number):
        found = value
    return bytes(found).decode("utf-8", "replace")


def integer(message: memoryview, number: int) -> int:
    """The signed 64-bit integer in the field of that number: 0 if absent, the last if repeated."""
    last = 0
    for found, value in fields(message):
        if found == number and isinstance(value, int):
            last = value
    return last - (1 << 64) if last >> 63 else last


def integers(message: memoryview, number: int) -> list[int]:
    """The unsigned integers in the repeated field of that number, packed or one by one."""
    values = []
    for found, value in fields(message):
        if found != number:
            continue
        if isinstance(value, int):
            values.append(value)
            continue
        position = 0
        while position < len(value):
            one, position = _varint(value, position)
            values.append(one)
    return values


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(message[position : position + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < _MORE_BYTES_FOLLOW:
            return value, position + shift + 1
    raise ValueError(f"it breaks off at byte {position}")
