"""Walks the protobuf wire format, so that a SavedModel's signatures are read without TensorFlow (6 s to import)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
_MORE = 0x80


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field: an integer, or the bytes of a string or sub-message.

    Raises:
        ValueError: truncated, or not protobuf.
    """
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, wire_type = key >> 3, key & 7
        value: int | memoryview
        if wire_type == _VARINT:
            value, position = _varint(message, position)
        elif wire_type == _BYTES:
            length, position = _varint(message, position)
            value, position = message[position : position + length], position + length
        elif wire_type in {_FIXED64, _FIXED32}:
            width = 8 if wire_type == _FIXED64 else 4
            value, position = int.from_bytes(message[position : position + width], "little"), position + width
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


def text(message: memoryview, number: int) -> str:
    """The string in the field of that number, empty where absent."""
    return next((bytes(value).decode("utf-8", "replace") for value in messages(message, number)), "")


def integer(message: memoryview, number: int) -> int:
    """The signed 64-bit integer in the field of that number, 0 where absent."""
    value = next((value for found, value in fields(message) if found == number and isinstance(value, int)), 0)
    return value - (1 << 64) if value >> 63 else value


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(message[position : position + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < _MORE:
            return value, position + shift + 1
    raise ValueError(f"it breaks off at byte {position}")
