"""Images with random changes are read, or refused as the client's fault; nothing else happens."""

import time
from contextlib import suppress

import pytest
from builders.bombs import READ, bmp_of_runs, jpeg_of_scans, tiff_tiles, webp_of_chunks
from builders.images import FORMATS, encode, noise, turned
from builders.pictures import PICTURES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from edge.errors import RequestError
from edge.vision.decode import decode
from edge.vision.graph_input import for_graph

LIMIT = 1_000_000

_CPU_S = 2.0
"""CPU seconds for three decodes of a small file, whatever its header says up to `LIMIT` pixels."""

SEEDS = [encode(noise(24, 16), name) for name in FORMATS]
SEEDS += [turned(6, name) for name in ("JPEG", "PNG", "WEBP", "TIFF")]
SEEDS += [
    encode(noise(24, 16).convert("CMYK"), "JPEG"),
    encode(noise(24, 16).convert("RGBA"), "PNG"),
    encode(noise(24, 16).convert("P"), "PNG", transparency=3),
    encode(Image.new("I;16", (24, 16), 700), "PNG"),
    encode(noise(24, 16), "JPEG", progressive=True),
    encode(noise(24, 16).convert("RGBA"), "WEBP", lossless=False),
    encode(noise(24, 16), "TIFF", compression="tiff_lzw"),
    encode(noise(24, 16), "TIFF", compression="tiff_deflate"),
    encode(noise(24, 16), "TIFF", compression="jpeg"),
    encode(noise(24, 16), "GIF", save_all=True, append_images=[noise(24, 16, 8)]),
]

SEEDS += [build() for build in READ.values() if len(build()) < 100_000]
SEEDS += [jpeg_of_scans(20, 64, 48), bmp_of_runs(64, 48, b"\x40\x07\0\0" * 48)]
SEEDS += [webp_of_chunks(20), tiff_tiles(64, 48, 16, 12, 8)]

SEEDS += [
    picture.build()
    for name in ("BMP", "TIFF", "GIF", "WebP")
    for picture in PICTURES[name].values()
    if picture.shown is not None
]

changes = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=12
)
early = st.lists(st.tuples(st.floats(0, 0.1), st.integers(0, 255)), min_size=1, max_size=6)


def mutated(seed: bytes, edits: list[tuple[float, int]], keep: float) -> bytes:
    data = bytearray(seed)
    for place, value in edits:
        data[int(place * len(data))] = value
    return bytes(data[: int(keep * len(data)) + 1])


@pytest.mark.slow
@settings(max_examples=2500, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.sampled_from(SEEDS), edits=changes | early, keep=st.just(1.0) | st.floats(0.1, 1))
def test_a_mutated_image_is_read_or_refused_as_the_callers_fault(seed, edits, keep):
    _read(mutated(seed, edits, keep), twin=seed)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.sampled_from(SEEDS), edits=changes | early, keep=st.just(1.0) | st.floats(0.1, 1))
def test_a_few_mutated_images_are_read_or_refused_as_the_callers_fault(seed, edits, keep):
    _read(mutated(seed, edits, keep), twin=seed)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(SEEDS))
def test_random_bytes_behind_a_signature_are_the_callers_fault(body, seed):
    _read(seed[:12] + body, twin=seed)


def _read(encoded: bytes, twin: bytes) -> None:
    """Read the image or refuse it; the unchanged twin must be read, or refusing all would pass."""
    began = time.thread_time()
    _read_all(encoded, twin)
    assert time.thread_time() - began < _CPU_S


def _read_all(encoded: bytes, twin: bytes) -> None:
    for work in (
        lambda image: decode(image, max_pixels=LIMIT),
        lambda image: decode(image, max_pixels=LIMIT, min_side=8),
        lambda image: for_graph(image, max_pixels=LIMIT),
    ):
        with suppress(RequestError):
            work(encoded)
        read = work(twin)
        assert {read.width, read.height} in ({24, 16}, {64, 48}, {40, 24}, {50, 30}, {8})
