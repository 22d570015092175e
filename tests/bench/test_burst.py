"""What a burst of large images leaves behind, seen with the bench's own tools."""

from __future__ import annotations

import platform

import pytest
from builders.waiting import wait

from edge.bench import load
from edge.bench.entrances import Entrance, make_traffic
from edge.bench.frames import TELEPHONE, WEBCAM, make_frames
from edge.bench.procfs import memory
from edge.bench.server import running


@pytest.mark.slow
@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc is told to give memory back"
)
def test_the_memory_of_a_burst_is_given_back():
    frames = make_frames()
    with running(["--workers", "2", "--log-level", "warning"], frames[WEBCAM][0]) as server:
        before = memory(server.target.pid).rss_mib
        traffic = make_traffic(Entrance.RAW, "localhost", "imagenet", frames[TELEPHONE])
        point = load.measure(server.target, traffic, 60, 0.1, 1.0)
        at_its_end = memory(server.target.pid).rss_mib
        wait(
            lambda: memory(server.target.pid).rss_mib < before + (at_its_end - before) / 2,
            seconds=10,
        )
    assert point.statuses == {200: point.answered}
    assert at_its_end > before + 40, "the burst left nothing that could be given back"
