"""Writes the protobuf wire format: each function returns the bytes of one field.

A message is its fields, joined. The counterpart of `protobuf.py`, which reads them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.export.protobuf import WireType

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOW_BITS: Final = 0x7F
_MORE_BYTES_FOLLOW: Final = 0x80
_INTEGER_BITS: Final = 64


def integer(number: int, value: int) -> bytes:
    """An integer of up to 64 bits, a boolean or an enum; a negative one takes ten bytes."""
    return _varint(number << 3 | WireType.VARINT) + _varint(value)


def integers(number: int, values: Iterable[int]) -> bytes:
    """A repeated integer, packed."""
    return message(number, *map(_varint, values))


def message(number: int, *fields: bytes) -> bytes:
    """A sub-message of these fields; or a string of bytes."""
    length = sum(map(len, fields))
    key = _varint(number << 3 | WireType.BYTES)
    return b"".join((key, _varint(length), *fields))


def text(number: int, value: str) -> bytes:
    """A string, in UTF-8."""
    return message(number, value.encode())


def _varint(value: int) -> bytes:
    """Groups of seven bits, the lowest first; raises ``OverflowError`` beyond 64 bits."""
    if not -(1 << _INTEGER_BITS - 1) <= value < 1 << _INTEGER_BITS:
        raise OverflowError(f"{value} does not fit into {_INTEGER_BITS} bits")
    rest = value & ((1 << _INTEGER_BITS) - 1)  # two's complement
    groups = bytearray()
    while rest > _LOW_BITS:
        groups.append(rest & _LOW_BITS | _MORE_BYTES_FOLLOW)
        rest >>= 7
    groups.append(rest)
    return bytes(groups)
