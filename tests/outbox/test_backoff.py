"""How long an entry waits after a failure: never shorter, never longer than promised."""

from __future__ import annotations

import asyncio

import pytest
from builders.outbox import Cloud, entry, keep

from edge.errors import CloudNotAsked, CloudRefused, CloudUnreachable
from edge.outbox.entry import State
from edge.outbox.forwarder import MOST_ATTEMPTS, Forwarder, wait_s


@pytest.mark.parametrize("attempt", [1, 2, 3, 4, 5, 8, 11, 12, 13, 40, 5_000])
def test_waits_double_up_to_an_hour_and_differ(attempt):
    full = min(2.0**attempt, 3_600) if attempt < 50 else 3_600
    waits = [wait_s(attempt) for _ in range(200)]
    assert full / 2 <= min(waits) < full * 0.6
    assert full * 0.9 < max(waits) <= full


def step(forwarder):
    return asyncio.run(forwarder.step())


def asked_after(outbox, clocks, forwarder, cloud, shortest, longest):
    """One failure: the entry is not asked about before the shortest wait is over, and is after the longest."""
    times = len(cloud.asked)
    assert step(forwarder)
    assert len(cloud.asked) == times + 1
    clocks.pass_by(shortest * 0.99)
    assert not step(forwarder)
    clocks.pass_by(longest * 1.01 - shortest * 0.99)


@pytest.mark.parametrize("error", [CloudRefused("no"), CloudNotAsked("too large"), ZeroDivisionError()])
def test_a_frame_at_fault_waits_twice_as_long_each_time_and_is_set_aside_with_the_last(timed, clocks, error):
    (key,) = keep(timed, "a")
    cloud = Cloud(a=error)
    forwarder = Forwarder(timed, cloud)
    for attempt in range(1, MOST_ATTEMPTS + 1):
        assert (entry(timed, key).state, entry(timed, key).attempts) == (State.WAITING, attempt - 1)
        try:
            step(forwarder)
        except ZeroDivisionError:
            assert isinstance(error, ZeroDivisionError)
        assert len(cloud.asked) == attempt
        assert entry(timed, key).attempts == attempt
        clocks.pass_by(0.99 * 2 ** (attempt - 1))
        step(forwarder)
        assert len(cloud.asked) == attempt, "sooner than half the wait"
        clocks.pass_by(1.02 * 2**attempt)
    assert entry(timed, key).state is State.SET_ASIDE
    clocks.pass_by(86_400)
    assert not step(forwarder)
    assert len(cloud.asked) == MOST_ATTEMPTS == 5


def test_while_the_link_is_down_an_entry_waits_a_minute_at_most_and_its_attempts_do_not_count(timed, clocks):
    (key,) = keep(timed, "a")
    cloud = Cloud(a=CloudUnreachable("busy"))
    forwarder = Forwarder(timed, cloud)
    for shortest, longest in [(1, 2), (2, 4), (4, 8), (8, 16), (16, 32), (32, 60), (60, 60), (60, 60), (60, 60)]:
        asked_after(timed, clocks, forwarder, cloud, shortest, longest)
        assert (entry(timed, key).attempts, entry(timed, key).fault) == (0, "busy")
    cloud.answers["a"] = CloudRefused("no")  # its own fault now: it need not come back within the minute
    assert step(forwarder)
    clocks.pass_by(511)
    assert not step(forwarder)
    clocks.pass_by(514)
    assert step(forwarder)
    assert entry(timed, key).attempts == 2


def test_an_entry_that_is_retried_has_all_its_attempts_and_its_first_wait_again(timed, clocks):
    (key,) = keep(timed, "a")
    cloud = Cloud(a=CloudRefused("no"))
    forwarder = Forwarder(timed, cloud)
    for _ in range(MOST_ATTEMPTS):
        step(forwarder)
        clocks.pass_by(3_600)
    assert entry(timed, key).state is State.SET_ASIDE
    assert timed.change(lambda store: store.retry()).result(10) == 1
    assert (entry(timed, key).state, entry(timed, key).attempts) == (State.WAITING, 0)
    asked_after(timed, clocks, forwarder, cloud, 1, 2)
    for _ in range(MOST_ATTEMPTS - 1):
        assert step(forwarder)
        clocks.pass_by(3_600)
    assert entry(timed, key).state is State.SET_ASIDE
    assert len(cloud.asked) == 2 * MOST_ATTEMPTS


def test_an_entry_that_was_dropped_while_it_was_asked_about_is_forgotten(timed):
    (key,) = keep(timed, "a")

    class Dropped(Cloud):
        async def ask(self, entry, image):
            timed.change(lambda store: store.purge(keys=[entry.key])).result(10)
            raise CloudUnreachable("busy")

    forwarder = Forwarder(timed, Dropped())
    assert step(forwarder)
    assert forwarder._failures == {}
    assert entry(timed, key) is None


def test_what_fails_lets_the_others_go_before_it(timed, clocks):
    bad, *good = keep(timed, *"abc")
    cloud = Cloud(a=CloudRefused("no"))
    cloud.most = 1
    forwarder = Forwarder(timed, cloud)
    for _ in range(3):
        step(forwarder)
    assert cloud.asked == ["a", "b", "c"]
    assert {entry(timed, key).state for key in good} == {State.SETTLED}
    assert entry(timed, bad).state is State.WAITING
    clocks.pass_by(2.01)
    cloud.answers.clear()
    step(forwarder)
    assert (entry(timed, bad).state, entry(timed, bad).fault) == (State.SETTLED, None)


def test_a_step_says_whether_there_was_anything(timed):
    forwarder = Forwarder(timed, cloud := Cloud())
    assert not step(forwarder)
    keep(timed, "a")
    cloud.most = 0
    assert not step(forwarder)
    cloud.most = 1
    assert step(forwarder)
    assert not step(forwarder)
