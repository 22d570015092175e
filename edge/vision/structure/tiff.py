"""Reads the first directory of a TIFF (TIFF 6.0, and BigTIFF), and drops tags that hold no pixels.

Both Pillow and libtiff read every tag; each may refer to the whole file. A file with tags or pages
that the pixels do not need is decoded from a copy with a directory of its own.
"""

from __future__ import annotations

from edge.errors import UnsupportedImage
from edge.vision.structure.structure import Malformed, Structure, too_complex
from edge.vision.structure.tiff_directory import Directory
from edge.vision.structure.tiff_layout import (
    BITS,
    COMPRESSION,
    HEIGHT,
    JPEG,
    ORIENTATION,
    PHOTOMETRIC,
    PLANAR,
    RGB,
    SAMPLES,
    STRIP_BYTES,
    STRIP_OFFSETS,
    STRIP_ROWS,
    TILE_BYTES,
    TILE_HEIGHT,
    TILE_OFFSETS,
    TILE_WIDTH,
    UNCOMPRESSED,
    WIDTH,
)
from edge.vision.structure.tiff_samples import read_layout

_JPEG_TABLES = 347
_PIXEL_TAGS = frozenset(
    {
        *(WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, STRIP_OFFSETS, ORIENTATION),
        *(SAMPLES, STRIP_ROWS, STRIP_BYTES, PLANAR, TILE_WIDTH, TILE_HEIGHT),
        *(TILE_OFFSETS, TILE_BYTES, _JPEG_TABLES),
        *(254, 266, 280, 281),  # NewSubfileType, FillOrder, MinSampleValue, MaxSampleValue
        *(292, 293, 317, 320, 338, 339),  # T4, T6, Predictor, ColorMap, ExtraSamples, SampleFormat
        *(340, 341, 529, 530, 531, 532),  # SMin, SMax, and how YCbCr becomes RGB
    }
)
_HARMLESS = frozenset({282, 283, 296, 305, 306})
"""Resolution, its unit, Software, DateTime. Of the rest some are damaged easily (EXIF, GPS), and
XMP may name an orientation that Pillow would apply, and browsers do not."""

_LOCATIONS = frozenset({STRIP_OFFSETS, STRIP_BYTES, TILE_OFFSETS, TILE_BYTES})

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

_MAX_SAMPLES = 6
"""Samples per pixel: CMYK and two more, which is also Pillow's limit."""

_MAX_VALUE_BYTES = 1 << 18
"""Of one tag that is kept; the largest is a colour map of 384 KiB less one half."""

_MIN_TILE, _MAX_TILE = 16, 1_024
"""Pixels of a tile's side: multiples of 16 by the specification; larger ones than the image's own
size would be decoded for nothing."""

_PLAIN_BYTES = 64 << 10
_TAIL_BYTES = 64
_MAX_SCANS_PER_PART = 4
"""Of each strip or tile that is a JPEG: one for each component. Progressive ones have more."""


