"""Setting the machine's clock, while the service runs or is stopped, loses no frame and no budget.

The clock is Debian's libfaketime preloaded into the process. It sets the wall clock alone, as a
person or NTP does.
"""

from __future__ import annotations

import urllib.request
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

MODEL = {"default_model": "imagenet", "cloud_mode": "low_confidence", "cloud_threshold": 0.6}
LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)

# libfaketime 0.9.10 fails `clock_nanosleep` with EINVAL where the monotonic clock is the real one,
# and `time.sleep` calls that. Python imports this module at its start.
SITE_CUSTOMIZE = """
import threading
import time

time.sleep = lambda seconds: threading.Event().wait(seconds)
"""


@pytest.fixture
def clock(tmp_path):
    """A prefix for commands, and a function that sets the wall clock of what runs under it."""
    if LIBRARY is None:
        pytest.skip("Debian's package faketime is not here")
    file = tmp_path / "clock"
    (tmp_path / "sitecustomize.py").write_text(SITE_CUSTOMIZE)
    names = {
        "PYTHONPATH": tmp_path,
        "LD_PRELOAD": LIBRARY,
        "FAKETIME_TIMESTAMP_FILE": file,
        "FAKETIME_NO_CACHE": 1,
        "FAKETIME_DONT_FAKE_MONOTONIC": 1,
        "NO_FAKE_STAT": 1,
    }
    file.write_text("+0")
    return ["env", *(f"{name}={value}" for name, value in names.items())], file.write_text


def year(server):
    with urllib.request.urlopen(f"{server.url}/health/live") as reply:
        return parsedate_to_datetime(reply.headers["date"]).year


def kept(server):
    return {entry["key"] for entry in server.get("/outbox")["entries"]}


@pytest.mark.slow
def test_a_clock_set_back_ten_years_and_forward_one_loses_nothing_and_renews_no_budget(
    serve, cloud, vertex, frames, photo, clock, tmp_path
):
    prefix, set_to = clock
    settings = {
        **MODEL,
        **cloud,
        "cloud_calls_per_day": 1,
        "outbox_dir": tmp_path / "outbox",
        "outbox_ack_ms": 2000,
    }
    vertex.behave()
    with serve(*prefix, **settings) as server:
        server.link_is("up")
        today = year(server)
        assert server.post(photo)["source"] == "cloud"  # the one call of the day
        for frame in frames(3):
            assert server.post(frame)["blocked_by"] == "budget_spent"
        before = kept(server)
        assert len(before) == 3
        for jump, then in (("-10y", today - 10), ("+1y", today + 1)):
            set_to(jump)
            server.wait(lambda then=then: year(server) == then)
            assert server.post(photo)["blocked_by"] == "budget_spent"
            assert kept(server) >= before
    for jump in ("-10y", "+1y"):
        set_to(jump)
        with serve(*prefix, **settings) as server:
            server.link_is("up")
            assert server.post(photo)["blocked_by"] == "budget_spent"
            assert kept(server) >= before
            assert server.get("/fallback")["outbox"]["resolved"] == 0
