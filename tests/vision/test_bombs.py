"""An image whose header promises too much costs no memory: measured in a process of its own."""

import json
import struct
import subprocess
import sys
import zlib

import pytest
from builders.images import png_bomb

SCRIPT = """
import json, pathlib, resource, sys
from edge.errors import ImageTooLarge
from edge.vision.decode import decode
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data = pathlib.Path(sys.argv[1]).read_bytes()
before = peak()
try:
    decode(data, max_pixels=50_000_000)
    refused = False
except ImageTooLarge:
    refused = True
print(json.dumps({"refused": refused, "grown_kib": peak() - before}))
"""


def tiff_bomb() -> bytes:
    side = 30_000
    data = zlib.compress(bytes(side * 3))
    tags = [
        (256, side),
        (257, side),
        (258, 8),
        (259, 8),
        (262, 2),
        (273, 8),
        (277, 3),
        (278, side),
        (279, len(data)),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return (
        b"II*\0"
        + struct.pack("<I", 8 + len(data))
        + data
        + struct.pack("<H", len(tags))
        + entries
        + bytes(4)
    )


def webp_bomb() -> bytes:
    """An animated WebP whose canvas is 16,000 pixels a side, with nothing on it."""
    side = (15_999).to_bytes(3, "little")
    chunk = b"VP8X" + struct.pack("<I", 10) + bytes([2, 0, 0, 0]) + side + side
    chunk += b"ANIM" + struct.pack("<I", 6) + bytes(6)
    from builders.images import encode, quadrants

    frame = encode(quadrants(8, 8), "WEBP")[12:]
    body = bytes(6) + (7).to_bytes(3, "little") * 2 + bytes(4) + frame
    chunk += b"ANMF" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def gif_bomb() -> bytes:
    side = struct.pack("<H", 60_000)
    return (
        b"GIF89a"
        + side * 2
        + b"\x80\0\0"
        + bytes(6)
        + b","
        + bytes(4)
        + side * 2
        + b"\0\x02\x02\x4c\x01\0;"
    )


def bmp_bomb() -> bytes:
    return (
        b"BM"
        + struct.pack("<IHHIIiiHHIIiiII", 60, 0, 0, 54, 40, 20_000, 20_000, 1, 24, 0, 0, 0, 0, 0, 0)
        + bytes(60)
    )


@pytest.mark.parametrize(
    "bomb",
    [lambda: png_bomb(15_000), tiff_bomb, webp_bomb, gif_bomb, bmp_bomb],
    ids=["png", "tiff", "webp", "gif", "bmp"],
)
def test_a_bomb_is_refused_from_its_header_without_its_memory(bomb, tmp_path, repository_root):
    file = tmp_path / "bomb"
    file.write_bytes(bomb())
    assert file.stat().st_size < 1_000_000
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(file)],
        cwd=repository_root,
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    assert told["refused"]
    assert told["grown_kib"] < 8 * 1024, (
        "the file itself has up to 0.7 MB; its pixels would have hundreds"
    )
