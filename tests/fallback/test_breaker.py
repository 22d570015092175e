"""The circuit breaker, moved by hand."""

from __future__ import annotations

import math

import pytest

from edge.fallback.breaker import Backoff, Breaker, BreakerState

NO_JITTER = Backoff(first_s=1, most_s=8, jitter=0)


def test_failures_in_a_row_open_it_and_a_success_between_starts_the_count_again():
    breaker = Breaker(3, NO_JITTER)
    for costly_or_not in ("fail", "fail", "ok", "fail", "fail"):
        breaker.succeeded() if costly_or_not == "ok" else breaker.failed(0, 0, costly=False)
    assert breaker.state is BreakerState.CLOSED
    breaker.failed(0, 0, costly=False)
    assert breaker.state is BreakerState.OPEN


def test_one_failure_that_cost_a_caller_its_time_opens_it():
    breaker = Breaker(3, NO_JITTER)
    breaker.failed(0, 0, costly=True)
    assert breaker.state is BreakerState.OPEN


def test_it_opens_twice_as_long_each_time_up_to_a_limit():
    breaker, now, waits = Breaker(1, NO_JITTER), 0.0, []
    breaker.failed(now, 0, costly=True)
    for _ in range(5):
        waits.append(breaker.wait_s(now))
        now += waits[-1]
        assert breaker.probe_due(now)
        breaker.probed(now, 0, reached=False)
    assert waits == [1, 2, 4, 8, 8]


@pytest.mark.parametrize(("chance", "wait"), [(0.0, 4.0), (0.5, 3.0), (0.999, 2.0)])
def test_jitter_shortens_the_wait_by_up_to_its_share(chance, wait):
    assert Backoff(4, 60, 0.5).seconds(1, chance) == pytest.approx(wait, abs=0.01)


def test_no_probe_is_due_before_the_backoff_is_over():
    breaker = Breaker(1, NO_JITTER)
    breaker.failed(10, 0, costly=True)
    assert not breaker.probe_due(10.99)
    assert breaker.probe_due(11)


def half_open() -> Breaker:
    breaker = Breaker(3, NO_JITTER)
    breaker.failed(0, 0, costly=True)
    breaker.probed(1, 0, reached=True)
    assert breaker.state is BreakerState.HALF_OPEN
    return breaker


def test_half_open_lets_one_call_through_at_a_time():
    breaker = half_open()
    assert [breaker.take_trial(), breaker.take_trial()] == [True, False]
    breaker.given_up()
    assert breaker.take_trial()


def test_the_trial_closes_it_or_opens_it_for_longer():
    well, ill = half_open(), half_open()
    well.take_trial()
    well.succeeded()
    ill.take_trial()
    ill.failed(1, 0, costly=False)
    assert well.state is BreakerState.CLOSED
    assert (ill.state, ill.wait_s(1)) == (BreakerState.OPEN, 2)


def test_calls_that_were_under_way_when_it_opened_change_nothing_any_more():
    breaker = Breaker(1, NO_JITTER)
    breaker.failed(0, 0, costly=True)
    breaker.failed(0.5, 0, costly=True)
    breaker.succeeded()
    assert (breaker.state, breaker.wait_s(0)) == (BreakerState.OPEN, 1)


def test_after_it_closed_the_next_opening_is_short_again():
    breaker = half_open()
    breaker.take_trial()
    breaker.succeeded()
    breaker.failed(5, 0, costly=True)
    assert breaker.wait_s(5) == 1


@pytest.mark.parametrize(
    ("usual", "had", "state"),
    [
        ([], 0.01, BreakerState.OPEN),  # nothing is known: better one frame too careful
        ([0.2], 0.1, BreakerState.CLOSED),
        ([0.2], 0.2, BreakerState.OPEN),
        ([0.2], math.inf, BreakerState.OPEN),
        ([1.0, *[0.1] * 30], 0.15, BreakerState.OPEN),  # it has become faster since
    ],
)
def test_a_caller_with_less_time_than_answers_take_does_not_open_it_alone(usual, had, state):
    breaker = Breaker(3, NO_JITTER)
    for seconds in usual:
        breaker.succeeded(seconds)
    breaker.failed(0, 0, costly=True, had_s=had)
    assert breaker.state is state


