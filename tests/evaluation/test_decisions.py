"""What is decided from figures: thresholds, demands, and whether a difference could be chance."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import UsageError
from edge.evaluation.comparison import compare, mcnemar
from edge.evaluation.curves import precision_recall
from edge.evaluation.gate import Demand, check_names, judge, parse_demand
from edge.evaluation.thresholds import find_threshold
from edge.model.prediction import Selection


def curve_of(scores, right):
    right = np.array(right, bool)
    return precision_recall(np.array(scores, np.float32), right, int(right.sum()))


def test_the_lowest_threshold_with_the_precision_is_chosen():
    found = find_threshold("a", curve_of([0.9, 0.8, 0.7, 0.6, 0.2], [1, 1, 0, 1, 0]), 0.75)
    assert found.threshold == pytest.approx(0.4)  # half-way to the next lower score
    assert (found.precision, found.recall, found.shown) == (0.75, 1.0, 4)


def test_a_precision_that_no_threshold_reaches_is_said_with_the_best_there_is():
    found = find_threshold("a", curve_of([0.9, 0.8, 0.7], [0, 1, 0]), 0.9)
    assert found.threshold is None
    assert (found.precision, found.shown) == (0.5, 2)


def test_a_threshold_from_few_answers_is_marked():
    assert find_threshold("a", curve_of([0.9] * 10, [1] * 10), 0.95).is_thin
    assert not find_threshold("a", curve_of([0.9] * 20, [1] * 20), 0.95).is_thin


@given(
    st.lists(st.tuples(st.integers(0, 256), st.booleans()), min_size=1, max_size=40),
    st.sampled_from([0.5, 0.9, 0.99, 1.0]),
)
def test_what_a_chosen_threshold_shows_has_the_precision(rows, wanted):
    """As serving applies it, to scores as AutoML's models have them."""
    scores = np.array([score for score, _ in rows], np.float32) / 256
    right = np.array([is_right for _, is_right in rows])
    found = find_threshold("a", curve_of(scores, right), wanted)
    if found.threshold is None:
        for limit in scores:
            shown = scores >= limit
            assert right[shown].mean() < wanted or not right[shown].any()
        return
    selection = Selection(5, 0.0, {"a": found.threshold})
    shown = selection.reached(("a",) * len(scores), scores)
    assert shown.sum() == found.shown
    assert right[shown].mean() >= wanted


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=20))
def test_a_threshold_separates_scores_however_close_they_are(scores):
    best = max(scores)
    found = find_threshold("a", curve_of(scores, [score == best for score in scores]), 1.0)
    assert found.threshold is not None
    selection = Selection(5, 0.0, {"a": found.threshold})
    reached = selection.reached(("a",) * len(scores), np.array(scores, np.float32))
    assert reached.tolist() == [score == best for score in scores]


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemars_p_is_that_of_a_fair_coin(gained, lost):
    throws = gained + lost
    tail = sum(comb(throws, heads) for heads in range(min(gained, lost) + 1)) / 2**throws
    assert mcnemar(gained, lost) == pytest.approx(min(1.0, 2 * tail))


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 0.0625), (10, 2, 0.03857421875), (10_000, 9_000, 4.2e-13)],
)
def test_mcnemars_p_of_known_tables(gained, lost, p):
    assert mcnemar(gained, lost) == pytest.approx(p, rel=0.1 if gained > 100 else 1e-9)


def test_only_pictures_that_both_answered_are_compared():
    found = compare(
        {0: True, 1: True, 2: False, 3: False, 4: True, 5: True},
        {0: True, 1: False, 2: True, 3: False, 6: True, 5: False},
    )
    assert (found.both_right, found.both_wrong, found.pictures) == (1, 1, 5)
    assert (found.gained, found.lost) == ((1, 5), (2,))


@pytest.mark.parametrize(
    ("text", "demand"),
    [
        ("accuracy=0.97", Demand("accuracy", 0.97)),
        ("recall:a=b=0.5", Demand("recall:a=b", 0.5)),
        (" ap50 =1", Demand("ap50", 1.0)),
    ],
)
def test_demands_are_read(text, demand):
    assert parse_demand(text) == demand


@pytest.mark.parametrize("text", ["accuracy", "=0.5", "accuracy=97", "accuracy=", "accuracy=nan"])
def test_what_is_no_demand_is_refused(text):
    with pytest.raises(UsageError, match=r"accuracy=0\.97"):
        parse_demand(text)


@pytest.mark.parametrize(
    ("value", "passed"), [(0.97, True), (0.969999, False), (None, False), (1.0, True)]
)
def test_a_demand_is_met_from_its_value_on_and_never_by_what_is_unknown(value, passed):
    (verdict,) = judge([Demand("accuracy", 0.97)], {"accuracy": value})
    assert verdict.passed is passed


def test_a_figure_that_is_missing_meets_no_demand():
    (verdict,) = judge([Demand("recall:rose", 0.1)], {})
    assert not verdict.passed


def test_a_demand_that_cannot_be_judged_is_refused_beforehand():
    known = ["accuracy", "macro_f1"]
    check_names([Demand("accuracy", 1), Demand("recall:rose", 1)], known, ["rose"])
    for name in ("acuracy", "recall:tulip", "recall", "speed:rose"):
        with pytest.raises(UsageError, match="accuracy, macro_f1"):
            check_names([Demand(name, 0.5)], known, ["rose"])
