"""Turns in an overload: each connection gets its share, and nothing changes without an overload."""

from __future__ import annotations

import pytest
from builders.crowd import play

from edge.dataplane.admission import Admission
from edge.dataplane.turns import MAX_CALLERS, MAX_WAIT_S, Turns
from edge.errors import Overloaded

LOADS = {  # four times the slots: cameras, slots, seconds a frame; two workers
    "64 cameras, a slow model": {"cameras": 64, "slots": 16, "frame_s": 0.02},
    "264 cameras, the default": {"cameras": 264, "slots": 66, "frame_s": 0.004},
}


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_at_four_times_the_load_cameras_that_ask_at_once_get_equal_shares(load):
    fair_cycle_s = load["cameras"] * load["frame_s"] / 2
    lottery, fair = play(turns=False, **load), play(**load)
    assert lottery.frames[0] < lottery.median * 0.7  # what this test is about
    assert lottery.longest_silence > 4.0
    assert fair.frames[0] > fair.median * 0.8
    assert fair.longest_silence < 4 * fair_cycle_s
    assert sum(fair.frames) > 0.98 * sum(lottery.frames)


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_cameras_that_wait_as_told_are_served_as_well(load):
    lottery, fair = play(turns=False, honour=True, **load), play(honour=True, **load)
    assert lottery.longest_silence > 12.0
    assert fair.frames[0] > fair.median / 3
    assert fair.longest_silence < 8.0
    assert sum(fair.frames) > 0.85 * sum(lottery.frames)


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_connections_of_one_frame_each_are_not_shut_out_and_take_no_more_than_an_eighth(load):
    many = play(reconnecting=load["cameras"] // 2, **load)
    assert many.frames[0] > 0
    few = play(reconnecting=4, **load)
    total = sum(few.frames)
    assert max(few.frames) < total / 8


def test_without_a_refusal_nobody_is_asked_for_a_turn():
    admission = Admission(16, 1 << 20, workers=2)
    slots = [admission.admit(("a", 1)) for _ in range(16)]
    for slot in slots:
        slot.__enter__()
    with pytest.raises(Overloaded) as refused, admission.admit(("b", 1)):
        pass
    assert refused.value.retry_after_s == 1
    for slot in slots:
        slot.__exit__(None, None, None)
    with admission.admit(("c", 1)):  # nothing is in flight: the workers must not wait for a turn
        assert admission.in_flight == 1


def test_an_overload_ends_some_seconds_after_the_last_refusal():
    clock = Clock()
    turns = Turns(16, 2, clock)
    turns.refuse(("a", 1))
    turns.wait_s = MAX_WAIT_S
    assert not turns.may_enter(("a", 1), 10)
    clock.now += 4.9
    assert not turns.may_enter(("a", 1), 10)
    clock.now += 0.2
    assert turns.may_enter(("a", 1), 10)
    assert (turns.overloaded, turns.wait_s) == (False, 0.0)


def test_a_turn_comes_when_the_wait_is_over_and_a_refusal_says_when():
    clock = Clock()
    turns = Turns(16, 2, clock)
    turns.wait_s = 4.0
    assert 4 <= turns.refuse(("a", 1)) <= 6
    clock.now += 3.0
    assert not turns.may_enter(("a", 1), 10)
    assert 1 <= turns.refuse(("a", 1)) <= 2
    clock.now += 1.0
    assert turns.may_enter(("a", 1), 10)
    assert not turns.may_enter(("a", 1), 10)


def test_the_wait_and_what_is_remembered_have_an_end():
    clock = Clock()
    turns = Turns(16, 2, clock)
    for port in range(MAX_CALLERS + 10):
        turns.refuse(("a", port))
    assert len(turns._since) == MAX_CALLERS
    for _ in range(1_000):
        turns.refuse(None)
        clock.now += 0.001
        turns._note_admission(("b", 1), clock.now, 16)
    assert turns.wait_s == MAX_WAIT_S
    assert turns.refuse(("a", 1)) <= MAX_WAIT_S * 1.5
    clock.now += 2 * MAX_WAIT_S + 11
    turns.refuse(("c", 1))
    assert len(turns._since) == 1


def test_where_hardly_anything_may_wait_nobody_is_kept_from_a_free_slot():
    turns = Turns(2, 2, Clock())
    assert turns.refuse(("a", 1)) == 1
    assert not turns.overloaded
