"""Pictures with known looks, in every format that is read."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

RED, GREEN, BLUE, YELLOW = (200, 30, 30), (30, 160, 40), (40, 50, 200), (220, 210, 40)
QUADRANTS = {"top left": RED, "top right": GREEN, "bottom left": BLUE, "bottom right": YELLOW}

FORMATS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {},
    "WEBP": {"lossless": True},
    "BMP": {},
    "GIF": {},
    "TIFF": {},
}
"""Pillow's name of each format that is read, with what keeps its colours."""

ORIENTATION = 0x0112
TURNED = {  # how a camera stores an upright image under each EXIF orientation
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def quadrants(width: int = 64, height: int = 48) -> Image.Image:
    """An RGB image with a colour in each quarter: it looks different turned or mirrored."""
    picture = Image.new("RGB", (width, height), RED)
    picture.paste(GREEN, (width // 2, 0, width, height // 2))
    picture.paste(BLUE, (0, height // 2, width // 2, height))
    picture.paste(YELLOW, (width // 2, height // 2, width, height))
    return picture


def quadrant_colours(picture: Image.Image) -> dict[str, tuple[int, ...]]:
    """The colour in the middle of each quarter."""
    width, height = picture.size
    places = {
        "top left": (width // 4, height // 4),
        "top right": (3 * width // 4, height // 4),
        "bottom left": (width // 4, 3 * height // 4),
        "bottom right": (3 * width // 4, 3 * height // 4),
    }
    return {name: picture.getpixel(place) for name, place in places.items()}  # type: ignore[misc]


def noise(width: int, height: int, seed: int = 7) -> Image.Image:
    """An RGB picture that compresses badly, so that a cut anywhere loses pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def encode(picture: Image.Image, name: str, **options: Any) -> bytes:
    """The picture as a file of that format."""
    file = io.BytesIO()
    picture.save(file, name, **{**FORMATS.get(name, {}), **options})
    return file.getvalue()


def turned(orientation: int, name: str) -> bytes:
    """The quadrants as a camera stores them that writes this EXIF orientation."""
    picture = quadrants()
    stored = picture.transpose(TURNED[orientation]) if TURNED[orientation] is not None else picture
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encode(stored, name, exif=exif)


def png(
    width: int,
    height: int,
    depth: int,
    colour: int,
    rows: bytes,
    chunks: dict[bytes, bytes] | None = None,
) -> bytes:
    """A PNG from ``rows`` with filter bytes, and ``chunks`` between header and pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [
        (b"IHDR", header),
        *(chunks or {}).items(),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def png_bomb(side: int) -> bytes:
    """A black PNG of side x side: a thousandth of its pixels' bytes."""
    packer = zlib.compressobj(9)
    row = bytes(1 + 3 * side)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", packed)
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
