"""Small files whose decoding costs far more than their pixels: one for each way to do that."""

import struct
import zlib
from collections.abc import Callable

from PIL import Image

from builders.images import encode, noise, png

_LENGTH = struct.Struct(">H")


def segment(marker: int, payload: bytes = b"") -> bytes:
    """A JPEG marker segment."""
    return bytes([0xFF, marker]) + _LENGTH.pack(len(payload) + 2) + payload


def with_size(jpeg: bytes, width: int, height: int) -> bytes:
    """The JPEG with another size in its frame header: the missing pixels are grey."""
    frame = next(at for at in map(jpeg.find, (b"\xff\xc0", b"\xff\xc2")) if at > 0)
    return jpeg[: frame + 5] + struct.pack(">HH", height, width) + jpeg[frame + 9 :]


def jpeg_of_scans(scans: int, width: int, height: int) -> bytes:
    """A grey progressive JPEG that refines its coefficients again and again, without any data."""
    start = encode(Image.new("L", (16, 16)), "JPEG", progressive=True)
    scan = segment(0xDA, bytes([1, 1, 0, 1, 63, 0]))
    more = scans - start.count(b"\xff\xda")
    return with_size(start[:-2], width, height) + scan * more + b"\xff\xd9"


def before_scan(extra: bytes) -> bytes:
    """A small JPEG with more bytes before its scan."""
    jpeg = encode(noise(64, 48), "JPEG")
    scan = jpeg.index(b"\xff\xda")
    return jpeg[:scan] + extra + jpeg[scan:]