def read_tiff(encoded: bytes) -> Structure:
    """Read the structure of a TIFF.

    Raises:
        Malformed: its directory is cut off, or has no size.
        UnsupportedImage: its compression.
        ImageTooComplex: too many tags, strips or tiles, or tiles far larger than the image.
    """
    directory = Directory(encoded)
    width, height = directory.number(WIDTH), directory.number(HEIGHT)
    compression = directory.number(COMPRESSION, 1)
    if compression not in _COMPRESSIONS:
        known = ", ".join(dict.fromkeys(_COMPRESSIONS.values()))
        raise UnsupportedImage(
            f"The TIFF image has compression {compression}, which is not supported. "
            f"Send one of: {known}."
        )
    samples = directory.number(SAMPLES, 1)
    if not 1 <= samples <= _MAX_SAMPLES:
        raise UnsupportedImage(
            f"The TIFF image has {samples} samples per pixel; {_MAX_SAMPLES} is the limit. "
            "Send RGB or grey."
        )
    bits = directory.number(BITS, 1)
    part_width, part_height = _part_size(directory, width, height)
    planes = samples if directory.number(PLANAR, 1) != 1 else 1
    parts_across = -(-width // part_width)
    parts = parts_across * -(-height // part_height)
    _check_parts(directory, parts * planes, is_jpeg=compression == JPEG)
    layout = read_layout(directory, part_width, part_height, parts_across, parts)
    part_bits = part_width * part_height * (samples if planes == 1 else 1) * bits
    part_bytes = (part_bits + 7) // 8
    if compression == UNCOMPRESSED:
        part_bytes = 0
    elif compression == JPEG:
        part_bytes *= 3  # its coefficients, of two bytes each
    orientation = directory.number(ORIENTATION, 1)
    if layout is None:
        plain = _plain(directory)
        copied_bytes = 0 if plain is encoded else len(encoded)
        stored_bytes = 1 if samples == 1 else 4
    else:
        plain, copied_bytes = encoded, len(encoded)  # of each plane, one at a time
        row_bytes = layout.part_row_bytes * layout.parts_across * layout.planes
        stored_bytes = -(-row_bytes // max(width, 1))
    return Structure(
        format="TIFF",
        encoded=plain,
        width=width,
        height=height,
        stored_bytes=stored_bytes,
        is_rgb=samples == 3 and layout is None,  # noqa: PLR2004
        decoder_bytes=part_bytes + copied_bytes,
        orientation=orientation if 1 <= orientation <= 8 else 1,  # noqa: PLR2004
        animated=bool(directory.following),
        layout=layout,
    )


def _part_size(directory: Directory, width: int, height: int) -> tuple[int, int]:
    """Width and height of a strip or a tile."""
    if STRIP_OFFSETS in directory.entries:
        rows = directory.number(STRIP_ROWS, height)
        return max(width, 1), max(min(rows, height), 1)
    part_width, part_height = directory.number(TILE_WIDTH), directory.number(TILE_HEIGHT)
    for part, side in ((part_width, width), (part_height, height)):
        if not _MIN_TILE <= part <= max(side + _MIN_TILE, _MAX_TILE):
            raise too_complex("TIFF", f"tiles of {part_width:,} x {part_height:,} pixels")
    return part_width, part_height


def _check_parts(directory: Directory, parts: int, *, is_jpeg: bool) -> None:
    """Refuse more strips or tiles than fit on the image, and such as share their bytes."""
    entries = directory.entries
    for tag, entry in entries.items():
        if tag in _LOCATIONS and entry.count > parts:
            raise too_complex("TIFF", f"{entry.count:,} strips or tiles in place of {parts:,}")
        if tag in _PIXEL_TAGS - _LOCATIONS and entry.size > 2 * _MAX_VALUE_BYTES:
            raise too_complex("TIFF", f"a tag {tag} of {entry.size:,} bytes")
    is_striped = STRIP_OFFSETS in entries
    bytes_tag = STRIP_BYTES if is_striped else TILE_BYTES
    offsets_tag = STRIP_OFFSETS if is_striped else TILE_OFFSETS
    if bytes_tag not in entries or offsets_tag not in entries:
        if is_jpeg or offsets_tag not in entries:
            raise Malformed("it does not say where its pixels are")
        if len(directory.numbers(offsets_tag, parts)) < parts:
            raise Malformed("strips or tiles are missing")
        return
    offsets, sizes = directory.numbers(offsets_tag, parts), directory.numbers(bytes_tag, parts)
    if min(len(offsets), len(sizes)) < parts or not all(offsets) or not all(sizes):
        raise Malformed("strips or tiles are missing")
    if is_jpeg:
        _check_jpegs(directory, offsets, sizes)


def _check_jpegs(directory: Directory, offsets: tuple[int, ...], sizes: tuple[int, ...]) -> None:
    encoded = directory.encoded
    if sum(sizes) > len(encoded):
        raise too_complex("TIFF", "strips or tiles that share their bytes")
    for offset, size in zip(offsets, sizes, strict=True):
        end = offset + size
        if encoded.count(b"\xff\xda", offset, end) > _MAX_SCANS_PER_PART:
            raise too_complex("TIFF", f"JPEGs with more than {_MAX_SCANS_PER_PART} scans")
        tail = encoded[max(end - _TAIL_BYTES, offset) : end].rstrip(b"\0")
        if end > len(encoded) or not tail.endswith(b"\xff\xd9"):
            raise Malformed("a JPEG in it is cut off")  # which libtiff fills with grey
        is_ycbcr = encoded.startswith(b"JFIF\0", offset + 6)
        if is_ycbcr and directory.number(PHOTOMETRIC, RGB) == RGB:
            raise UnsupportedImage(
                "The TIFF image says RGB, and the JPEG in it YCbCr, which is not supported. "
                "Send the JPEG itself."
            )


def _plain(directory: Directory) -> bytes:
    """Return the original, or a copy with the first directory alone and only tags of pixels."""
    entries = directory.entries
    is_plain = (
        not directory.following
        and directory.count == len(entries)  # of a tag that is there twice, readers take either
        and set(entries) <= _PIXEL_TAGS | _HARMLESS
        and sum(entry.size for tag, entry in entries.items() if tag in _HARMLESS) <= _PLAIN_BYTES
    )
    if is_plain:
        return directory.encoded
    kept = [entry for tag, entry in entries.items() if tag in _PIXEL_TAGS]
    return directory.copy(kept, {})
