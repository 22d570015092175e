"""The memory of pictures: one that never fits is refused, one that does not fit now waits."""

import gc
import threading
import time

import pytest
from builders.bombs import webp_of_one_colour
from builders.images import encode, quadrants
from PIL import Image

from edge.errors import ImageTooLarge, OutOfMemory
from edge.vision import decode as decoding
from edge.vision.decode import decode
from edge.vision.decode_memory import SMALL_BYTES, DecodeMemory, decode_memory
from edge.vision.graph_input import for_graph

MIB = 1 << 20


def test_what_never_fits_is_refused_and_what_fits_is_taken():
    memory = DecodeMemory(100 * MIB)
    lease = memory.take(100 * MIB)
    assert memory.taken == 100 * MIB
    lease.end()
    assert memory.taken == 0
    with pytest.raises(ImageTooLarge, match=r"up to 101 MiB.*100"):
        memory.take(100 * MIB + 1)


def test_what_does_not_fit_now_waits_for_its_turn():
    memory = DecodeMemory(100 * MIB)
    first = memory.take(60 * MIB)
    threading.Timer(0.2, first.shrink, [20 * MIB]).start()
    began = time.monotonic()
    memory.take(80 * MIB, deadline=time.monotonic() + 30)
    assert time.monotonic() - began > 0.1
    assert memory.taken == 100 * MIB


def test_what_waits_too_long_is_refused_for_now():
    memory = DecodeMemory(100 * MIB)
    memory.take(60 * MIB)
    with pytest.raises(OutOfMemory, match=r"up to 41 MiB.*60 of 100"):
        memory.take(41 * MIB, deadline=time.monotonic() + 0.01)


def test_small_pictures_never_wait():
    memory = DecodeMemory(100 * MIB)
    memory.take(100 * MIB)
    memory.take(SMALL_BYTES, deadline=0.0)
    with pytest.raises(OutOfMemory):
        memory.take(SMALL_BYTES + 1, deadline=0.0)


def test_the_memory_of_a_frame_is_taken_until_the_frame_is_gone():
    encoded = encode(quadrants(2400, 2000), "PNG", compress_level=1)
    frame = decode(encoded, max_pixels=10**8)
    assert decode_memory.taken == 2400 * 2000 * 4
    pixels = frame.pixels
    del frame
    assert decode_memory.taken == 2400 * 2000 * 4
    del pixels
    gc.collect()
    assert decode_memory.taken == 0


def test_what_a_graph_will_decode_is_taken_until_it_has():
    given = for_graph(encode(quadrants(2400, 2000), "JPEG"), max_pixels=10**8)
    assert decode_memory.taken == 2400 * 2000 * 28
    del given
    assert decode_memory.taken == 0


def test_a_picture_that_cannot_be_decoded_gives_its_memory_back():
    encoded = encode(quadrants(2400, 2000), "PNG", compress_level=1)
    with pytest.raises(Exception, match="truncated"):
        decode(encoded[:-200], max_pixels=10**8)
    assert decode_memory.taken == 0


def test_34_bytes_of_webp_are_refused_before_their_canvas_is_made(monkeypatch):
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("opened"))
    with pytest.raises(ImageTooLarge, match="MiB"):
        decode(webp_of_one_colour(7000, 7000), max_pixels=50_000_000)


@pytest.mark.parametrize("stage", ["open", "load", "convert"])
def test_no_memory_is_no_fault_of_the_image(monkeypatch, stage):
    def fail(*_, **__):
        raise MemoryError

    encoded = encode(quadrants().convert("P"), "PNG")
    if stage == "open":
        monkeypatch.setattr(Image, "open", fail)
    elif stage == "load":
        monkeypatch.setattr(decoding.PngImagePlugin.PngImageFile, "load", fail)
    else:
        monkeypatch.setattr(decoding, "to_rgb", fail)
    with pytest.raises(OutOfMemory, match="no memory"):
        decode(encoded, max_pixels=10**6)


def test_a_large_frame_waits_until_its_deadline_and_not_longer():
    encoded = encode(quadrants(2400, 2000), "PNG", compress_level=1)
    lease = decode_memory.take(decode_memory.max_bytes)
    began = time.monotonic()
    with pytest.raises(OutOfMemory):
        decode(encoded, max_pixels=10**8, deadline=began + 0.2)
    assert time.monotonic() - began < 1.5
    threading.Timer(0.2, lease.end).start()
    assert decode(encoded, max_pixels=10**8, deadline=float("inf")).width == 2400


def test_the_small_pictures_of_all_workers_take_a_fourth_of_the_budget_at_most():
    memory = DecodeMemory()
    memory.limit(64 * MIB, 4)
    memory.take(64 * MIB)
    memory.take(4 * MIB, deadline=0.0)
    with pytest.raises(OutOfMemory):
        memory.take(4 * MIB + 1, deadline=0.0)
    memory.limit(4096 * MIB, 4)
    assert memory.small_bytes == SMALL_BYTES
