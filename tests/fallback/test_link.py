"""The link with a client that does as it is told."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import threading
import weakref

import pytest
from builders.cloud import ANSWER, ASKED, BACKOFF_S, Cloud, HandClock, ask, linked, make_link, tried
from builders.waiting import wait

from edge.errors import (
    CloudError,
    CloudMisconfigured,
    CloudNonsense,
    CloudNotAsked,
    CloudRefused,
    CloudUnreachable,
)
from edge.fallback.breaker import BreakerState
from edge.fallback.budget import DAY_S, MONTH_S, Limits
from edge.fallback.cloud import CloudAnswer
from edge.fallback.ledger import Ledger
from edge.fallback.policy import Hindrance, LinkState


def test_a_call_that_its_own_channel_gives_up_is_an_error_and_says_nothing_of_the_cloud():
    cloud = Cloud()
    cloud.told = [asyncio.CancelledError()] * 5  # as gRPC raises where its channel is closed
    with linked(cloud) as link:
        assert {type(ask(link)) for _ in range(5)} == {CloudUnreachable}
        assert ask(link) is ANSWER
        assert link.breaker.closed


def test_work_beside_the_link_goes_on_though_a_call_was_given_up():
    cloud, seen = Cloud(), []
    cloud.told = [asyncio.CancelledError()]

    with linked(cloud) as link:

        async def work():
            for _ in range(2):
                try:
                    seen.append(await link.ask_here(ASKED, 1.0))
                except CloudError as error:
                    seen.append(error)

        link.run(work())
        wait(lambda: len(seen) == 2)
    assert isinstance(seen[0], CloudUnreachable)
    assert seen[1] is ANSWER


def test_work_beside_the_link_that_fails_is_told_and_leaves_nothing_behind(caplog):
    async def fails():
        raise ZeroDivisionError

    with linked(Cloud()) as link:
        works = [fails() for _ in range(3)]
        gone = [weakref.ref(work) for work in works]
        for work in works:
            link.run(work)
        del work, works
        wait(lambda: len(caplog.records) >= 3)
        caplog.clear()
        wait(lambda: gc.collect() is not None and not any(one() for one in gone))
        assert ask(link) is ANSWER


def test_the_error_that_ended_work_beside_the_link_is_in_the_log(caplog):
    async def fails():
        raise ZeroDivisionError

    with linked(Cloud()) as link:
        link.run(fails())
        wait(lambda: any(record.exc_info and record.exc_info[0] is ZeroDivisionError for record in caplog.records))


def test_work_beside_the_link_is_not_collected_while_nobody_else_holds_it():
    ended = threading.Event()

    async def waits_for_itself():
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    clock = HandClock()
    with linked(Cloud(), clock) as link:
        link.run(waits_for_itself())
        clock.is_looked_at(10)
        gc.collect()
        assert not ended.is_set()
    assert ended.is_set()


def test_a_frame_that_cannot_be_sent_is_no_evidence_of_the_cloud():
    cloud = Cloud()
    cloud.told = [CloudNotAsked("broken")] * 9
    with linked(cloud, failures=1) as link:
        for _ in range(9):
            ask(link)
        assert link.breaker.closed


def test_a_failure_from_before_the_breaker_opened_does_not_open_it_again():
    cloud, clock, late = Cloud(), HandClock(), asyncio.Event()

    async def fails_late(_):
        await late.wait()
        return CloudUnreachable("too late", costly=True)

    cloud.told = [fails_late, CloudUnreachable("hangs", costly=True)]
    with linked(cloud, clock) as link:
        first = link.ask(ASKED, 30.0)
        wait(lambda: len(cloud.told) == 1)
        ask(link)
        assert link.breaker.state is BreakerState.OPEN
        tried(link, clock)
        assert ask(link) is ANSWER
        link._loop.call_soon_threadsafe(late.set)
        with pytest.raises(CloudUnreachable, match="too late"):
            first.result(10)
        assert link.breaker.closed


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (CloudUnreachable("out of time", costly=True), 1),
        (CloudMisconfigured("wrong"), 1),
        (CloudUnreachable("busy"), 3),
        (CloudNonsense("what"), 3),
        (ZeroDivisionError("ours"), 3),
        (CloudRefused("this frame"), None),
        (CloudNotAsked("this frame"), None),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else str(one),
)
def test_so_many_failures_of_a_kind_leave_the_cloud_alone(error, calls):
    cloud, clock = Cloud(), HandClock()
    cloud.usual = error
    with linked(cloud, clock) as link:
        for _ in range((calls or 9) - 1):
            ask(link)
        assert link.state is LinkState.UP
        ask(link)
        assert link.state is (LinkState.UP if calls is None else LinkState.DOWN)


def test_a_call_with_less_time_than_answers_take_does_not_take_the_cloud_from_others():
    cloud = Cloud()
    cloud.told = [CloudAnswer(ANSWER.prediction, (), "far", 200.0), *[CloudUnreachable("late", costly=True)] * 2]
    with linked(cloud) as link:
        ask(link)
        ask(link, 0.1)
        assert link.state is LinkState.UP
        ask(link, 0.3)
        assert link.state is LinkState.DOWN


def test_a_link_that_has_ended_is_told_as_unreachable_and_counts_nothing():
    with linked(Cloud()) as link:
        ask(link)
    assert link.state is LinkState.DOWN
    for _ in range(20):
        assert isinstance(ask(link), CloudUnreachable)
    assert link.status()["calls_under_way"] == 0
    assert link.status()["budget"]["calls_today"] == 1


def test_a_link_that_was_never_started_and_one_that_was_stopped_are_stopped_again_without_harm():
    link = make_link(Cloud(), HandClock())
    link.stop()
    with linked(Cloud()) as started:
        pass
    started.stop()


def test_a_fault_and_a_refusal_are_told_until_the_cloud_answers_again():
    cloud = Cloud()
    with linked(cloud) as link:
        assert (link.fault, link.refusal) == (None, None)
        cloud.told = [CloudRefused("not this frame"), CloudUnreachable("busy now")]
        ask(link)
        assert (link.fault, link.refusal) == (None, "not this frame")
        ask(link)
        assert (link.fault, link.refusal) == ("busy now", "not this frame")
        ask(link)
        assert (link.fault, link.refusal) == (None, None)


def test_the_status_tells_what_is_counted_each_under_its_own_name(tmp_path):
    cloud, clock = Cloud(), HandClock()
    limits = Limits(0.5, calls_per_day=10, calls_per_month=20, cost_per_day=30.0, cost_per_month=40.0)
    with linked(cloud, clock, limits=limits, ledger=Ledger(tmp_path / "budget.json", clock.reading)) as link:
        ask(link)
        clock.goes(DAY_S)
        ask(link)
        ask(link)
        assert link.status()["budget"] == {
            "calls_today": 2,
            "calls_per_day": 10,
            "calls_this_month": 3,
            "calls_per_month": 20,
            "cost_today": 1.0,
            "cost_per_day": 30.0,
            "cost_this_month": 1.5,
            "cost_per_month": 40.0,
            "file_fault": None,
        }
        cloud.usual = CloudUnreachable("gone", costly=True)
        ask(link)
        status = link.status()
        assert (status["state"], status["breaker"], status["fault"]) == ("down", "open", "gone")
        clock.goes(BACKOFF_S / 2)
        assert link.status()["next_probe_s"] == BACKOFF_S / 2


def test_what_the_disk_takes_of_a_calls_time_is_not_given_to_the_cloud(tmp_path):
    cloud, clock = Cloud(), HandClock()

    class SlowDisk(Ledger):
        def save(self, spent):
            clock.goes(0.25)
            super().save(spent)

    with linked(cloud, clock, limits=Limits(calls_per_day=9), ledger=SlowDisk(tmp_path / "budget.json")) as link:
        assert ask(link, 1.0) is ANSWER
    ((_, seconds),) = cloud.calls
    assert seconds == pytest.approx(0.75)


def test_calls_and_repetitions_are_in_the_budgets_file_before_they_are_made(tmp_path):
    file, seen = tmp_path / "budget.json", []

    def kept():
        return json.loads(file.read_text())["spent"]["day"]["calls"]

    async def repeats(before_retry):
        seen.append(kept())
        while await before_retry():
            seen.append(kept())
        return ANSWER

    cloud = Cloud()
    cloud.usual = repeats
    with linked(cloud, limits=Limits(calls_per_day=3), ledger=Ledger(file)) as link:
        assert ask(link) is ANSWER
        assert link.hindrance is Hindrance.BUDGET_SPENT
        assert isinstance(ask(link), CloudUnreachable)
    assert seen == [1, 2, 3]
    assert kept() == 3


def test_a_budget_that_cannot_be_written_still_ends_the_spending(tmp_path):
    (tmp_path / "folder").write_text("in its way")
    cloud = Cloud()
    ledger = Ledger(tmp_path / "folder" / "budget.json")
    with linked(cloud, limits=Limits(calls_per_day=2), ledger=ledger) as link:
        outcomes = [ask(link) for _ in range(4)]
        assert outcomes[:2] == [ANSWER, ANSWER]
        assert {type(one) for one in outcomes[2:]} == {CloudUnreachable}
        assert "folder" in link.status()["budget"]["file_fault"]
    assert len(cloud.calls) == 2


def test_a_budget_that_cannot_be_read_lets_nothing_be_spent(tmp_path):
    (tmp_path / "budget.json").write_text("{}")
    cloud = Cloud()
    with linked(cloud, limits=Limits(calls_per_day=2), ledger=Ledger(tmp_path / "budget.json")) as link:
        assert link.hindrance is Hindrance.BUDGET_SPENT
        assert isinstance(ask(link), CloudUnreachable)
    assert cloud.calls == []


@pytest.mark.parametrize(
    ("limits", "allowed", "hindrance", "early_s", "then_s"),
    [
        (Limits(per_second=0.5), 1, Hindrance.RATE_LIMITED, 1.9, 0.2),
        (Limits(calls_per_day=2), 2, Hindrance.BUDGET_SPENT, DAY_S - 1, 2.0),
        (Limits(calls_per_month=2), 2, Hindrance.BUDGET_SPENT, MONTH_S - 1, 2.0),
        (Limits(0.5, cost_per_day=1.0), 2, Hindrance.BUDGET_SPENT, DAY_S - 1, 2.0),
        (Limits(0.5, cost_per_month=1.0), 2, Hindrance.BUDGET_SPENT, MONTH_S - 1, 2.0),
    ],
    ids=["rate", "day", "month", "cost of a day", "cost of a month"],
)
def test_what_is_spent_may_be_spent_again_when_its_time_is_over_and_not_before(
    limits, allowed, hindrance, early_s, then_s
):
    cloud, clock = Cloud(), HandClock()
    with linked(cloud, clock, limits=limits) as link:
        for _ in range(2):
            for _ in range(allowed):
                assert link.hindrance is None
                assert ask(link) is ANSWER
            assert link.hindrance is hindrance
            assert hindrance in str(ask(link))
            clock.goes(early_s)
            assert link.hindrance is hindrance
            clock.goes(then_s)
    assert len(cloud.calls) == 2 * allowed


def test_a_spent_budgets_clock_goes_on_though_nothing_is_spent(tmp_path):
    file, clock = tmp_path / "budget.json", HandClock()

    def steady():
        return json.loads(file.read_text())["steady"]

    with linked(Cloud(), clock, limits=Limits(calls_per_day=0), ledger=Ledger(file, clock.reading)):
        assert steady() == 0
        clock.goes(600)
        wait(lambda: steady() == 600)
        clock.goes(60)
    assert steady() == 660  # at its end
    with linked(Cloud(), clock, limits=Limits(calls_per_day=0), ledger=Ledger(file, clock.reading)):
        clock.goes(600)
        wait(lambda: steady() == 1260)


def test_the_budgets_file_is_not_written_at_every_look(tmp_path):
    clock, saved = HandClock(), []

    class Counting(Ledger):
        def save(self, spent):
            saved.append(clock.now)
            super().save(spent)

    with linked(Cloud(), clock, limits=Limits(calls_per_day=0), ledger=Counting(tmp_path / "budget.json")):
        clock.is_looked_at(15)
        assert len(saved) == 1


def test_without_a_cap_nothing_is_written(tmp_path):
    with linked(Cloud(), limits=Limits(price=1.0, per_second=9), ledger=Ledger(tmp_path / "budget.json")) as link:
        ask(link)
    assert list(tmp_path.iterdir()) == []


def test_the_log_says_once_that_the_cloud_is_left_alone_and_that_it_answers_again(caplog):
    caplog.set_level(logging.INFO)
    cloud, clock = Cloud(), HandClock()
    with linked(cloud, clock) as link:
        cloud.usual = CloudUnreachable("gone", costly=True)
        for _ in range(3):
            ask(link)
            tried(link, clock)
        cloud.usual = ANSWER
        ask(link)
    words = [record.getMessage() for record in caplog.records]
    assert [word for word in words if "left alone" in word] == ["the online model is left alone for a while: gone"]
    assert words.count("the online model answers again") == 1
