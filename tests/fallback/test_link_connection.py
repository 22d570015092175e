"""How the link connects, is probed, reconnects and is stopped, on a clock moved by hand."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from builders.cloud import (
    ANSWER,
    ASKED,
    BACKOFF_S,
    Cloud,
    HandClock,
    ask,
    hangs,
    linked,
    make_link,
    wait_half_open,
)
from builders.waiting import wait

from edge.errors import CloudMisconfigured, CloudUnreachable
from edge.fallback.breaker import BreakerState
from edge.fallback.budget import Limits
from edge.fallback.budget_file import BudgetFile
from edge.fallback.policy import BlockedBy, LinkState

GONE = CloudUnreachable("gone", costly=True)


def backs_off(link, clock):
    """Whether the latest failure has been noted, so that the clock may go on."""
    return link.calls.breaker.wait_s(clock.now) > 0


def down(cloud, link):
    cloud.script = [GONE]
    ask(link)
    assert link.state is LinkState.DOWN


@pytest.mark.parametrize("probed", [True, False], ids=["probe", "connect"])
def test_a_first_connection_that_fails_is_tried_again_after_the_backoff_and_not_before(probed):
    cloud, clock = Cloud(), HandClock()
    cloud.reachable, attempts = False, []

    def connect():
        attempts.append(clock.now)
        if not probed and not cloud.reachable:
            raise CloudMisconfigured("no credentials")
        return Cloud.connect(cloud)

    cloud.connect = connect
    link = make_link(cloud, clock)
    link.start()
    try:
        wait(lambda: link.calls.breaker.state is BreakerState.OPEN)
        assert link.calls.fault == ("nobody" if probed else "no credentials")
        clock.goes(BACKOFF_S * 0.95)
        clock.is_looked_at(8)
        assert (len(attempts), link.state) == (1, LinkState.DOWN)
        clock.goes(BACKOFF_S * 0.06)
        wait(lambda: len(attempts) == 2 and backs_off(link, clock))
        cloud.reachable = True
        clock.goes(BACKOFF_S)
        wait(lambda: link.state is LinkState.HALF_OPEN)
        assert link.calls.fault is None
        assert ask(link) is ANSWER
        assert link.state is LinkState.UP
        assert len(cloud.open) == 1
    finally:
        link.stop()
    assert cloud.open == []


def test_after_a_failure_nothing_is_called_or_probed_until_the_backoff_is_over():
    cloud, clock = Cloud(), HandClock()
    with linked(cloud, clock) as link:
        down(cloud, link)
        clock.goes(BACKOFF_S * 0.95)
        clock.is_looked_at(8)
        assert link.state is LinkState.DOWN
        assert ask(link) is BlockedBy.LINK_DOWN
        assert (len(cloud.calls), cloud.probes) == (1, 1)
        clock.goes(BACKOFF_S * 0.06)
        wait(lambda: link.state is LinkState.HALF_OPEN)
        assert cloud.probes == 2


def test_a_link_that_is_up_is_not_probed_again():
    cloud, clock = Cloud(), HandClock()
    with linked(cloud, clock):
        clock.goes(3600)
        clock.is_looked_at(8)
        assert (cloud.probes, len(cloud.connections)) == (1, 1)


def test_each_new_connection_closes_the_one_before():
    cloud, clock = Cloud(), HandClock()
    with linked(cloud, clock) as link:
        for number in range(1, 4):
            down(cloud, link)
            wait_half_open(link, clock)
            assert cloud.open == [number]
            assert ask(link) is ANSWER
    assert [one.closed for one in cloud.connections] == [1] * 4


def test_a_probe_that_fails_closes_its_connection_and_not_the_one_in_use():
    cloud, clock = Cloud(), HandClock()
    with linked(cloud, clock) as link:
        down(cloud, link)
        cloud.reachable = False
        for number in range(2, 5):
            clock.goes(BACKOFF_S)
            wait(lambda number=number: cloud.probes == number and backs_off(link, clock))
        wait(lambda: cloud.open == [0])
        assert link.state is LinkState.DOWN
        assert link.calls.fault == "nobody"
        cloud.reachable = True
        wait_half_open(link, clock)
        assert cloud.open == [4]


@pytest.mark.parametrize("where", ["connect", "probe", "close", "failed probe's close"])
def test_an_unexpected_error_ends_no_link(where):
    cloud, clock = Cloud(), HandClock()
    broken = threading.Event()

    async def close():
        if broken.is_set():
            raise ZeroDivisionError

    def connect():
        if broken.is_set() and where == "connect":
            raise ZeroDivisionError
        one = Cloud.connect(cloud)
        if broken.is_set() and where == "probe":
            one.probe = None
        return one

    cloud.close, cloud.connect = close, connect
    with linked(cloud, clock) as link:
        for _ in range(2):
            down(cloud, link)
            broken.set()
            cloud.reachable = where != "failed probe's close"
            clock.goes(BACKOFF_S)
            if where != "close":
                wait(lambda: backs_off(link, clock))
            broken.clear()
            cloud.reachable = True
            clock.goes(BACKOFF_S)
            wait(lambda: link.state is LinkState.HALF_OPEN)
            assert ask(link) is ANSWER


def test_a_budget_that_fails_in_an_unexpected_way_ends_no_link_either(tmp_path, caplog):
    class Broken(BudgetFile):
        faults = 2

        def save(self, spent):
            if self.faults:
                self.faults -= 1
                raise ZeroDivisionError
            super().save(spent)

    started = time.monotonic()
    with linked(
        Cloud(), limits=Limits(calls_per_day=9), budget_file=Broken(tmp_path / "budget.json")
    ) as link:
        assert isinstance(ask(link), CloudUnreachable)
        assert ask(link) is ANSWER
    assert 1.0 < time.monotonic() - started < 20  # it takes a breath, so that no log is filled
    assert "supervision of the link failed" in caplog.text


def test_stopping_gives_up_what_is_under_way_at_once_and_leaves_nothing_open():
    threads = set(threading.enumerate())
    cloud = Cloud()
    cloud.usual, work_ended = hangs, threading.Event()

    async def work():
        try:
            await asyncio.sleep(600)
        finally:
            work_ended.set()

    with linked(cloud) as link:
        link.run(work())
        calls = [link.submit(ASKED, 600.0) for _ in range(3)]
        wait(lambda: len(cloud.calls) == 3)
        began = time.monotonic()
    assert time.monotonic() - began < 1.5  # less than it would wait for who does not end
    assert not link._thread.is_alive()
    assert work_ended.is_set()
    assert all(call.cancelled() for call in calls)
    assert link.status().as_json()["calls_under_way"] == 0
    assert cloud.open == []
    wait(lambda: set(threading.enumerate()) <= threads)


def test_stopping_waits_a_little_and_no_longer_for_a_connection_that_does_not_close():
    cloud, may_close = Cloud(), threading.Event()

    async def close():
        await asyncio.to_thread(may_close.wait, 60)

    cloud.close = close
    with linked(cloud) as link:
        began = time.monotonic()
    took = time.monotonic() - began
    still = link._thread.is_alive()
    may_close.set()
    wait(lambda: not link._thread.is_alive())
    assert still
    assert 1.9 < took < 8


def test_what_is_spent_while_it_stops_is_written(tmp_path):
    file = tmp_path / "budget.json"
    clock = HandClock()
    with linked(
        Cloud(), clock, limits=Limits(calls_per_day=9), budget_file=BudgetFile(file, clock.reading)
    ) as link:
        ask(link)
        link.calls.budget.take(0)
    assert BudgetFile(file).spent.day.calls == 2
