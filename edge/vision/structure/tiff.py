"""Reads the first directory of a TIFF (TIFF 6.0, and BigTIFF), and drops tags that hold no pixels.

Both Pillow and libtiff read every tag; each may refer to the whole file. A file with tags or pages
that the pixels do not need is decoded from a copy with a directory of its own.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from edge.errors import UnsupportedImage
from edge.vision.structure.exif import TYPE_BYTES
from edge.vision.structure.structure import Malformed, Structure, too_complex

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIP_OFFSETS, _ORIENTATION, _SAMPLES, _STRIP_ROWS, _STRIP_BYTES = 273, 274, 277, 278, 279
_PLANAR, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES = 284, 322, 323, 324, 325
_JPEG_TABLES = 347
_PIXEL_TAGS = frozenset(
    {
        *(_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _STRIP_OFFSETS, _ORIENTATION),
        *(_SAMPLES, _STRIP_ROWS, _STRIP_BYTES, _PLANAR, _TILE_WIDTH, _TILE_HEIGHT),
        *(_TILE_OFFSETS, _TILE_BYTES, _JPEG_TABLES),
        *(254, 266, 280, 281),  # NewSubfileType, FillOrder, MinSampleValue, MaxSampleValue
        *(292, 293, 317, 320, 338, 339),  # T4, T6, Predictor, ColorMap, ExtraSamples, SampleFormat
        *(340, 341, 529, 530, 531, 532),  # SMin, SMax, and how YCbCr becomes RGB
    }
)
_LOCATIONS = frozenset({_STRIP_OFFSETS, _STRIP_BYTES, _TILE_OFFSETS, _TILE_BYTES})

_COMPRESSIONS = {
    1: "none",
    2: "CCITT RLE",
    3: "CCITT T.4",
    4: "CCITT T.6",
    5: "LZW",
    7: "JPEG",
    8: "deflate",
    32773: "PackBits",
    32946: "deflate",
}
"""Compressions whose cost grows with the pixels. LZMA and Zstandard name a window of memory of
their own, old-style JPEG and WebP a size of their own."""

_UNCOMPRESSED, _JPEG = 1, 7
_MAX_SAMPLES = 6
"""Samples per pixel: CMYK and two more, which is also Pillow's limit."""

_TYPE_BYTES = TYPE_BYTES | {16: 8, 17: 8, 18: 8}  # BigTIFF
_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}

_MAX_ENTRIES = 4_096
_MAX_VALUE_BYTES = 1 << 18
"""Of one tag that is kept; the largest is a colour map of 384 KiB less one half."""

_MIN_TILE, _MAX_TILE = 16, 1_024
"""Pixels of a tile's side: multiples of 16 by the specification; larger ones than the image's own
size would be decoded for nothing."""

_PLAIN_ENTRIES, _PLAIN_BYTES = 64, 64 << 10
_MAX_SCANS_PER_PART = 4
"""Of each strip or tile that is a JPEG: one for each component. Progressive ones have more."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One tag of the directory: its type, its number of values, and where they are."""

    tag: int
    kind: int
    count: int
    start: int

    @property
    def size(self) -> int:
        return self.count * _TYPE_BYTES.get(self.kind, 1)


class _Directory:
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
        self.entries: dict[int, _Entry] = {}
        for _ in range(count):
            tag, kind, values = entry.unpack_from(self.encoded, position)
            start = position + entry.size
            if values * _TYPE_BYTES.get(kind, 1) > self.field_bytes:
                (start,) = struct.unpack_from(self.order + self.word, self.encoded, start)
            self.entries.setdefault(tag, _Entry(tag, kind, values, start))
            position += entry.size + self.field_bytes
        self.count = count
        (self.following,) = struct.unpack_from(self.order + self.word, self.encoded, position)

    def number(self, tag: int, default: int | None = None) -> int:
        """The first value of a tag that holds whole numbers."""
        entry = self.entries.get(tag)
        if entry is None or entry.kind not in _INTEGERS or not entry.count:
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