def test_hasty_callers_alone_open_it_after_some_failures_in_a_row():
    breaker = Breaker(3, NO_JITTER)
    breaker.succeeded(0.2)
    for _ in range(3):
        breaker.failed(0, 0, costly=True, had_s=0.1)
    assert breaker.state is BreakerState.OPEN


def test_no_backoff_is_longer_than_its_most_or_shorter_than_its_jitter_allows():
    backoff = Backoff(1.0, 60.0, 0.5)
    for times in range(1, 2_000):
        full = min(2.0 ** min(times - 1, 10), 60.0)
        assert backoff.seconds(times, 0.0) == full
        assert full / 2 < backoff.seconds(times, 0.999) < full * 0.51


def test_every_opening_is_a_new_generation_and_nothing_else_is():
    breaker, seen = Breaker(2, NO_JITTER), []
    steps = [
        lambda: breaker.failed(0, 0, costly=False),
        lambda: breaker.failed(0, 0, costly=False),  # opens
        lambda: breaker.failed(0, 0, costly=True),
        lambda: breaker.probed(1, 0, reached=False),  # opens again
        lambda: breaker.probed(9, 0, reached=True),
        breaker.take_trial,
        lambda: breaker.failed(9, 0, costly=False),  # and again
        lambda: breaker.probed(20, 0, reached=True),
        breaker.succeeded,
    ]
    for step in steps:
        step()
        seen.append(breaker.generation)
    assert seen == [0, 1, 1, 2, 2, 2, 3, 3, 3]


def test_failures_before_it_opened_do_not_count_when_it_has_closed_again():
    breaker = Breaker(3, NO_JITTER)
    for _ in range(3):
        breaker.failed(0, 0, costly=False)
    breaker.probed(1, 0, reached=True)
    breaker.succeeded()
    for _ in range(2):
        breaker.failed(5, 0, costly=False)
        assert breaker.closed
    breaker.failed(5, 0, costly=False)
    assert not breaker.closed


@pytest.mark.parametrize("reached", [True, False])
def test_a_probe_says_nothing_where_none_was_due(reached):
    for breaker in (Breaker(3, NO_JITTER), half_open()):
        state = breaker.state
        breaker.take_trial()
        breaker.probed(0, 0, reached=reached)
        assert (breaker.state, breaker.trial_free) == (state, False)


def test_a_trial_is_free_again_after_each_opening_whatever_became_of_the_last():
    breaker, now = Breaker(1, NO_JITTER), 0.0
    breaker.failed(now, 0, costly=True)
    for ending in (lambda: breaker.failed(0, 0, costly=False), breaker.given_up, breaker.succeeded):
        now += breaker.wait_s(now)
        breaker.probed(now, 0, reached=True)
        assert breaker.take_trial()
        assert not breaker.trial_free
        ending()
        breaker.failed(now, 0, costly=True)
        assert not breaker.trial_free
        assert not breaker.take_trial()


def test_only_half_open_has_a_trial_and_only_open_a_wait():
    breaker = Breaker(1, NO_JITTER)
    assert (breaker.trial_free, breaker.take_trial(), breaker.wait_s(0), breaker.probe_due(99)) == (
        False,
        False,
        0,
        False,
    )
    breaker.failed(10, 0, costly=True)
    assert (breaker.trial_free, breaker.take_trial(), breaker.wait_s(10.25)) == (False, False, 0.75)
    assert breaker.wait_s(99) == 0
    breaker.probed(11, 0, reached=True)
    assert (breaker.trial_free, breaker.wait_s(0), breaker.probe_due(99)) == (True, 0, False)


def test_what_is_usual_follows_the_answers_slowly():
    breaker = Breaker(3, NO_JITTER)
    breaker.succeeded(1.0)
    breaker.succeeded(2.0)
    breaker.succeeded()  # a refusal says nothing of it
    breaker.failed(0, 0, costly=True, had_s=1.19)
    assert breaker.closed
    breaker.failed(0, 0, costly=True, had_s=1.21)
    assert not breaker.closed


def test_a_late_answer_of_before_the_outage_is_remembered_and_changes_no_state():
    breaker = Breaker(1, NO_JITTER)
    breaker.failed(0, 0, costly=True)
    breaker.succeeded(5.0)
    assert breaker.state is BreakerState.OPEN
    assert breaker.wait_s(0) == 1
