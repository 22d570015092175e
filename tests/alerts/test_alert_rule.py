"""When a rule raises an alert, as a truth table, and what holds for every sequence of answers."""

import pytest
from builders.alerts import rule
from hypothesis import given
from hypothesis import strategies as st

from edge.alerts.rule import CLEAR_S, Signal, advance, lapse

ON, OFF, ALERT, NONE = Signal.ON, Signal.OFF, Signal.ALERT, Signal.NONE
RAISED = ON | ALERT

AT_ONCE = rule(cooldown_s=60, silent_s=30)
AFTER_10 = rule(for_s=10, cooldown_s=60, silent_s=30)
NO_COOLDOWN = rule(cooldown_s=0, silent_s=30)

# Each step: when, whether the condition holds in an answer then (None: time passes without one),
# and what that brings about.
TABLE = {
    "the first answer raises it": (AT_ONCE, [(0, True, RAISED)]),
    "an answer without it does nothing": (AT_ONCE, [(0, False, NONE), (1, True, RAISED)]),
    "one alert while it goes on": (AT_ONCE, [(0, True, RAISED), (1, True, NONE), (29, True, NONE)]),
    "an hour long, one alert": (
        AT_ONCE,
        [(0, True, RAISED), *((second, True, NONE) for second in range(9, 3600, 9))],
    ),
    "held for the time": (AFTER_10, [(0, True, NONE), (9.9, True, NONE), (10, True, RAISED)]),
    "only an answer raises it": (AFTER_10, [(0, True, NONE), (11, None, NONE), (12, True, RAISED)]),
    "one answer without it begins anew": (
        AFTER_10,
        [(0, True, NONE), (9, False, NONE), (10, True, NONE), (19, True, NONE), (20, True, RAISED)],
    ),
    "silence begins anew": (AFTER_10, [(0, True, NONE), (30, True, NONE), (40, True, RAISED)]),
    "less than silence does not": (AFTER_10, [(0, True, NONE), (29.9, True, RAISED)]),
    "a flicker does not end it": (
        NO_COOLDOWN,
        [(0, True, RAISED), (1, False, NONE), (4.8, True, NONE), (9, False, NONE)],
    ),
    "it ends after the clear time": (
        NO_COOLDOWN,
        [(0, True, RAISED), (1, False, NONE), (CLEAR_S, False, OFF), (6, True, RAISED)],
    ),
    "it ends without a further answer": (
        NO_COOLDOWN,
        [(0, True, RAISED), (1, False, NONE), (4.9, None, NONE), (CLEAR_S, None, OFF)],
    ),
    "a slow camera does not end it": (
        NO_COOLDOWN,
        [(0, True, RAISED), (29, None, NONE), (29.5, True, NONE), (59, True, NONE)],
    ),
    "silence ends it": (NO_COOLDOWN, [(0, True, RAISED), (30, None, OFF), (31, None, NONE)]),
    "silence ends one and an answer raises the next": (
        NO_COOLDOWN,
        [(0, True, RAISED), (30, True, OFF | RAISED)],
    ),
    "within the cooldown it is on, without an alert": (
        AT_ONCE,
        [(0, True, RAISED), (5, False, OFF), (10, True, ON), (15, False, OFF), (59, True, ON)],
    ),
    "what began within the cooldown alerts after it": (
        AT_ONCE,
        [(0, True, RAISED), (5, False, OFF), (40, True, ON), (59.9, True, NONE), (60, True, ALERT)],
    ),
    "the cooldown counts from the alert": (
        AFTER_10,
        [(0, True, NONE), (10, True, RAISED), (15, False, OFF), (60, True, NONE), (69, True, NONE),
         (70, True, RAISED)],
    ),
    "a cooldown outlasts silence": (AT_ONCE, [(0, True, RAISED), (30, None, OFF), (59, True, ON)]),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE)
def test_the_table(case):
    which, steps = TABLE[case]
    progress = None
    for now, holds, expected in steps:
        if holds is not None:
            progress, signal = advance(which, progress, now, holds=holds)
        elif progress is None:
            signal = NONE
        else:
            progress, signal = lapse(which, progress, now)
        assert signal == expected, f"at {now} s"


def test_nothing_is_remembered_once_nothing_can_follow():
    progress, _ = advance(AT_ONCE, None, 0, holds=True)
    progress, _ = lapse(AT_ONCE, progress, 30)
    assert progress is not None, "the cooldown is to be remembered"
    assert lapse(AT_ONCE, progress, 60) == (None, NONE)
    progress, _ = advance(AFTER_10, None, 0, holds=True)
    assert advance(AFTER_10, progress, 1, holds=False) == (None, NONE)


def test_a_rule_without_cameras_is_about_all():
    assert rule().is_about("")
    assert rule().is_about("gate")
    some = rule(cameras=frozenset({"gate", "yard"}))
    assert [some.is_about(name) for name in ("gate", "yard", "Gate", "")] == [
        True,
        True,
        False,
        False,
    ]


rules = st.builds(
    lambda *times: rule(for_s=times[0], cooldown_s=times[1], silent_s=times[2]),
    st.integers(0, 40),
    st.integers(0, 100),
    st.integers(1, 60),
)
steps = st.lists(st.tuples(st.integers(0, 40), st.sampled_from([True, False, None])), max_size=60)


@given(rules, steps)
def test_whatever_comes_alerts_keep_their_distance_and_on_and_off_take_turns(one, steps):
    progress, now, is_on, last_alert, held_since = None, 0, False, None, None
    seen_at = 0
    for wait, holds in steps:
        now += wait
        if holds is None:
            after, signal = (None, NONE) if progress is None else lapse(one, progress, now)
        else:
            after, signal = advance(one, progress, now, holds=holds)
        if holds is False or (held_since is not None and now - seen_at >= one.silent_s):
            held_since = None
        if holds is not None:
            seen_at = now
            held_since = now if holds and held_since is None else held_since
        if OFF in signal:
            assert is_on
            is_on = False
        if ON in signal:
            assert holds
            assert not is_on
            assert now - held_since >= one.for_s
            is_on = True
        if ALERT in signal:
            assert holds
            assert is_on
            assert last_alert is None or now - last_alert >= one.cooldown_s
            last_alert = now
        progress = after
        assert is_on == (progress is not None and progress.is_on)
