"""Pictures whose labels a classifier contradicts that has not seen them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from edge.datasets import cross_validation, mislabels
from edge.datasets.cross_validation import (
    FOLDS,
    cross_validated_scores,
    fold_of_each,
    probabilities,
)
from edge.datasets.dataset import Example
from edge.datasets.mislabels import find_suspects


def examples_of(labels):
    return [Example(Path(f"{index}.jpg"), own) for index, own in enumerate(labels)]


def clusters(numbers, size=24, noise=0.5, seed=0):
    """Features around a centre for each number."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 1, (max(numbers) + 1, size))
    return (centres[numbers] + rng.normal(0, noise, (len(numbers), size))).astype(np.float16)


def find(labels, features, groups=None):
    number = len(labels)
    groups = np.arange(number) if groups is None else groups
    return find_suspects(examples_of(labels), features, np.arange(number), groups)


def test_swapped_labels_are_found_and_hardly_any_other():
    true = [index % 3 for index in range(300)]
    labels = [("abc"[one],) for one in true]
    swapped = range(0, 300, 25)
    for index in swapped:
        labels[index] = ("abc"[(true[index] + 1) % 3],)
    suspects = find(labels, clusters(true))
    found = {one.index for one in suspects}
    assert len(found & set(swapped)) >= 8
    assert len(found - set(swapped)) <= 1
    first = suspects[0]
    assert (first.has, first.suggested) == (
        labels[first.index][0],
        "abc"[true[first.index]],
    )
    assert all(one.confidence >= two.confidence for one, two in pairwise(suspects))


def test_right_labels_of_uneven_number_are_not_suspected():
    true = [0] * 400 + [1] * 12
    assert find([("ab"[one],) for one in true], clusters(true)) == []


def test_labels_that_pictures_say_nothing_about_are_not_suspected():
    rng = np.random.default_rng(1)
    labels = [("ab"[int(one)],) for one in rng.integers(0, 2, 200)]
    assert len(find(labels, rng.normal(0, 1, (200, 24)))) <= 4


def test_near_duplicates_do_not_confirm_each_others_wrong_label():
    true = [index % 2 for index in range(200)]
    features = clusters(true, noise=0.2)
    labels = [("ab"[one],) for one in true]
    features[100:130] = features[100]  # thirty copies of a picture of a, all labelled b
    for index in range(100, 130):
        labels[index] = ("b",)
    groups = np.arange(200)
    groups[100:130] = 100
    assert {one.index for one in find(labels, features, groups)} >= set(range(100, 130))


def test_of_several_labels_missing_ones_and_ones_too_many_are_found():
    rng = np.random.default_rng(2)
    has = rng.random((300, 3)) < 0.5
    features = (has @ rng.normal(0, 1, (3, 24)) + rng.normal(0, 0.1, (300, 24))).astype(np.float16)
    labels = [tuple(name for name, there in zip("abc", row, strict=True) if there) for row in has]
    lacking = next(index for index, own in enumerate(labels) if "a" in own)
    labels[lacking] = tuple(one for one in labels[lacking] if one != "a")
    extra = next(index for index, own in enumerate(labels) if "b" not in own and index > lacking)
    labels[extra] = (*labels[extra], "b")
    found = {(one.index, one.has, one.suggested) for one in find(labels, features)}
    assert found >= {(lacking, "", "a"), (extra, "b", "")}
    assert len(found) <= 6


@pytest.mark.parametrize(
    "labels", [[("a",)] * 20, [("a",)] * 20 + [("b",)] * 4, [("a",), ("b",)], []]
)
def test_nothing_is_said_about_labels_with_too_few_pictures(labels):
    assert find(labels, np.zeros((len(labels), 4))) is None


def test_nothing_is_said_where_the_tables_would_fill_the_memory(monkeypatch):
    labels = [("ab"[index % 2],) for index in range(40)]
    features = clusters([index % 2 for index in range(40)])
    assert find(labels, features) == []
    monkeypatch.setattr(mislabels, "_MAX_CELLS", 79)
    assert find(labels, features) is None


def test_pictures_without_features_are_left_out():
    true = [index % 2 for index in range(60)]
    rows = np.arange(60)
    rows[::7] = -1
    examples = examples_of([("ab"[one],) for one in true])
    assert find_suspects(examples, clusters(true), rows, np.arange(60)) == []


def test_few_pictures_are_scored_as_many_would_be(monkeypatch):
    """The fast way for fewer pictures than features gives what the other one gives."""
    true = [index % 2 for index in range(40)]
    features = clusters(true, size=90, noise=2.0)
    targets = np.eye(2, dtype=bool)[true]
    rows = np.arange(40)
    fast = cross_validated_scores(features, rows, targets, rows)
    monkeypatch.setattr(cross_validation, "_coordinates", lambda given, rows: given[rows])
    slow = cross_validated_scores(features, rows, targets, rows)
    assert fast == pytest.approx(slow, abs=1e-6)


def test_a_fold_holds_groups_whole_and_a_share_of_each_label():
    targets = np.zeros((100, 2), bool)
    targets[:40, 0] = targets[40:, 1] = True
    groups = np.repeat(np.arange(50), 2)
    folds = fold_of_each(targets, groups)
    assert (folds[::2] == folds[1::2]).all()
    for fold in range(FOLDS):
        assert targets[folds == fold].sum(axis=0).tolist() == [8, 12]


def test_probabilities_are_as_sure_as_the_scores_are_right():
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 2, 2_000)
    shown = np.where(rng.random(2_000) < 0.8, truth, 1 - truth)
    scores = np.eye(2)[shown] * 0.3
    chances = probabilities(scores, np.eye(2, dtype=bool)[truth], np.arange(2_000))
    assert chances.max(axis=1).mean() == pytest.approx(0.8, abs=0.03)
