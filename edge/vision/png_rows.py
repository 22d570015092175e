"""Says whether a PNG has all its rows.

Pillow leaves those that are missing black, and raises nothing if the compressed stream itself is
complete. So an image whose last rows are 0 is inflated once more, and counted.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

_PIECE_BYTES = 1 << 16
_SIGNATURE_BYTES = 8
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_PASSES = (  # Adam7: first column and row, and the steps to the next
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
_ALL = ((0, 0, 1, 1),)


def has_all_rows(encoded: bytes, image: Image.Image) -> bool:
    """Whether there is a row of samples for each row of the decoded image."""
    last_rows = range(max(image.height - 2, 0), image.height)  # two, because of interlacing
    boxes = [(0, row, image.width, row + 1) for row in last_rows]
    if all(any(image.crop(box).tobytes()) for box in boxes):
        return True
    return _inflates_to(encoded, _raw_bytes(encoded))


def _raw_bytes(encoded: bytes) -> int:
    """Bytes of all rows, each with its filter."""
    width, height = (int.from_bytes(encoded[at : at + 4], "big") for at in (16, 20))
    bits = encoded[24] * _CHANNELS[encoded[25]]
    total = 0
    for left, top, across, down in _PASSES if encoded[28] else _ALL:
        columns, rows = -((left - width) // across), -((top - height) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total


def _inflates_to(encoded: bytes, size: int) -> bool:
    stream = zlib.decompressobj()
    position, left = _SIGNATURE_BYTES, size
    while left > 0 and position < len(encoded):
        length = int.from_bytes(encoded[position : position + 4], "big")
        if encoded[position + 4 : position + 8] == b"IDAT":
            packed = encoded[position + 8 : position + 8 + length]
            while packed and left > 0 and not stream.eof:
                left -= len(stream.decompress(packed, _PIECE_BYTES))
                packed = stream.unconsumed_tail
        position += length + 12
    while left > 0 and not stream.eof:  # what is still inside
        piece = stream.decompress(stream.unconsumed_tail, _PIECE_BYTES)
        if not piece:
            break
        left -= len(piece)
    return left <= 0
