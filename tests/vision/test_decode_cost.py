"""What a picture costs is known from its header: measured for every format and mode."""

import gc
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.bombs import webp_of_prefix_codes
from builders.images import ORIENTATION, encode, png
from builders.pictures import bmp_of
from builders.tiffs import DEFLATE, PALETTE, RGB, Tiff
from PIL import Image

from edge.runtime.memory import limit_free_memory, release_free_memory
from edge.vision.cost import decode_bytes
from edge.vision.decode import decode
from edge.vision.decode_memory import decode_memory
from edge.vision.structure.inspect import inspect

_SIZE = (2400, 2000)
_MIB = 1 << 20
_SLACK_MIB = 6
"""Of allocators, row buffers and the input itself."""

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="only Linux measures the peak anew"
)


def _photo(mode: str = "RGB") -> Image.Image:
    """Smooth, so that it is encoded quickly."""
    across = np.linspace(0, 255, _SIZE[0], dtype=np.uint8)[None, :, None]
    down = np.linspace(0, 255, _SIZE[1], dtype=np.uint8)[:, None, None]
    pixels = np.concatenate([across + down * 0, down + across * 0, across // 2 + down // 2], -1)
    return Image.fromarray(pixels).convert(mode)


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    return exif


def _grey16() -> Image.Image:
    return Image.fromarray(np.asarray(_photo("L")).astype(np.uint16) << 8)


def _samples(samples: int, bits: int, **options: Any) -> bytes:
    levels = np.linspace(0, (1 << bits) - 1, _SIZE[0]).astype(np.uint16)
    pixels = np.broadcast_to(levels[None, :, None], (_SIZE[1], _SIZE[0], samples))
    return Tiff(pixels, bits, rows=None if "tile" in options else 200, **options).encode()


KINDS: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: encode(_photo(), "JPEG", quality=85),
    "JPEG, turned": lambda: encode(_photo(), "JPEG", quality=85, exif=_turned()),
    "JPEG, grey": lambda: encode(_photo("L"), "JPEG"),
    "JPEG, CMYK, turned": lambda: encode(_photo("CMYK"), "JPEG", exif=_turned()),
    "JPEG, progressive": lambda: encode(_photo(), "JPEG", progressive=True, subsampling=0),
    "JPEG, progressive 4:2:0": lambda: encode(_photo(), "JPEG", progressive=True, subsampling=2),
    "PNG": lambda: encode(_photo(), "PNG", compress_level=1),
    "PNG, turned": lambda: encode(_photo(), "PNG", compress_level=1, exif=_turned()),
    "PNG, alpha": lambda: encode(_photo("RGBA"), "PNG", compress_level=1),
    "PNG, palette": lambda: encode(_photo("P"), "PNG", compress_level=1),
    "PNG, palette, transparent": lambda: encode(
        _photo("P"), "PNG", compress_level=1, transparency=3
    ),
    "PNG, 16 bit": lambda: encode(_grey16(), "PNG", compress_level=1),
    "WebP": lambda: encode(_photo(), "WEBP", lossless=False, method=0),
    "WebP, alpha": lambda: encode(_photo("RGBA"), "WEBP", lossless=False, method=0),
    "WebP, lossless": lambda: encode(_photo(), "WEBP", lossless=True, method=0, quality=0),
    "BMP": lambda: encode(_photo(), "BMP"),
    "GIF": lambda: encode(_photo("P"), "GIF"),
    "GIF, transparent": lambda: encode(_photo("P"), "GIF", transparency=3),
    "TIFF": lambda: encode(_photo(), "TIFF"),
    "TIFF, turned": lambda: encode(_photo(), "TIFF", exif=_turned()),
    "TIFF, LZW": lambda: encode(_photo(), "TIFF", compression="tiff_lzw"),
    "TIFF, JPEG": lambda: encode(_photo(), "TIFF", compression="jpeg"),
    "TIFF, alpha, one strip": lambda: encode(
        _photo("RGBA"), "TIFF", compression="tiff_deflate", strip_size=1 << 30
    ),
    "TIFF, 16 bit": lambda: encode(_grey16(), "TIFF"),
    "TIFF, 16 bit, planes, turned": lambda: _samples(
        3, 16, photometric=RGB, planar=True, tags={274: (6,)}
    ),
    "TIFF, 16 bit, alpha, tiles": lambda: _samples(
        4, 16, photometric=RGB, compression=DEFLATE, tile=256, tags={338: (2,)}
    ),
    "TIFF, 12 bit": lambda: _samples(1, 12),
    "TIFF, palette": lambda: _samples(
        1, 8, photometric=PALETTE, tags={320: tuple(range(0, 65536, 256)) * 3}
    ),
    "TIFF, damaged EXIF": lambda: _samples(3, 8, photometric=RGB, tags={34665: (1 << 30,)}),
    "PNG, 3 x 16 bit with a transparent colour": lambda: png(
        *_SIZE, 16, 2, (b"\0" + bytes(range(6)) * _SIZE[0]) * _SIZE[1], {b"tRNS": bytes(6)}
    ),
    "BMP, palette": lambda: encode(_photo("P"), "BMP"),
    "BMP, 16 bit": lambda: bmp_of(
        bytes(2 * _SIZE[0] * _SIZE[1]), 16, width=_SIZE[0], height=_SIZE[1]
    ),
    "BMP, alpha": lambda: encode(_photo("RGBA"), "BMP"),
    "WebP, with a profile": lambda: encode(
        _photo(), "WEBP", lossless=False, method=0, icc_profile=b"x"
    ),
}


@pytest.fixture(scope="module")
def process() -> Iterator[ProcessPoolExecutor]:
    """A process of its own: what other tests have left in this one would be measured as well."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, fresh, initializer=limit_free_memory) as process:
        yield process


def _resident(line: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(row.split()[1] for row in status.splitlines() if row.startswith(line))) * 1024


def _grown_by(work: Callable[[], object]) -> int:
    """Bytes of memory that the work takes at its peak."""
    gc.collect()
    release_free_memory()
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident("VmRSS")
    work()
    return _resident("VmHWM") - before


def _measure(kind: str, min_side: int | None) -> tuple[int, int, int]:
    """What a decode takes, what its header says, and what stays counted; for the process."""
    encoded = KINDS[kind]()

    def work() -> None:
        decode(encoded, max_pixels=10**8, min_side=min_side)

    work()  # what is loaded once is no cost of it
    cost = decode_bytes(inspect(encoded, max_pixels=10**8), min_side)
    return _grown_by(work), cost, decode_memory.taken


def _measure_prefix_codes() -> tuple[int, int, int]:
    """The width decoded, what that took, and what the header says; for the process."""
    encoded = webp_of_prefix_codes(1024)
    cost = decode_bytes(inspect(encoded, max_pixels=10**8))
    widths: list[int] = []
    grown = _grown_by(lambda: widths.append(decode(encoded, max_pixels=10**8).width))
    return widths[0], grown, cost


@pytest.mark.parametrize("min_side", [None, 448], ids=["full scale", "for a model"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_decode_takes_no_more_memory_than_its_header_says(
    process: ProcessPoolExecutor, kind: str, min_side: int | None
):
    grown, cost, taken = process.submit(_measure, kind, min_side).result()
    assert grown < cost + _SLACK_MIB * _MIB
    if kind != "WebP, lossless":  # its tables are known only by decoding
        assert grown > cost / 3, "the estimate refuses what would fit"
    assert taken == 0


def test_the_prefix_codes_of_a_lossless_webp_are_counted(process: ProcessPoolExecutor):
    """They are 350 MiB here, in a file of 295 KB."""
    width, grown, cost = process.submit(_measure_prefix_codes).result()
    assert width == 1024
    assert 300 * _MIB < grown < cost + _SLACK_MIB * _MIB
