"""Reads the blocks of a GIF (GIF89a) up to the end of its first image; the others are dropped."""

from __future__ import annotations

import struct

from edge.vision.structure.structure import FREE_PARTS, Malformed, Structure, max_parts, too_complex

_HEADER_BYTES = 13
_DESCRIPTOR_BYTES = 10
_BLOCK_BYTES = 32
"""Bytes that a data block has on average, at least; encoders fill them up to 255."""

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_CONTROL = 0xF9
_TABLE = 0x80


class _Blocks:
    """Walks over chains of data blocks, which all together may not be too many."""

    def __init__(self, encoded: bytes) -> None:
        self._encoded = encoded
        self._limit = max_parts(encoded, _BLOCK_BYTES)
        self._left = self._limit

    def skip(self, position: int) -> int:
        """Return where the chain of blocks at ``position`` ends; the end of a file ends it too."""
        encoded, size = self._encoded, len(self._encoded)
        for passed in range(self._left):
            if position >= size:
                self._left -= passed
                return size
            length = encoded[position]
            position += length + 1
            if not length:
                self._left -= passed + 1
                return position
        raise too_complex("GIF", f"more than {self._limit:,} blocks")


def read_gif(encoded: bytes) -> Structure:
    """Read the structure of a GIF.

    Raises:
        Malformed: it has no image.
        ImageTooComplex: too many blocks.
    """
    if len(encoded) < _HEADER_BYTES:
        raise Malformed("its header is cut off")
    width, height, flags = struct.unpack_from("<HHB", encoded, 6)
    start = _HEADER_BYTES + (_table_bytes(flags))
    blocks = _Blocks(encoded)
    position, control, extensions = start, b"", 0
    while encoded[position : position + 1] == bytes([_EXTENSION]):
        end = blocks.skip(position + 2)
        if encoded[position + 1 : position + 2] == bytes([_CONTROL]):
            control = encoded[position:end]
        extensions += 1
        if extensions > FREE_PARTS:
            raise too_complex("GIF", f"more than {FREE_PARTS:,} extensions before its image")
        position = end
    descriptor = encoded[position : position + _DESCRIPTOR_BYTES]
    if len(descriptor) < _DESCRIPTOR_BYTES or descriptor[0] != _IMAGE:
        raise Malformed("it has no image")
    left, top, columns, rows, image_flags = struct.unpack_from("<HHHHB", descriptor, 1)
    if not (flags | image_flags) & _TABLE:
        raise Malformed("it has no colour table")
    data = position + _DESCRIPTOR_BYTES + _table_bytes(image_flags) + 1
    end = blocks.skip(data)
    more = encoded[end : end + 1]
    animated = more not in {b"", bytes([_TRAILER])}
    if animated or extensions > bool(control):
        encoded = b"".join([encoded[:start], control, encoded[position:end], bytes([_TRAILER])])
    width, height = max(width, left + columns), max(height, top + rows)  # as browsers enlarge it
    window = (left, top, left + columns, top + rows)
    return Structure(
        format="GIF",
        encoded=encoded,
        width=width,
        height=height,
        stored_bytes=1,
        is_rgb=False,
        animated=animated,
        window=None if window == (0, 0, width, height) else window,
    )


def _table_bytes(flags: int) -> int:
    """Bytes of the colour table that the flags announce."""
    return 3 << (flags & 7) + 1 if flags & _TABLE else 0
