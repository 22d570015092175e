"""Reads the chunks of a WebP (RFC 9649), and drops those that hold no pixels.

libwebp refuses a file whose metadata is cut off or damaged, though its pixels are sound.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.vision.structure.exif import read_exif
from edge.vision.structure.structure import Malformed, Structure, max_parts, too_complex

_RIFF_BYTES, _CHUNK_HEADER_BYTES = 12, 8
_CHUNK_BYTES = 256
"""Bytes that a chunk has on average, at least."""

_MAX_EXIF = 64 << 10
_FRAME_HEADER_BYTES = 16
_ANIMATED, _ALPHA = 0x02, 0x10
_METADATA_FLAGS = 0x2C  # of VP8X: ICC profile, EXIF, XMP
_STILL = frozenset({b"VP8 ", b"VP8L"})
_PIXEL_CHUNKS = _STILL | {b"VP8X", b"ALPH", b"ANIM", b"ANMF"}

_CANVAS_BYTES = 12
"""Bytes a pixel that libwebp's animation decoder, Pillow's only one, holds beside the image: its
canvas, the one before, and the copy that it hands out."""

_MAX_GROUPS, _GROUP_PIXELS, _GROUP_BITS, _GROUP_BYTES = 65_536, 16, 20, 5_700
_DEEP_GROUP_BYTES, _DEEP_BYTES_PER_BYTE = 6_200, 68
"""A lossless image may have prefix codes of its own for every 4 x 4 pixels. A group of five takes
20 bits in the file and 5.7 KB of tables in libwebp; codes of more than 8 bits take 6.2 KB more, and
a byte in the file for each 68. How many there are is known only by decoding: 295 KB became 365 MiB.
"""

_INPUT_COPIES = 3  # of the encoded bytes: Pillow's, the decoder's, and a copy without metadata


def read_webp(encoded: bytes) -> Structure:
    """Read the structure of a WebP.

    Raises:
        Malformed: its first chunk is no image.
        ImageTooComplex: too many chunks.
    """
    width, height, has_alpha, animated = _read_first_chunk(encoded)
    chunks = _read_chunks(encoded)
    size = len(encoded)
    if not chunks.is_clean:
        encoded = _pixels_alone(encoded, chunks.spans)
    window = (0, 0, width, height) if chunks.window is None else chunks.window
    return Structure(
        format="WEBP",
        encoded=encoded,
        width=width,
        height=height,
        stored_bytes=4,
        is_rgb=not has_alpha,
        decoder_bytes=_CANVAS_BYTES * width * height
        + _INPUT_COPIES * size
        + _table_bytes(chunks.lossless_bytes, width * height),
        orientation=chunks.orientation,
        animated=animated,
        window=None if window == (0, 0, width, height) else window,
    )


@dataclass(slots=True)
class _Chunks:
    """What was found in the chunks.

    Attributes:
        spans: start and end of the chunks that hold pixels.
        is_clean: whether there is nothing else.
        window: left, top, right and bottom of an animation's first image.
    """

    spans: list[tuple[int, int]] = field(default_factory=list)
    is_clean: bool = True
    orientation: int = 1
    lossless_bytes: int = 0
    window: tuple[int, int, int, int] | None = None


def _read_chunks(encoded: bytes) -> _Chunks:
    chunks = _Chunks()
    position, limit = _RIFF_BYTES, max_parts(encoded, _CHUNK_BYTES)
    has_still = False
    for _ in range(limit):
        header = encoded[position : position + _CHUNK_HEADER_BYTES]
        if len(header) < _CHUNK_HEADER_BYTES:
            break
        kind, length = header[:4], int.from_bytes(header[4:], "little")
        body = position + _CHUNK_HEADER_BYTES
        end = body + length + length % 2
        if kind == b"EXIF":
            chunks.orientation, _ = read_exif(encoded[body : body + min(length, _MAX_EXIF)])
        chunks.lossless_bytes += _lossless_bytes(
            encoded, position, length, is_first=not chunks.lossless_bytes
        )
        if kind == b"ANMF" and chunks.window is None:
            chunks.window = _read_window(encoded[body : body + _FRAME_HEADER_BYTES])
        if kind in _PIXEL_CHUNKS and not has_still:
            chunks.spans.append((position, end))
            has_still = kind in _STILL
        else:
            chunks.is_clean = False
        position = end
    else:
        raise too_complex("WebP", f"more than {limit:,} chunks")
    riff_end = int.from_bytes(encoded[4:8], "little") + _CHUNK_HEADER_BYTES
    chunks.is_clean = chunks.is_clean and riff_end == len(encoded) == position
    return chunks


def _read_window(frame: bytes) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of an animation's image."""
    if len(frame) < _FRAME_HEADER_BYTES:
        return None
    left, top, width, height = (
        int.from_bytes(frame[start : start + 3], "little") for start in (0, 3, 6, 9)
    )
    return 2 * left, 2 * top, 2 * left + width + 1, 2 * top + height + 1


def _pixels_alone(encoded: bytes, spans: list[tuple[int, int]]) -> bytes:
    parts = [encoded[start:end] for start, end in spans]
    if parts and parts[0].startswith(b"VP8X"):
        flags = parts[0][_CHUNK_HEADER_BYTES] & ~_METADATA_FLAGS
        rest = parts[0][_CHUNK_HEADER_BYTES + 1 :]
        parts[0] = parts[0][:_CHUNK_HEADER_BYTES] + bytes([flags]) + rest
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _read_first_chunk(encoded: bytes) -> tuple[int, int, bool, bool]:
    """Width and height of the canvas, and whether it has alpha, and is animated."""
    kind, body = encoded[12:16], encoded[20:30]
    if kind == b"VP8X" and len(body) == 10:  # noqa: PLR2004 -- flags, and two sizes less one
        width = int.from_bytes(body[4:7], "little") + 1
        height = int.from_bytes(body[7:10], "little") + 1
        return width, height, bool(body[0] & _ALPHA), bool(body[0] & _ANIMATED)
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a" and len(body) == 10:  # noqa: PLR2004
        width = int.from_bytes(body[6:8], "little") & 0x3FFF
        height = int.from_bytes(body[8:10], "little") & 0x3FFF
        return width, height, False, False
    if kind == b"VP8L" and body[:1] == b"\x2f" and len(body) >= 5:  # noqa: PLR2004
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, True, False
    raise Malformed("its header is invalid")


def _lossless_bytes(encoded: bytes, position: int, length: int, *, is_first: bool) -> int:
    """Bytes of the chunk that the lossless decoder may read: pixels, alpha, or an animation's."""
    kind = encoded[position : position + 4]
    if kind == b"ANMF" and is_first:  # only the first frame is decoded
        body = position + _CHUNK_HEADER_BYTES + _FRAME_HEADER_BYTES
        kind = b"VP8L" if encoded[body : body + 4] != b"VP8 " else kind
    return min(length, len(encoded)) if kind in {b"VP8L", b"ALPH"} else 0


def _table_bytes(lossless_bytes: int, pixels: int) -> int:
    """Bytes that the tables of prefix codes take at most."""
    groups = min(_MAX_GROUPS, pixels // _GROUP_PIXELS + 1, lossless_bytes * 8 // _GROUP_BITS)
    deep = min(groups * _DEEP_GROUP_BYTES, lossless_bytes * _DEEP_BYTES_PER_BYTE)
    return groups * _GROUP_BYTES + deep
