"""However calls end, and however many: afterwards places, tasks, threads, connections and trials are as before."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading

import pytest
from builders.cloud import ANSWER, ASKED, BACKOFF_S, Cloud, HandClock, ask, hangs, linked, tried
from builders.waiting import wait

from edge.errors import (
    CloudError,
    CloudMisconfigured,
    CloudNonsense,
    CloudNotAsked,
    CloudRefused,
    CloudUnreachable,
)
from edge.fallback.budget import Limits
from edge.fallback.ledger import Ledger
from edge.fallback.policy import Hindrance, LinkState

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
    call = link.ask(ASKED, 1.0)
    wait(lambda: len(cloud.calls) == made + 1)
    if outcome is hangs:
        call.cancel()
    concurrent.futures.wait([call], 10)
    assert call.done()
    wait(lambda: link.status()["calls_under_way"] == 0)


@pytest.mark.parametrize("name", ENDINGS)
def test_after_many_calls_that_end_so_the_link_is_as_before(name, tmp_path):
    cloud, clock = Cloud(), HandClock()
    ledger = Ledger(tmp_path / "budget.json", clock.reading)
    with linked(cloud, clock, limits=Limits(calls_per_day=999), ledger=ledger, most_calls=MOST) as link:
        before = tasks(link), set(threading.enumerate())
        for _ in range(MOST + 1):
            while link.state is not LinkState.UP:
                tried(link, clock)
                cloud.usual = ANSWER
                assert ask(link) is ANSWER
            cloud.usual = ENDINGS[name]
            end(link, cloud, ENDINGS[name])
        cloud.usual = ANSWER
        if link.state is not LinkState.UP:
            tried(link, clock)
        assert ask(link) is ANSWER
        assert link.state is LinkState.UP
        wait(lambda: tasks(link) == before[0] and set(threading.enumerate()) <= before[1])
        assert len(cloud.open) == 1
        assert link.status()["budget"]["calls_today"] == len(cloud.calls)
        all_places_are_free(link, cloud)
    assert cloud.open == []


def all_places_are_free(link, cloud):
    """Exactly so many calls may be under way, and the next one is neither made nor counted."""
    cloud.usual = hangs
    counted, made = link.status()["budget"]["calls_today"], len(cloud.calls)
    calls = [link.ask(ASKED, 600.0) for _ in range(MOST)]
    assert link.hindrance is Hindrance.BUSY
    for _ in range(3):
        with pytest.raises(CloudUnreachable, match="busy"):
            link.ask(ASKED, 600.0)
    wait(lambda: len(cloud.calls) == made + MOST)
    assert link.status()["calls_under_way"] == MOST
    assert link.status()["budget"]["calls_today"] == counted + MOST
    for call in calls:
        call.cancel()
    wait(lambda: link.hindrance is None)


@pytest.mark.parametrize("name", ENDINGS)
def test_the_one_call_of_a_trial_says_how_the_cloud_is_or_leaves_the_trial_to_another(name):
    cloud, clock = Cloud(), HandClock()
    with linked(cloud, clock) as link:
        cloud.told = [CloudUnreachable("gone", costly=True)]
        ask(link)
        for _ in range(2):
            if link.state is LinkState.DOWN:
                tried(link, clock)
            cloud.told = [ENDINGS[name]]
            end(link, cloud, ENDINGS[name])
            if name in SAYS_NOTHING:
                wait(lambda: link.state is LinkState.TRIAL)
            elif name in SAYS_WELL:
                assert link.state is LinkState.UP
            else:
                assert link.state is LinkState.DOWN
                assert link.breaker.wait_s(clock.now) == pytest.approx(BACKOFF_S)


def test_a_trial_is_one_call_and_who_comes_meanwhile_is_told_that_there_is_no_link():
    cloud, clock = Cloud(), HandClock()
    with linked(cloud, clock) as link:
        cloud.told = [CloudUnreachable("gone", costly=True), hangs]
        ask(link)
        tried(link, clock)
        first = link.ask(ASKED, 600.0)
        assert link.state is LinkState.DOWN
        for _ in range(3):
            with pytest.raises(CloudUnreachable, match="no link"):
                link.ask(ASKED, 1.0)
        wait(lambda: len(cloud.calls) == 2)
        first.cancel()
        wait(lambda: link.state is LinkState.TRIAL)
        assert ask(link) is ANSWER
        assert len(cloud.calls) == 3


@pytest.mark.parametrize(
    "error",
    [CloudUnreachable("late", costly=True), CloudNotAsked("frame"), ANSWER],
    ids=["failed", "not asked", "answered"],
)
def test_a_call_of_before_the_outage_does_not_end_the_trial_of_after(error):
    """It neither frees the trial for a second call nor opens the breaker again; an answer shows that all is well."""
    cloud, clock, release = Cloud(), HandClock(), threading.Event()

    async def late(_):
        await asyncio.to_thread(release.wait, 60)
        return error

    with linked(cloud, clock) as link:
        cloud.told = [late, CloudUnreachable("gone", costly=True), hangs]
        old = link.ask(ASKED, 600.0)
        wait(lambda: len(cloud.calls) == 1)
        ask(link)
        tried(link, clock)
        trial = link.ask(ASKED, 600.0)
        wait(lambda: len(cloud.calls) == 3)
        release.set()
        concurrent.futures.wait([old], 10)
        assert old.done()
        assert link.state is (LinkState.UP if error is ANSWER else LinkState.DOWN)
        assert link.breaker.state == ("closed" if error is ANSWER else "half_open")
        trial.cancel()
        wait(lambda: link.status()["calls_under_way"] == 0)


def test_of_many_callers_at_once_as_many_are_taken_as_there_are_places(tmp_path):
    cloud = Cloud()
    cloud.usual = hangs
    barrier, taken, refused = threading.Barrier(16), [], []

    def call(link):
        barrier.wait()
        for _ in range(8):
            try:
                taken.append(link.ask(ASKED, 600.0))
            except CloudError as error:
                refused.append(error)

    ledger = Ledger(tmp_path / "budget.json")
    with linked(cloud, limits=Limits(calls_per_day=999), ledger=ledger, most_calls=MOST) as link:
        callers = [threading.Thread(target=call, args=[link]) for _ in range(16)]
        for one in callers:
            one.start()
        for one in callers:
            one.join()
        assert (len(taken), len(refused)) == (MOST, 16 * 8 - MOST)
        assert link.status()["budget"]["calls_today"] == MOST
    wait(lambda: all(one.cancelled() for one in taken))
    assert link.status()["calls_under_way"] == 0
