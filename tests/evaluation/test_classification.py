"""The figures of classifiers are those of scikit-learn, on hand-made and on random answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from edge.evaluation.calibration import calibration, calibration_error
from edge.evaluation.classification import (
    NOTHING,
    Scored,
    confusion,
    in_best,
    label_figures,
    wilson_interval,
)
from edge.evaluation.curves import average_precision, precision_recall

LABELS = ("a", "b", "c", "d")


def scored(scores, truth, shown=None):
    scores = np.array(scores, np.float32)
    truth = np.array(truth, bool)
    shown = np.ones_like(truth) if shown is None else np.array(shown, bool)
    return Scored(LABELS[: scores.shape[1]], scores, truth, shown)


@st.composite
def answers(draw, multi_label=False):
    """Scores in steps of 1/8, so that many are equal, and what is true."""
    count = draw(st.integers(1, 30))
    rows = st.lists(st.integers(0, 8), min_size=4, max_size=4)
    scores = np.array([draw(rows) for _ in range(count)], np.float32) / 8
    if multi_label:
        truth = np.array([[one > 4 for one in draw(rows)] for _ in range(count)])
    else:
        truth = np.eye(4, dtype=bool)[[draw(st.integers(0, 3)) for _ in range(count)]]
    return scores, truth


@given(answers())
def test_single_label_figures_are_those_of_scikit_learn(given):
    scores, truth = given
    made = scored(scores, truth)
    wanted = metrics.precision_recall_fscore_support(
        truth.argmax(1), scores.argmax(1), labels=range(4), zero_division=np.nan
    )
    figures = label_figures(made, made.only_best)
    for column, one in enumerate(figures):
        for value, reference in zip(
            (one.precision, one.recall, one.positives),
            (wanted[0][column], wanted[1][column], wanted[3][column]),
            strict=True,
        ):
            assert (value is None and np.isnan(reference)) or value == pytest.approx(reference)
    matrix = metrics.confusion_matrix(truth.argmax(1), scores.argmax(1), labels=range(4))
    assert (confusion(made)[:, :-1] == matrix).all()
    assert not confusion(made)[:, -1].any()
    assert made.right.mean() == metrics.accuracy_score(truth.argmax(1), scores.argmax(1))


@given(answers(multi_label=True))
def test_multi_label_figures_are_those_of_scikit_learn(given):
    scores, truth = given
    shown = scores >= 0.5
    made = scored(scores, truth, shown)
    wanted = metrics.precision_recall_fscore_support(truth, shown, zero_division=np.nan)
    for column, one in enumerate(label_figures(made, made.shown)):
        for value, references in zip((one.precision, one.recall, one.f1), wanted, strict=False):
            reference = references[column]
            assert (value is None and np.isnan(reference)) or value == pytest.approx(reference)
    assert made.all_right.mean() == metrics.accuracy_score(truth, shown)


@given(answers())
def test_the_curve_and_its_area_are_those_of_scikit_learn(given):
    scores, truth = given
    column, right = scores[:, 0], truth[:, 0]
    curve = precision_recall(column, right, int(right.sum()))
    if not right.any():
        assert average_precision(curve) is None
        return
    precision, recall, thresholds = metrics.precision_recall_curve(right, column)
    assert curve.thresholds[::-1] == pytest.approx(thresholds)
    assert curve.precision[::-1] == pytest.approx(precision[:-1])
    assert curve.recall[::-1] == pytest.approx(recall[:-1])
    wanted = metrics.average_precision_score(right, column)
    assert average_precision(curve) == pytest.approx(wanted)


def test_no_answers_make_an_empty_curve():
    curve = precision_recall(np.zeros(0), np.zeros(0, bool), 3)
    assert (len(curve.thresholds), average_precision(curve)) == (0, 0.0)


def test_what_no_threshold_shows_is_answered_with_nothing():
    made = scored([[0.9, 0.1], [0.6, 0.4]], [[1, 0], [1, 0]], [[1, 0], [0, 0]])
    assert made.answers.tolist() == [0, NOTHING]
    assert made.right.tolist() == [True, False]
    assert confusion(made).tolist() == [[1, 0, 1], [0, 0, 0]]
    (first, second) = label_figures(made, made.only_best)
    assert (first.precision, first.recall, first.f1) == (1.0, 0.5, pytest.approx(2 / 3))
    assert (second.precision, second.recall, second.f1) == (None, None, None)


def test_a_label_that_is_not_shown_does_not_win_by_its_score():
    made = scored([[0.9, 0.5]], [[0, 1]], [[0, 1]])
    assert made.right.tolist() == [True]


def test_top_two():
    made = scored([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]], [[0, 1, 0], [0, 0, 1]])
    assert in_best(made, 2).tolist() == [True, False]


def test_calibration_bins_by_hand():
    scores = np.array([0.05, 0.92, 0.98, 1.0, 0.9])
    bins = calibration(scores, np.array([False, True, True, False, True]))
    assert [one.answers for one in bins] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 4]
    assert bins[9].accuracy == 0.75
    assert bins[9].score == pytest.approx(0.95)
    assert (bins[1].score, bins[1].accuracy) == (None, None)
    assert calibration_error(bins) == pytest.approx((0.05 + 4 * 0.2) / 5)
    assert calibration_error(calibration(np.zeros(0), np.zeros(0, bool))) is None


@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (1, 1, 0.2065, 1.0)],
)
def test_wilsons_interval(right, total, low, high):
    """Values of statsmodels' proportion_confint(method="wilson")."""
    assert wilson_interval(right, total) == pytest.approx((low, high), abs=1e-4)