def exif_block(entries: int, size: int) -> bytes:
    """EXIF whose entries all have the whole block as their value."""
    fields = b"".join(
        struct.pack("<HHII", 1000 + number, 7, size - 100, 8) for number in range(entries)
    )
    block = b"II*\0" + struct.pack("<IH", 8, entries) + fields
    return b"Exif\0\0" + block.ljust(size, b"\0")


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk."""
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png_with(extra: bytes) -> bytes:
    """A small PNG with more chunks behind its header."""
    small = encode(noise(8, 8), "PNG")
    return small[:33] + extra + small[33:]


def gif_with(extra: bytes) -> bytes:
    """A small GIF with more blocks before its image."""
    small = encode(noise(8, 8), "GIF")
    image = small.index(b",\0\0\0\0")
    return small[:image] + extra + small[image:]


def gif_of_tiny_blocks(blocks: int) -> bytes:
    """A GIF whose image data has that many blocks of one byte."""
    small = encode(noise(8, 8), "GIF")
    return small[:-2] + b"\1a" * blocks + small[-2:]


def bmp_of_runs(width: int, height: int, runs: bytes) -> bytes:
    """A BMP with RLE8."""
    header = struct.pack("<iiHHIIiiII", width, height, 1, 8, 1, len(runs), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IIII", 0, 0, 54 + 1024, 40) + header + bytes(1024) + runs


def webp_of_one_colour(width: int, height: int) -> bytes:
    """A lossless WebP of a few bytes; it is cut off, so decoding it fails after its canvas."""
    bits = (width - 1) | (height - 1) << 14
    body = b"VP8L" + struct.pack("<IB", 13, 0x2F) + struct.pack("<I", bits)
    body += bytes.fromhex("0111118888fe0700") + b"\0\0"
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def webp_of_prefix_codes(side: int) -> bytes:
    """A lossless WebP of side x side with prefix codes of its own for every 4 x 4 pixels."""
    bits = _Bits()
    bits.add((side - 1, 14), (side - 1, 14), (0, 1), (0, 3))  # size, no alpha, version
    bits.add((0, 1), (0, 1), (1, 1), (0, 3), (0, 1))  # no transform or cache; groups of 4 x 4
    for symbols in (280, 256):  # green and red: 256 symbols of 8 bits each
        bits.add((0, 1), (8, 4))
        bits.add(*((int(place in {2, 11}), 3) for place in range(12)))
        bits.add((0, 1), *((int(symbol < 256), 1) for symbol in range(symbols)))
    one_symbol = ((1, 1), (0, 1), (0, 1), (0, 1))
    bits.add(*one_symbol * 3)  # blue, alpha, distance
    reverse = [int(f"{number:08b}"[::-1], 2) for number in range(256)]
    groups = (side // 4) ** 2
    for group in range(groups):
        bits.add((reverse[group & 255], 8), (reverse[group >> 8 & 255], 8))
    for _ in range(min(groups, 65_536)):
        bits.add(*one_symbol * 5)
    data = b"\x2f" + bits.packed()
    chunks = b"VP8L" + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


class _Bits:
    """Numbers of some bits, the lowest first."""

    def __init__(self) -> None:
        self._bits: list[str] = []

    def add(self, *numbers: tuple[int, int]) -> None:
        for value, size in numbers:
            self._bits.append(f"{value:0{size}b}"[::-1])

    def packed(self) -> bytes:
        text = "".join(self._bits)
        text += "0" * (-len(text) % 8 + 32)
        return int(text[::-1], 2).to_bytes(len(text) // 8, "little")


def webp_of_chunks(chunks: int) -> bytes:
    """An 8 x 8 WebP followed by that many empty chunks."""
    small = encode(noise(8, 8), "WEBP")
    extended = b"VP8X" + struct.pack("<IB", 10, 0) + bytes([0, 0, 0, 7, 0, 0, 7, 0, 0])
    body = b"WEBP" + extended + small[12:] + b"abcd\0\0\0\0" * chunks
    return b"RIFF" + struct.pack("<I", len(body)) + body


Tags = dict[int, tuple[int, int, int]]


def tiff(tags: Tags, data: bytes, following: int = 0) -> bytes:
    """A TIFF with ``data`` at offset 8, and tags given as type, number of values, and field."""
    fields = b"".join(struct.pack("<HHII", tag, *tags[tag]) for tag in sorted(tags))
    data += bytes(len(data) % 2)
    directory = struct.pack("<H", len(tags)) + fields + struct.pack("<I", following)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory


def tiff_tags(width: int, height: int, compression: int = 1) -> Tags:
    """Tags of a grey TIFF in one strip."""
    return {
        256: (4, 1, width),
        257: (4, 1, height),
        258: (3, 1, 8),
        259: (3, 1, compression),
        262: (3, 1, 1),
        273: (4, 1, 8),
        277: (3, 1, 1),
        278: (4, 1, height),
        279: (4, 1, width * height),
    }


def tiff_tiles(width: int, height: int, side: int, tiles: int, compression: int = 1) -> bytes:
    """A grey TIFF with tiles that all have the same bytes."""
    tags = tiff_tags(width, height, compression)
    for tag in (273, 278, 279):
        del tags[tag]
    packed = zlib.compress(bytes(1000)).ljust(400, b"\0")
    places = struct.pack("<I", 8) * tiles + struct.pack("<I", len(packed)) * tiles
    offsets = 8 + len(packed)
    tags |= {322: (4, 1, side), 323: (4, 1, side)}
    tags |= {324: (4, tiles, offsets), 325: (4, tiles, offsets + 4 * tiles)}
    return tiff(tags, packed + places)


def tiff_of_directories(count: int) -> bytes:
    """A TIFF that is followed by that many directories, the last by the first."""
    small = tiff(tiff_tags(8, 8), bytes(64))
    one = struct.calcsize("<HHHIII")
    first = len(small)
    small = small[:-4] + struct.pack("<I", first)
    rest = b"".join(
        struct.pack("<HHHIII", 1, 254, 4, 1, 0, first + (number + 1) % count * one)
        for number in range(count)
    )
    return small + rest


REFUSED: dict[str, Callable[[], bytes]] = {
    "jpeg: 2,000 scans of 50 million pixels": lambda: jpeg_of_scans(2000, 7069, 7069),
    "jpeg: 101 scans": lambda: jpeg_of_scans(101, 64, 48),
    "jpeg: 30 scans of 50 million pixels": lambda: jpeg_of_scans(30, 7069, 7069),
    "jpeg: fill bytes before the scan": lambda: before_scan(b"\xff" * 5_000_000),
    "jpeg: fill bytes in the scan": lambda: (
        encode(noise(64, 48), "JPEG")[:-2] + b"\xff" * 5_000_000
    ),
    "jpeg: empty comments": lambda: before_scan(segment(0xFE) * 500_000),
    "jpeg: tables": lambda: before_scan(segment(0xDB, (b"\0" + bytes(range(1, 65))) * 1000) * 30),
    "png: empty pixel chunks": lambda: png_with(chunk(b"IDAT", b"") * 200_000),
    "png: texts": lambda: png_with(chunk(b"tEXt", b"a\0b") * 200_000),
    "png: more data than pixels": lambda: png(8, 8, 8, 2, noise(500, 500).tobytes()),
    "png: one row of 50 million": lambda: png(50_000_000, 1, 1, 0, b""),
    "gif: tiny comments": lambda: gif_with(b"!\xfe" + b"\1a" * 2_000_000 + b"\0"),
    "gif: extensions": lambda: gif_with(b"!\x01\0" * 500_000),
    "gif: tiny data blocks": lambda: gif_of_tiny_blocks(2_000_000),
    "bmp: 50 million pixels in runs": lambda: bmp_of_runs(7000, 7000, b"\x01\x01\0\0" * 1000),
    "bmp: runs without end": lambda: bmp_of_runs(999, 1001, b"\0\0" * 4_000_000),
    "webp: 50 million pixels": lambda: webp_of_one_colour(7000, 7000),
    "webp: empty chunks": lambda: webp_of_chunks(200_000),
    "tiff: tags": lambda: tiff(
        tiff_tags(8, 8) | dict.fromkeys(range(1000, 9000), (7, 4_000_000, 8)), bytes(4_000_000)
    ),
    "tiff: strips": lambda: tiff(
        tiff_tags(8, 8) | {273: (4, 500_000, 8), 279: (4, 500_000, 8), 278: (4, 1, 1)},
        bytes(2_000_000),
    ),
    "tiff: tiles of a pixel": lambda: tiff_tiles(2000, 2000, 1, 1_000_000),
    "tiff: a tile far larger than the image": lambda: tiff_tiles(8, 8, 40_000, 1, 8),
    "tiff: a window of its own (LZMA)": lambda: tiff(tiff_tags(8, 8, 34_925), bytes(64)),
    "tiff: another (Zstandard)": lambda: tiff(tiff_tags(8, 8, 50_000), bytes(64)),
}
"""Refused from their structure."""

READ: dict[str, Callable[[], bytes]] = {
    "jpeg: EXIF that refers to itself": lambda: encode(
        noise(64, 48), "JPEG", exif=exif_block(5000, 65_000)
    ),
    "jpeg: EXIF in 60 pieces": lambda: before_scan(segment(0xE1, b"Exif\0\0" + bytes(65_000)) * 60),
    "jpeg: Photoshop blocks": lambda: before_scan(
        segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\0" * 5450) * 60
    ),
    "jpeg: zeros between segments": lambda: before_scan(bytes(25_000_000)),
    "png: profiles": lambda: png_with(
        chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(1_000_000), 9)) * 8000
    ),
    "png: EXIF that refers to itself": lambda: png_with(
        chunk(b"eXIf", exif_block(60_000, 4_000_000))
    ),
    "gif: a long comment": lambda: gif_with(b"!\xfe" + (b"\xff" + b"a" * 255) * 20_000 + b"\0"),
    "tiff: directories in a circle": lambda: tiff_of_directories(100_000),
}
"""Read: what is wrong with them is dropped before a decoder sees it."""
