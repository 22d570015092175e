"""However calls end: afterwards slots, tasks, threads, connections and probes are as before."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading

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
    wait_half_open,
)
from builders.waiting import wait

from edge.errors import (
    CloudMisconfigured,
    CloudNonsense,
    CloudNotAsked,
    CloudRefused,
    CloudUnreachable,
)
from edge.fallback.budget import Limits
from edge.fallback.budget_file import BudgetFile
from edge.fallback.policy import BlockedBy, LinkState

MOST = 4

ENDINGS = {
    "answered": ANSWER,
    "refused": CloudRefused("this frame"),
    "cannot be sent": CloudNotAsked("this frame"),
    "busy": CloudUnreachable("busy"),
    "timed out": CloudUnreachable("late", costly=True),
    "wrong key": CloudMisconfigured("key"),
    "nonsense": CloudNonsense("what"),
    "crash of the client": ZeroDivisionError("ours"),
    "its channel closed": asyncio.CancelledError(),
    "cancelled by its caller": hangs,
}
SAYS_NOTHING = {"cannot be sent", "its channel closed", "cancelled by its caller"}
SAYS_WELL = {"answered", "refused"}


def tasks(link):
    async def count():
        return len(asyncio.all_tasks()) - 1  # but this one

    return asyncio.run_coroutine_threadsafe(count(), link._loop).result(10)


def end(link, cloud, outcome):
    """One call that ends so."""
    made = len(cloud.calls)
    call = link.submit(ASKED, 1.0)
    wait(lambda: len(cloud.calls) == made + 1)
    if outcome is hangs:
        call.cancel()
    concurrent.futures.wait([call], 10)
    assert call.done()
    wait(lambda: link.status().as_json()["calls_under_way"] == 0)


@pytest.mark.parametrize("name", ENDINGS)
def test_after_many_calls_that_end_so_the_link_is_as_before(name, tmp_path):
    cloud, clock = Cloud(), HandClock()
    budget_file = BudgetFile(tmp_path / "budget.json", clock.reading)
    with linked(
        cloud, clock, limits=Limits(calls_per_day=999), budget_file=budget_file, max_calls=MOST
    ) as link:
        before = tasks(link), set(threading.enumerate())
        for _ in range(MOST + 1):
            while link.state is not LinkState.UP:
                wait_half_open(link, clock)
                cloud.usual = ANSWER
                assert ask(link) is ANSWER
            cloud.usual = ENDINGS[name]
            end(link, cloud, ENDINGS[name])
        cloud.usual = ANSWER
        if link.state is not LinkState.UP:
            wait_half_open(link, clock)
        assert ask(link) is ANSWER
        assert link.state is LinkState.UP
        wait(lambda: tasks(link) == before[0] and set(threading.enumerate()) <= before[1])
        assert len(cloud.open) == 1
        assert link.status().as_json()["budget"]["calls_today"] == len(cloud.calls)
        all_places_are_free(link, cloud)
    assert cloud.open == []


def all_places_are_free(link, cloud):
    """Exactly so many calls may be under way, and the next one is neither made nor counted."""
    cloud.usual = hangs
    counted, made = link.status().as_json()["budget"]["calls_today"], len(cloud.calls)
    calls = [link.submit(ASKED, 600.0) for _ in range(MOST)]
    assert link.blocked_by is BlockedBy.BUSY
    for _ in range(3):
        assert link.submit(ASKED, 600.0) is BlockedBy.BUSY
    wait(lambda: len(cloud.calls) == made + MOST)
    assert link.status().as_json()["calls_under_way"] == MOST
    assert link.status().as_json()["budget"]["calls_today"] == counted + MOST
    for call in calls:
        call.cancel()
    wait(lambda: link.blocked_by is None)


@pytest.mark.parametrize("name", ENDINGS)
def test_the_one_half_open_call_closes_or_opens_the_breaker_or_leaves_the_probe_to_another(name):
    cloud, clock = Cloud(), HandClock()
    with linked(cloud, clock) as link:
        cloud.script = [CloudUnreachable("gone", costly=True)]
        ask(link)
        for _ in range(2):
            if link.state is LinkState.DOWN:
                wait_half_open(link, clock)
            cloud.script = [ENDINGS[name]]
            end(link, cloud, ENDINGS[name])
            if name in SAYS_NOTHING:
                wait(lambda: link.state is LinkState.HALF_OPEN)
            elif name in SAYS_WELL:
                assert link.state is LinkState.UP
            else:
                assert link.state is LinkState.DOWN
                assert link.calls.breaker.wait_s(clock.now) == pytest.approx(BACKOFF_S)


def test_half_open_allows_one_call_and_meanwhile_the_link_is_down_for_others():
    cloud, clock = Cloud(), HandClock()
    with linked(cloud, clock) as link:
        cloud.script = [CloudUnreachable("gone", costly=True), hangs]
        ask(link)
        wait_half_open(link, clock)
        first = link.submit(ASKED, 600.0)
        assert link.state is LinkState.DOWN
        for _ in range(3):
            assert link.submit(ASKED, 1.0) is BlockedBy.LINK_DOWN
        wait(lambda: len(cloud.calls) == 2)
        first.cancel()
        wait(lambda: link.state is LinkState.HALF_OPEN)
        assert ask(link) is ANSWER
        assert len(cloud.calls) == 3


@pytest.mark.parametrize(
    "error",
    [CloudUnreachable("late", costly=True), CloudNotAsked("frame"), ANSWER],
    ids=["failed", "not asked", "answered"],
)
def test_a_call_from_before_an_outage_does_not_end_the_probe_after_it(error):
    """It frees no second probe and does not open the breaker again; an answer closes it."""
    cloud, clock, release = Cloud(), HandClock(), threading.Event()

    async def late(_):
        await asyncio.to_thread(release.wait, 60)
        return error

    with linked(cloud, clock) as link:
        cloud.script = [late, CloudUnreachable("gone", costly=True), hangs]
        old = link.submit(ASKED, 600.0)
        wait(lambda: len(cloud.calls) == 1)
        ask(link)
        wait_half_open(link, clock)
        trial = link.submit(ASKED, 600.0)
        wait(lambda: len(cloud.calls) == 3)
        release.set()
        concurrent.futures.wait([old], 10)
        assert old.done()
        assert link.state is (LinkState.UP if error is ANSWER else LinkState.DOWN)
        assert link.calls.breaker.state == ("closed" if error is ANSWER else "half_open")
        trial.cancel()
        wait(lambda: link.status().as_json()["calls_under_way"] == 0)


def test_of_many_callers_at_once_as_many_get_through_as_there_are_slots(tmp_path):
    cloud = Cloud()
    cloud.usual = hangs
    barrier, taken, refused = threading.Barrier(16), [], []

    def call(link):
        barrier.wait()
        for _ in range(8):
            submitted = link.submit(ASKED, 600.0)
            if isinstance(submitted, BlockedBy):
                refused.append(submitted)
            else:
                taken.append(submitted)

    budget_file = BudgetFile(tmp_path / "budget.json")
    with linked(
        cloud, limits=Limits(calls_per_day=999), budget_file=budget_file, max_calls=MOST
    ) as link:
        callers = [threading.Thread(target=call, args=[link]) for _ in range(16)]
        for one in callers:
            one.start()
        for one in callers:
            one.join()
        assert (len(taken), len(refused)) == (MOST, 16 * 8 - MOST)
        assert set(refused) == {BlockedBy.BUSY}
        assert link.status().as_json()["budget"]["calls_today"] == MOST
    wait(lambda: all(one.cancelled() for one in taken))
    wait(lambda: link.status().as_json()["calls_under_way"] == 0)
