"""How long a body may take: the owner's time, the caller's if shorter, and a pace."""

import asyncio
import time

import pytest
from builders.asgi import Request
from builders.images import encode, noise
from conservation.house import house

from edge.web.pace import MIN_BYTES, Pace

IMAGE = encode(noise(60, 60), "PNG")


@pytest.fixture
def hasty(monkeypatch):
    """A gap of a fifth of a second."""
    monkeypatch.setattr("edge.web.pace.GAP_S", 0.2)


async def outcome(request: Request) -> tuple[int, float]:
    began = time.monotonic()
    await request.ended()
    return request.status, time.monotonic() - began


def test_a_caller_cannot_lengthen_the_time_of_its_body(tmp_path):
    async def story():
        async with house(tmp_path, deadline_ms=200) as one:
            status, seconds = await outcome(
                Request(one.app, "/predict?deadline_ms=600000", {"content-length": "1000"})
            )
            assert status == 408
            assert seconds < 4

    asyncio.run(story())


def test_a_body_that_trickles_is_cut_after_the_gap(tmp_path, hasty):
    async def story():
        async with house(tmp_path, deadline_ms=20_000) as one:
            request = Request(one.app, "/predict", {"content-length": "50000"})
            task = asyncio.create_task(outcome(request))
            while not task.done():
                request.body(b"x", more=True)
                await asyncio.sleep(0.02)
            status, seconds = await task
            assert status == 408
            assert seconds < 5
            assert b"5,120 bytes" in request.content

    asyncio.run(story())


def test_a_body_that_goes_on_is_answered_though_it_takes_several_gaps(tmp_path, hasty):
    image = IMAGE + bytes(8 * MIN_BYTES)

    async def story():
        async with house(tmp_path, deadline_ms=20_000, max_body_bytes=1 << 20) as one:
            request = Request(one.app, "/predict", {"content-length": str(len(image))})
            for start in range(0, len(image), MIN_BYTES):
                request.body(image[start : start + MIN_BYTES], more=start + MIN_BYTES < len(image))
                await asyncio.sleep(0.08)
            assert (await outcome(request))[0] == 200

    asyncio.run(story())


def test_the_pace_counts_bytes_since_the_last_progress():
    pace = Pace(0.0)
    assert not pace.add(MIN_BYTES - 1, 1.0)
    assert pace.limit == 5.0
    assert pace.add(1, 2.0)
    assert pace.limit == 7.0
    assert not pace.add(1, 3.0)
