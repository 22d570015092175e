"""The ROC curve of a model of good parts, against what a threshold means by its definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.evaluation.report.as_json import MAX_POINTS, thin_out_roc
from edge.evaluation.report.plots import roc_plot
from edge.evaluation.report.words import roc_rows, roc_words
from edge.evaluation.roc import make_roc

PICTURES = st.lists(st.tuples(st.integers(0, 8), st.booleans()), max_size=30)
"""Scores in eighths, of which many are equal, and whether each picture shows an anomaly."""


def roc_of(scores, is_anomaly, threshold=0.5):
    return make_roc(np.array(scores, np.float32), np.array(is_anomaly, bool), threshold)


def drawn(pictures, threshold=0.5):
    scores = np.array([score / 8 for score, _ in pictures], np.float32)
    is_anomaly = np.array([kind for _, kind in pictures], bool)
    return scores, is_anomaly, make_roc(scores, is_anomaly, threshold)


@pytest.mark.parametrize(
    ("scores", "is_anomaly", "area"),
    [
        ([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], 1.0),
        ([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0], 0.0),
        ([0.5, 0.5], [0, 1], 0.5),
        ([0.1, 0.6, 0.4, 0.9], [0, 0, 1, 1], 0.75),
        ([0.1, 0.2], [0, 0], None),
        ([0.1, 0.2], [1, 1], None),
        ([], [], None),
    ],
)
def test_the_area_under_it(scores, is_anomaly, area):
    assert roc_of(scores, is_anomaly).area == area


@settings(deadline=None)
@given(PICTURES)
def test_the_area_is_how_often_an_anomaly_scores_higher_than_a_good_part(pictures):
    scores, is_anomaly, roc = drawn(pictures)
    pairs = [(bad, good) for bad in scores[is_anomaly] for good in scores[~is_anomaly]]
    if not pairs:
        assert roc.area is None
        return
    higher = [(bad > good) + (bad == good) / 2 for bad, good in pairs]
    assert roc.area == pytest.approx(sum(higher) / len(pairs))


@settings(deadline=None)
@given(PICTURES, st.integers(0, 9))
def test_every_point_counts_what_reaches_its_threshold(pictures, eighths):
    scores, is_anomaly, roc = drawn(pictures, threshold=eighths / 8)
    assert roc.thresholds.tolist() == sorted(set(scores.tolist()), reverse=True)
    for point, threshold in enumerate(roc.thresholds):
        called = scores >= threshold
        assert roc.found[point] == (called & is_anomaly).sum()
        assert roc.alarms[point] == (called & ~is_anomaly).sum()
    called = scores >= eighths / 8
    assert roc.in_force.found == (called & is_anomaly).sum()
    assert roc.in_force.alarms == (called & ~is_anomaly).sum()


def test_a_score_that_equals_the_threshold_as_float32_reaches_it_as_in_serving():
    roc = roc_of([0.1], [1], threshold=0.1)
    assert roc.in_force.found == 1


@settings(deadline=None)
@given(PICTURES)
def test_its_corners_are_the_whole_curve(pictures):
    _, _, roc = drawn(pictures)
    corners = roc.corners
    at_corners = [np.append(0, counts[corners]) for counts in (roc.alarms, roc.found)]
    path = np.hypot(*(np.diff(counts) for counts in at_corners)).sum()
    every_step = [np.diff(counts, prepend=0) for counts in (roc.alarms, roc.found)]
    assert path == pytest.approx(np.hypot(*every_step).sum())
    if len(roc.thresholds):
        assert corners[-1] == len(roc.thresholds) - 1


@settings(deadline=None)
@given(PICTURES, st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]))
def test_the_most_that_a_bound_on_false_alarms_lets_it_find(pictures, bound):
    scores, is_anomaly, roc = drawn(pictures)
    point = roc.most_found(bound)
    allowed = [
        (scores[is_anomaly] >= threshold).sum()
        for threshold in np.unique(scores)
        if (scores[~is_anomaly] >= threshold).sum() <= bound * (~is_anomaly).sum()
    ]
    assert (0 if point is None else point.found) == max(allowed, default=0)
    if point is not None:
        called = scores >= np.float32(point.threshold)
        assert (called & is_anomaly).sum() == point.found
        assert (called & ~is_anomaly).sum() == point.alarms <= bound * (~is_anomaly).sum()


def test_a_long_curve_is_thinned_out_and_keeps_its_end():
    rng = np.random.default_rng(0)
    roc = roc_of(rng.uniform(size=5_000), rng.integers(0, 2, 5_000))
    chosen = thin_out_roc(roc)
    assert len(chosen) <= MAX_POINTS
    assert roc.rates[chosen[-1]].tolist() == [1, 1]


def test_the_threshold_in_force_is_marked_on_the_curve():
    roc = roc_of([0.1, 0.2, 0.6, 0.4, 0.9, 0.95], [0, 0, 0, 1, 1, 1])
    plot = roc_plot(roc)
    assert plot.count('<circle class="dot"') == 1
    assert "threshold 0.5: 66.7% of the anomalies are found, 33.3% of the good parts" in plot


@pytest.mark.parametrize(
    ("is_anomaly", "words"),
    [
        ([0, 0], ["no picture shows an anomaly", "50.0 % of the good parts are called one"]),
        ([1, 1], ["50.0 % of the anomalies are found", "no picture shows a good part"]),
    ],
)
def test_with_one_kind_of_picture_it_says_what_is_unknown(is_anomaly, words):
    roc = roc_of([0.2, 0.7], is_anomaly)
    for sentence, part in zip(roc_words(roc), words, strict=True):
        assert part in sentence
    assert not roc.has_curve
    assert not roc_rows(roc)


def test_bounds_that_so_few_good_parts_cannot_tell_are_not_shown():
    scores = [*np.linspace(0, 0.5, 20), 0.45, 0.9]
    rows = roc_rows(roc_of(scores, [0] * 20 + [1, 1]))
    assert rows == [("at most 5 %", "50.0 %", "0.7"), ("at most 10 %", "100.0 %", "0.4487")]
