"""Reads the chunks of a PNG (W3C PNG, third edition), and drops those that hold no pixels.

Text, profiles and animation are compressed or repeated at will; damaged ones are no fault of the
pixels.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from edge.vision.structure.exif import read_exif
from edge.vision.structure.structure import Malformed, Structure, max_parts, too_complex

_SIGNATURE_BYTES = 8
_FRAME_BYTES = 12  # length, type and checksum of a chunk
_HEADER_CHUNK_BYTES = 25
_CHUNK_BYTES = 512
"""Bytes that a chunk has on average, at least; libpng writes 8 KiB of pixels into each."""

_IDAT_SLACK = 64 << 10
_PIXEL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_RGB, _WIDE = 2, 16
_MAX_EXIF = 64 << 10


@dataclass(slots=True)
class _Chunks:
    """What was found in the chunks.

    Attributes:
        spans: start and end of the chunks that hold pixels, adjacent ones joined.
        idat_bytes: of compressed pixels.
        is_clean: whether there are no other chunks.
    """

    spans: list[tuple[int, int]] = field(default_factory=list)
    idat_bytes: int = 0
    has_transparency: bool = False
    orientation: int = 1
    is_clean: bool = True


def read_png(encoded: bytes) -> Structure:
    """Read the structure of a PNG.

    Raises:
        Malformed: it does not begin with one valid header.
        ImageTooComplex: too many chunks, or more compressed bytes than its pixels can have.
    """
    if encoded[12:16] != b"IHDR" or len(encoded) < _SIGNATURE_BYTES + _HEADER_CHUNK_BYTES:
        raise Malformed("it does not begin with its header")
    width, height, depth, colour = struct.unpack_from(">IIBB", encoded, 16)
    if colour not in _CHANNELS:
        raise Malformed(f"colour type {colour} does not exist")
    chunks = _read_chunks(encoded)
    row_bytes = -(-width * _CHANNELS[colour] * depth // 8)
    raw_bytes = (row_bytes + 1) * height
    if chunks.idat_bytes > 2 * raw_bytes + _IDAT_SLACK:
        raise too_complex("PNG", f"{chunks.idat_bytes:,} bytes of compressed pixels")
    if not chunks.is_clean:
        view = memoryview(encoded)
        parts = [view[start:end] for start, end in chunks.spans]
        encoded = b"".join([encoded[:_SIGNATURE_BYTES], *parts])
    plane_bytes = 2 if depth == _WIDE else 1
    stored_bytes = plane_bytes if _CHANNELS[colour] == 1 else 4
    if colour == _RGB and depth == _WIDE and chunks.has_transparency:
        stored_bytes = 8  # high and low bytes are decoded, to find the transparent colour
    return Structure(
        format="PNG",
        encoded=encoded,
        width=width,
        height=height,
        stored_bytes=stored_bytes,
        is_rgb=colour == _RGB and not chunks.has_transparency,
        orientation=chunks.orientation,
    )


def _read_chunks(encoded: bytes) -> _Chunks:
    chunks = _Chunks()
    position, limit = _SIGNATURE_BYTES, max_parts(encoded, _CHUNK_BYTES)
    for _ in range(limit):
        length = int.from_bytes(encoded[position : position + 4], "big")
        kind = encoded[position + 4 : position + 8]
        end = position + length + _FRAME_BYTES
        if kind in _PIXEL_CHUNKS:
            _add_chunk(chunks, kind, position, end)
        elif kind == b"eXIf":
            block = encoded[position + 8 : position + 8 + min(length, _MAX_EXIF)]
            chunks.orientation, _ = read_exif(block)
        chunks.is_clean = chunks.is_clean and kind in _PIXEL_CHUNKS
        position = end
        if kind == b"IEND" or position >= len(encoded):
            return chunks
    raise too_complex("PNG", f"more than {limit:,} chunks")


def _add_chunk(chunks: _Chunks, kind: bytes, start: int, end: int) -> None:
    if kind == b"IHDR" and chunks.spans:
        raise Malformed("it has two headers")
    if kind == b"IDAT":
        chunks.idat_bytes += end - start - _FRAME_BYTES
    elif kind == b"tRNS":
        chunks.has_transparency = True
    if chunks.spans and chunks.spans[-1][1] == start:
        chunks.spans[-1] = (chunks.spans[-1][0], end)
    else:
        chunks.spans.append((start, end))
