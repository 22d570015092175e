"""What counts as an appearance, and that an hour of them is bounded whatever labels come."""

import pytest
from hypothesis import given, settings, strategies

from edge.web.pages.appearances import (
    ABSENT_S,
    HOUR_MIN,
    MAX_LABELS,
    UNSEEN_S,
    Appearances,
    Hour,
    hours_json,
)

MINUTE = 60.0
START = 1_000_000 * MINUTE


def seen(*frames: tuple[float, str]) -> Appearances:
    """The camera after frames at those seconds, each with those labels, one letter each."""
    one = Appearances()
    for at, labels in frames:
        one.see(list(labels), START + at)
    return one


def sums(one: Appearances, at: float = 0) -> dict[str, int]:
    return {label: sum(minutes) for label, minutes in one.last_hour(START + at).minutes.items()}


CASES = [
    ("nothing", [], {}),
    ("an empty frame", [(0, "")], {}),
    ("one frame", [(0, "a")], {"a": 1}),
    ("many frames of the same", [(at / 13, "a") for at in range(130)], {"a": 1}),
    ("several boxes of a label", [(0, "aaa"), (1, "aa")], {"a": 1}),
    ("two labels at once", [(0, "ab"), (1, "ab")], {"a": 1, "b": 1}),
    ("a flicker", [(0, "a"), (1, ""), (2, "a")], {"a": 1}),
    ("just too short an absence", [(0, "a"), (1, ""), (5.9, ""), (5.99, "a")], {"a": 1}),
    ("absent for long enough", [(0, "a"), (1, ""), (6, "a")], {"a": 2}),
    ("absent while another is there", [(0, "a"), (1, "b"), (3, "b"), (7, "a")], {"a": 2, "b": 1}),
    ("flickering does not add up", [(at, "a" if at % 4 else "") for at in range(40)], {"a": 1}),
    ("a slow camera that sees it in each frame", [(0, "a"), (20, "a"), (40, "a")], {"a": 1}),
    ("a slow camera that missed it once", [(0, "a"), (10, ""), (20, "a")], {"a": 2}),
    ("a camera that was silent", [(0, "a"), (UNSEEN_S, "a")], {"a": 2}),
    ("a camera that was nearly silent", [(0, "a"), (UNSEEN_S - 0.1, "a")], {"a": 1}),
]


@pytest.mark.parametrize(("what", "frames", "counts"), CASES, ids=[case[0] for case in CASES])
def test_what_counts(what, frames, counts):
    assert sums(seen(*frames)) == counts


def test_an_absence_is_as_long_as_the_constant_says():
    for gap, counts in ((ABSENT_S - 0.01, 1), (ABSENT_S, 2)):
        assert sums(seen((0, "a"), (1, ""), (1 + gap, "a"))) == {"a": counts}


def test_appearances_are_in_their_minute_and_leave_after_an_hour():
    one = seen((0, "a"), (59 * MINUTE, "a"), (59 * MINUTE + 40, "a"))
    assert one.last_hour(START + 59 * MINUTE).minutes["a"] == bytes([1, *[0] * 58, 2])
    assert one.last_hour(START + 60 * MINUTE).minutes["a"] == bytes([*[0] * 58, 2, 0])
    assert one.last_hour(START + 119 * MINUTE).minutes == {}


def test_an_hour_without_a_frame_leaves_nothing_of_the_hour_before():
    one = seen((0, "a"), (3 * 60 * MINUTE, "b"))
    assert sums(one, 3 * 60 * MINUTE) == {"b": 1}


def test_labels_without_end_are_counted_together():
    one = Appearances()
    for number in range(MAX_LABELS + 50):
        at = START + number * 6  # each is alone for longer than the one before is remembered
        one.see([f"label {number}"], at)
    hour = one.last_hour(START + 30)
    assert len(hour.minutes) == MAX_LABELS
    assert sum(map(sum, hour.minutes.values())) + sum(hour.others) == MAX_LABELS + 50


def test_labels_that_come_all_at_once_are_followed_up_to_the_bound():
    one = Appearances()
    for _ in range(3):
        one.see([f"label {number}" for number in range(10 * MAX_LABELS)], START)
    assert len(one._absent_since) == MAX_LABELS
    assert set(sums(one).values()) == {1}


FRAMES = strategies.lists(
    strategies.tuples(strategies.floats(0.01, 40), strategies.sets(strategies.sampled_from("abc")))
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(frames=FRAMES)
def test_counts_are_those_of_the_plain_definition(frames):
    """Of each label alone: it is new, or was seen to be absent for long enough."""
    one, now = Appearances(), START
    counts = dict.fromkeys("abc", 0)
    state: dict[str, float | None] = {}  # since when it is absent; None while present
    for gap, labels in frames:
        now += gap
        if gap >= UNSEEN_S:
            state.clear()
        for label in "abc":
            if label in labels:
                since = state.get(label, -1e9)
                counts[label] += since is not None and now - since >= ABSENT_S
                state[label] = None
            elif state.get(label, 0.0) is None:
                state[label] = now
        one.see(labels, now)
        if now > START + 30 * MINUTE:
            break
    found = {label: sum(minutes) for label, minutes in one.last_hour(now).minutes.items()}
    assert found == {label: count for label, count in counts.items() if count}


def hour(**counts: int) -> Hour:
    return Hour(
        {label: bytes([*[0] * (HOUR_MIN - 1), count]) for label, count in counts.items()},
        bytes([1, *[0] * (HOUR_MIN - 1)]),
    )


def test_all_cameras_are_summed_and_each_is_told_alone():
    told = hours_json({"one": hour(a=2, b=5), "": hour(a=4)})
    assert [(one["label"], one["sum"]) for one in told["labels"]] == [("a", 6), ("b", 5)]
    assert told["labels"][0]["minutes"] == [*[0] * 59, 6]
    assert told["others"] == 2
    assert [(one["camera"], one["others"]) for one in told["cameras"]] == [("one", 1), ("", 1)]
    assert [one["label"] for one in told["cameras"][0]["labels"]] == ["b", "a"]


def test_labels_beyond_the_eight_most_frequent_are_summed():
    told = hours_json({"one": hour(**{f"l{number}": number + 1 for number in range(10)})})
    assert [one["label"] for one in told["labels"]] == [f"l{number}" for number in range(9, 1, -1)]
    assert told["others"] == 1 + 2 + 1
