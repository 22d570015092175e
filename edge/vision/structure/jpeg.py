"""Reads the markers of a JPEG (ITU-T T.81, annex B), as libjpeg does.

A baseline JPEG is decoded row by row, and costs what its pixels cost. Any other has its
coefficients in memory, and each of its scans is a pass over all of them.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field

import numpy as np

from edge.errors import ImageTooComplex, UnsupportedImage
from edge.vision.structure.exif import read_exif
from edge.vision.structure.structure import Malformed, Structure, too_complex

MAX_SCANS = 100
"""Scans of a progressive JPEG; usual are 3 to 12."""

MAX_PASSES = 1_200_000_000
"""Scans times pixels: 24 scans of 50 million pixels, or 100 of 12 million."""

_MAX_SEGMENTS = 4_096
"""Segments before the first scan: more than 32 MiB of metadata have in full segments."""

_MAX_TABLE_BYTES = 64 << 10
"""Bytes of tables before the first scan; all that a JPEG can have are 3 KB."""

_PLAIN_SEGMENTS, _PLAIN_BYTES = 32, 256 << 10
"""Metadata that Pillow may read. Beyond it the decoders get a copy without any."""

_FILL = b"\xff" * 256
"""A run of fill bytes that no encoder writes. libjpeg reads it anew with every block of input."""

_PREFIX, _LENGTH_BYTES = 0xFF, 2
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_APP0, _APP1, _APP14, _COM = 0xE0, 0xE1, 0xEE, 0xFE
_APPS = range(0xE0, 0xF0)
_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDD})  # DHT, DAC, DQT, DRI
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15
_PROGRESSIVE = 0xC2
_READ_FRAMES = frozenset({0xC0, 0xC1, _PROGRESSIVE})
_ARITHMETIC = frozenset({0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_LOSSLESS = 0xC3
_PRECISION = 8  # bits of a sample
_CMYK_COMPONENTS = 4
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # TEM and RST0 to RST7 have no length

_MARKER = re.compile(rb"\xff[^\x00\xff]")
_SCAN_MARKER = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")  # none that belongs to a scan
_COUNTED_BYTES = 1 << 18
_BLOCK_SIDE = 8


@dataclass(slots=True)
class _Header:
    """What comes before the first scan.

    Attributes:
        spans: start and end of the segments that a decoder needs.
        plain: whether Pillow may read the original.
    """

    spans: list[tuple[int, int]] = field(default_factory=list)
    plain: bool = True
    has_adobe: bool = False
    frame: bytes = b""
    frame_marker: int = 0
    orientation: int = 1
    has_exif: bool = False
    metadata: int = 0
    metadata_bytes: int = 0
    table_bytes: int = 0
    kept_apps: set[int] = field(default_factory=set)
    scan: int = 0


def read_jpeg(encoded: bytes) -> Structure:
    """Read the structure of a JPEG.

    Raises:
        Malformed: no frame or no scan.
        UnsupportedImage: its coding, precision or components.
        ImageTooComplex: too many scans, segments, tables or fill bytes.
    """
    header = _read_header(encoded)
    frame = header.frame
    height, width, components = struct.unpack_from(">HHB", frame, 1)
    if len(frame) < 6 + 3 * components or not components:
        raise Malformed("its frame header is cut off")
    _check_type(header, components)
    in_first_scan = encoded[header.scan + 4]
    coefficient_bytes = 0
    if header.frame_marker == _PROGRESSIVE or in_first_scan < components:
        _check_scans(encoded, header, width * height)
        coefficient_bytes = _coefficient_bytes(frame, width, height, components)
    if encoded.find(_FILL, header.scan) >= 0:
        raise _too_much_fill()
    if not header.plain:
        encoded = _pixels_alone(encoded, header)
    is_grey = components == 1
    return Structure(
        format="JPEG",
        encoded=encoded,
        width=width,
        height=height,
        stored_bytes=1 if is_grey else 4,
        is_rgb=components == 3,  # noqa: PLR2004 -- YCbCr or RGB
        decoder_bytes=coefficient_bytes,
        orientation=header.orientation,
        scales=True,
    )


def without_metadata(encoded: bytes) -> bytes:
    """A copy of a JPEG that was read, with what a decoder needs alone."""
    return _pixels_alone(encoded, _read_header(encoded))


def _pixels_alone(encoded: bytes, header: _Header) -> bytes:
    kept = [encoded[:2], *(encoded[start:end] for start, end in header.spans)]
    return b"".join([*kept, memoryview(encoded)[header.scan :]])


def _check_type(header: _Header, components: int) -> None:
    """Refuse what is not decoded right, by its name."""
    bits = header.frame[0]
    what = ""
    if header.frame_marker in _ARITHMETIC:
        what = "arithmetic coding"
    elif header.frame_marker == _LOSSLESS:
        what = "lossless coding"
    elif header.frame_marker not in _READ_FRAMES:
        what = "hierarchical coding"
    elif bits != _PRECISION:
        what = f"{bits} bits per sample"
    elif components not in {1, 3, _CMYK_COMPONENTS}:
        what = f"{components} components"
    elif components == _CMYK_COMPONENTS and not header.has_adobe:
        # Photoshop inverts its inks, and marks such files. For others TensorFlow takes the inks as
        # they are, and browsers invert them.
        what = "four components and no Adobe marker, so that nobody knows which way its inks go"
    if what:
        raise UnsupportedImage(
            f"The JPEG image has {what}, which is not supported. "
            "Send a baseline or progressive JPEG of 8 bits in grey or RGB."
        )


def _read_header(encoded: bytes) -> _Header:
    header = _Header()
    position, end = 2, len(encoded)
    for _ in range(_MAX_SEGMENTS):
        if position + 4 > end:
            raise Malformed("it has no scan")
        marker = encoded[position + 1]
        if encoded[position] != _PREFIX or marker in {0x00, 0xFF}:
            header.plain = False  # Pillow skips such bytes one by one, and not as libjpeg does
            if encoded.startswith(_FILL, position):
                raise _too_much_fill()
            found = _MARKER.search(encoded, position)
            if found is None or found.end() + 2 > end:
                raise Malformed("it has no scan")
            position = found.start()
            marker = encoded[position + 1]
        if marker in _ALONE:
            header.plain = False
            position += 2
            continue
        length = encoded[position + 2] << 8 | encoded[position + 3]
        following = position + 2 + length
        if marker in {_SOI, _EOI} or length < _LENGTH_BYTES or following > end:
            raise Malformed("its markers make no sense")
        if marker == _SOS:
            header.scan = position
            return _finished(header)
        _add_segment(header, encoded, marker, position, following)
        position = following
    raise too_complex("JPEG", f"more than {_MAX_SEGMENTS:,} segments before its pixels")


def _add_segment(header: _Header, encoded: bytes, marker: int, start: int, end: int) -> None:
    if marker in _FRAMES:
        if header.frame:
            raise Malformed("it has two frame headers")
        header.frame, header.frame_marker = encoded[start + 4 : end], marker
        header.spans.append((start, end))
    elif marker in _TABLES:
        header.table_bytes += end - start
        header.spans.append((start, end))
    elif marker in _APPS or marker == _COM:
        header.metadata += 1
        header.metadata_bytes += end - start
        says_colours = encoded.startswith((b"JFIF\0", b"Adobe"), start + 4)  # YCbCr, RGB or CMYK
        if marker in {_APP0, _APP14} and says_colours and marker not in header.kept_apps:
            header.kept_apps.add(marker)
            header.spans.append((start, end))
        if marker == _APP14 and encoded.startswith(b"Adobe", start + 4):
            header.has_adobe = True
        if marker == _APP1 and encoded.startswith(b"Exif\0\0", start + 4):
            _add_exif(header, encoded[start + 4 : end])
    else:
        header.plain = False  # DNL and others, which say nothing about an image of one frame


def _add_exif(header: _Header, block: bytes) -> None:
    if header.has_exif:  # Pillow joins the blocks, copying all before for each
        header.plain = False
        return
    header.has_exif = True
    header.orientation, simple = read_exif(block)
    header.plain = header.plain and simple


def _finished(header: _Header) -> _Header:
    if len(header.frame) < 6:  # noqa: PLR2004 -- up to the number of components
        raise Malformed("it has no frame header")
    if header.table_bytes > _MAX_TABLE_BYTES:
        raise too_complex("JPEG", f"{header.table_bytes:,} bytes of tables")
    if header.metadata > _PLAIN_SEGMENTS or header.metadata_bytes > _PLAIN_BYTES:
        header.plain = False
    return header


def _too_much_fill() -> ImageTooComplex:
    return too_complex("JPEG", f"{len(_FILL)} or more fill bytes in a row")


def _check_scans(encoded: bytes, header: _Header, pixels: int) -> None:
    limit = min(MAX_SCANS, MAX_PASSES // max(pixels, 1))
    if _count_scan_markers(encoded, header.scan) <= limit:
        return
    if _has_more_scans(encoded, header.scan, limit):
        raise ImageTooComplex(
            f"The JPEG image has more than {limit} scans, and each is a pass over all its pixels. "
            "Save it again, as a baseline JPEG or with fewer scans."
        )


def _count_scan_markers(encoded: bytes, start: int) -> int:
    """How often the bytes of the marker occur; never less often than a decoder finds it.

    With numpy, because `bytes.count` took 0.1 ms for 65 KB.
    """
    count = 0
    for offset in range(start, len(encoded) - 1, _COUNTED_BYTES):
        size = min(_COUNTED_BYTES + 1, len(encoded) - offset)
        block = np.frombuffer(encoded, np.uint8, size, offset)
        count += int(np.count_nonzero((block[:-1] == _PREFIX) & (block[1:] == _SOS)))
    return count


def _has_more_scans(encoded: bytes, scan: int, limit: int) -> bool:
    """Whether more scans than ``limit`` come before the end of the image; what follows is not its.

    Markers count as scans here, so that this loop is bounded as well.
    """
    position, scans, others = scan, 0, 0
    while (found := _SCAN_MARKER.search(encoded, position)) is not None:
        marker = encoded[found.start() + 1]
        if marker == _EOI:
            return False
        scans += marker == _SOS
        others += marker != _SOS
        if scans > limit or others > _MAX_SEGMENTS:
            return True
        length = int.from_bytes(encoded[found.end() : found.end() + 2], "big")
        position = found.end() + max(length, 2)
    return False


def _coefficient_bytes(frame: bytes, width: int, height: int, components: int) -> int:
    """Two bytes for each coefficient of each component, at full scale (libjpeg's jdcoefct.c)."""
    factors = [frame[7 + 3 * index] for index in range(components)]
    across = [max(factor >> 4, 1) for factor in factors]
    down = [max(factor & 15, 1) for factor in factors]
    columns = -(-width // (_BLOCK_SIDE * max(across)))
    rows = -(-height // (_BLOCK_SIDE * max(down)))
    blocks = sum(columns * rows * h * v for h, v in zip(across, down, strict=True))
    return blocks * _BLOCK_SIDE * _BLOCK_SIDE * 2