def read_tiff(encoded: bytes) -> Structure:
    """Read the structure of a TIFF.

    Raises:
        Malformed: its directory is cut off, or has no size.
        UnsupportedImage: its compression.
        ImageTooComplex: too many tags, strips or tiles, or tiles far larger than the image.
    """
    directory = _Directory(encoded)
    width, height = directory.number(_WIDTH), directory.number(_HEIGHT)
    compression = directory.number(_COMPRESSION, 1)
    if compression not in _COMPRESSIONS:
        known = ", ".join(dict.fromkeys(_COMPRESSIONS.values()))
        raise UnsupportedImage(
            f"The TIFF image has compression {compression}, which is not supported. "
            f"Send one of: {known}."
        )
    samples = directory.number(_SAMPLES, 1)
    if not 1 <= samples <= _MAX_SAMPLES:
        raise UnsupportedImage(
            f"The TIFF image has {samples} samples per pixel; {_MAX_SAMPLES} is the limit. "
            "Send RGB or grey."
        )
    bits = directory.number(_BITS, 1)
    part_width, part_height = _part_size(directory, width, height)
    planes = samples if directory.number(_PLANAR, 1) != 1 else 1
    parts = -(-width // part_width) * -(-height // part_height) * planes
    _check_parts(directory, parts, is_jpeg=compression == _JPEG)
    sample_bytes = -(-bits // 8)
    part_bytes = part_width * part_height * (samples if planes == 1 else 1) * sample_bytes
    if compression == _UNCOMPRESSED:
        part_bytes = 0
    elif compression == _JPEG:
        part_bytes *= 3  # its coefficients, of two bytes each
    orientation = directory.number(_ORIENTATION, 1)
    return Structure(
        format="TIFF",
        encoded=_plain(directory),
        width=width,
        height=height,
        stored_bytes=min(sample_bytes, 4) if samples == 1 else 4,
        is_rgb=samples == 3,  # noqa: PLR2004
        decoder_bytes=part_bytes,
        orientation=orientation if 1 <= orientation <= 8 else 1,  # noqa: PLR2004
        animated=bool(directory.following),
    )


def _part_size(directory: _Directory, width: int, height: int) -> tuple[int, int]:
    """Width and height of a strip or a tile."""
    if _STRIP_OFFSETS in directory.entries:
        rows = directory.number(_STRIP_ROWS, height)
        return max(width, 1), max(min(rows, height), 1)
    part_width, part_height = directory.number(_TILE_WIDTH), directory.number(_TILE_HEIGHT)
    for part, side in ((part_width, width), (part_height, height)):
        if not _MIN_TILE <= part <= max(side + _MIN_TILE, _MAX_TILE):
            raise too_complex("TIFF", f"tiles of {part_width:,} x {part_height:,} pixels")
    return part_width, part_height


def _check_parts(directory: _Directory, parts: int, *, is_jpeg: bool) -> None:
    """Refuse more strips or tiles than fit on the image, and such as share their bytes."""
    entries = directory.entries
    for tag, entry in entries.items():
        if tag in _LOCATIONS and entry.count > parts:
            raise too_complex("TIFF", f"{entry.count:,} strips or tiles in place of {parts:,}")
        if tag in _PIXEL_TAGS - _LOCATIONS and entry.size > 2 * _MAX_VALUE_BYTES:
            raise too_complex("TIFF", f"a tag {tag} of {entry.size:,} bytes")
    is_striped = _STRIP_OFFSETS in entries
    bytes_tag = _STRIP_BYTES if is_striped else _TILE_BYTES
    offsets_tag = _STRIP_OFFSETS if is_striped else _TILE_OFFSETS
    if bytes_tag not in entries or offsets_tag not in entries:
        if is_jpeg or offsets_tag not in entries:
            raise Malformed("it does not say where its pixels are")
        return
    sizes = directory.numbers(bytes_tag, parts)
    if is_jpeg:
        _check_jpegs(directory.encoded, directory.numbers(offsets_tag, parts), sizes)


def _check_jpegs(encoded: bytes, offsets: tuple[int, ...], sizes: tuple[int, ...]) -> None:
    if sum(sizes) > len(encoded):
        raise too_complex("TIFF", "strips or tiles that share their bytes")
    for offset, size in zip(offsets, sizes, strict=False):
        if encoded.count(b"\xff\xda", offset, offset + size) > _MAX_SCANS_PER_PART:
            raise too_complex("TIFF", f"JPEGs with more than {_MAX_SCANS_PER_PART} scans")


def _plain(directory: _Directory) -> bytes:
    """Return the original, or a copy with the first directory alone and only tags of pixels."""
    others = [entry for tag, entry in directory.entries.items() if tag not in _PIXEL_TAGS]
    is_plain = (
        not directory.following
        and directory.count <= _PLAIN_ENTRIES
        and sum(entry.size for entry in others) <= _PLAIN_BYTES
    )
    if is_plain:
        return directory.encoded
    order, word, size = directory.order, directory.word, directory.field_bytes
    kept = [entry for tag, entry in sorted(directory.entries.items()) if tag in _PIXEL_TAGS]
    encoded = directory.encoded
    padding = bytes(-len(encoded) % 8)
    offset = len(encoded) + len(padding)
    parts = [struct.pack(order + ("Q" if directory.is_big else "H"), len(kept))]
    for entry in kept:
        if entry.size > size:
            value = struct.pack(order + word, entry.start)
        else:
            value = encoded[entry.start : entry.start + size]
        parts.append(struct.pack(f"{order}HH{word}", entry.tag, entry.kind, entry.count) + value)
    parts.append(bytes(size))  # no directory follows
    header = encoded[:size] + struct.pack(order + word, offset)
    rest = memoryview(encoded)[len(header) :]
    return b"".join([header, rest, padding, *parts])
