"""Predicts each picture's labels by a classifier that has not seen it: cross-validation.

The classifier is linear, on the features of a model that was trained on other pictures: ridge
regression to 1 for the labels that a picture has and 0 for the others, with the same weight for
each label however many pictures it has. It is solved directly, so that it is the same each time.
Pictures of one group (near duplicates) are left out together: they would confirm each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

FOLDS: Final = 5

_RIDGE: Final = 0.05
"""Share of the features' mean variance that is added to the diagonal."""

_BLOCK: Final = 1_024
"""Pictures in memory at once: 10 MB as float64."""

_TEMPERATURES: Final = np.geomspace(0.5, 100, 60)
_MIN_PROBABILITY: Final = 1e-6


def cross_validated_scores(
    features: NDArray[Any],
    rows: NDArray[np.int64],
    targets: NDArray[np.bool_],
    groups: NDArray[np.int64],
    advance: Callable[[], None] = lambda: None,
) -> NDArray[np.float64]:
    """Score the labels of each picture by a classifier trained without its group.

    Args:
        features: [records, size]; may be a memory map, which is read in blocks.
        rows: record of each picture, int64 [n].
        targets: whether the picture has the label, [n, labels]; each label is there and absent.
        groups: number of each picture's group, int64 [n].
        advance: called once for each of `FOLDS`.

    Returns:
        About 0 to 1, float64 [n, labels].
    """
    folds = fold_of_each(targets, groups)
    weights = _weights(targets)
    size = features.shape[1]
    if len(rows) <= size // 2:
        features, rows = _coordinates(features, rows), np.arange(len(rows))
    mean = _mean(features, rows)
    whole = _moments(features, rows, targets, weights, mean)
    scores = np.zeros(targets.shape)
    for fold in range(FOLDS):
        held = np.flatnonzero(folds == fold)
        advance()
        if not len(held):
            continue
        part = _moments(features, rows[held], targets[held], weights[held], mean)
        gram, cross = (total - own for total, own in zip(whole, part, strict=True))
        solution = _solve(gram, cross, size)
        for block, values in _blocks(features, rows[held], mean):
            scores[held[block]] = values @ solution
    return scores


def fold_of_each(targets: NDArray[np.bool_], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fold of each picture, int64 [n]: groups whole, and each label spread over all folds."""
    folds = np.zeros(len(groups), np.int64)
    _, first, number = np.unique(groups, return_index=True, return_inverse=True)
    labels = targets[first].argmax(axis=1)  # of a group's first picture
    order = np.lexsort((np.random.default_rng(0).permutation(len(first)), labels))
    of_group = np.zeros(len(first), np.int64)
    of_group[order] = np.arange(len(first)) % FOLDS
    folds[:] = of_group[number]
    return folds


def probabilities(
    scores: NDArray[np.float64], targets: NDArray[np.bool_], groups: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Turn scores into probabilities of labels that exclude each other: float64 [n, labels].

    One temperature for all, which makes the labels that are there most likely; a group counts once.
    """
    _, number, counts = np.unique(groups, return_inverse=True, return_counts=True)
    weights = 1 / counts[number]
    best = max(_TEMPERATURES, key=lambda one: _likelihood(_softmax(scores * one), targets, weights))
    return _softmax(scores * best)


def independent_probabilities(
    scores: NDArray[np.float64], targets: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Turn scores into probabilities of labels that do not exclude each other (Platt scaling)."""
    result = np.zeros_like(scores)
    for label in range(scores.shape[1]):
        result[:, label] = _platt(scores[:, label], targets[:, label])
    return result


def _weights(targets: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A weight for each picture: its labels' pictures weigh the same in all."""
    counts = np.maximum(targets.sum(axis=0), 1)
    share = len(targets) / (targets.shape[1] * counts)
    own = (targets * share).sum(axis=1) / np.maximum(targets.sum(axis=1), 1)
    return np.where(targets.any(axis=1), own, 1.0)


def _mean(features: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = np.zeros(features.shape[1])
    for start in range(0, len(rows), _BLOCK):
        total += features[rows[start : start + _BLOCK]].sum(axis=0, dtype=np.float64)
    return total / max(len(rows), 1)


def _blocks(
    features: NDArray[Any], rows: NDArray[np.int64], mean: NDArray[np.float64]
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Yield blocks of centred features with a one in the end, [block, size + 1]."""
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        values = np.asarray(features[rows[block]], np.float64) - mean
        yield block, np.hstack([values, np.ones((len(values), 1))])


def _moments(
    features: NDArray[Any],
    rows: NDArray[np.int64],
    targets: NDArray[np.bool_],
    weights: NDArray[np.float64],
    mean: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted sums of products of features with features, and with targets."""
    size = features.shape[1] + 1
    gram = np.zeros((size, size))
    cross = np.zeros((size, targets.shape[1]))
    for block, values in _blocks(features, rows, mean):
        weighted = values * weights[block, None]
        gram += weighted.T @ values
        cross += weighted.T @ targets[block]
    return gram, cross


def _coordinates(features: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """The same pictures in coordinates of their own, which are as few as they are: [n, n].

    Ridge regression does not depend on the axes, and is solved so much faster.
    """
    values = np.asarray(features[rows], np.float64)
    values -= values.mean(axis=0)
    variances, axes = np.linalg.eigh(values @ values.T)
    coordinates: NDArray[np.float64] = axes * np.sqrt(np.maximum(variances, 0))
    return coordinates


def _solve(gram: NDArray[np.float64], cross: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    variance = float(np.diag(gram)[:-1].sum()) / size
    ridge = np.full(len(gram), _RIDGE * variance + 1e-9)
    ridge[-1] = 1e-9  # the constant is not held back
    return np.linalg.solve(gram + np.diag(ridge), cross).astype(np.float64)


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    result: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return result


def _likelihood(
    chances: NDArray[np.float64], targets: NDArray[np.bool_], weights: NDArray[np.float64]
) -> float:
    own = chances[np.arange(len(chances)), targets.argmax(axis=1)]
    return float((np.log(np.maximum(own, _MIN_PROBABILITY)) * weights).sum())


def _platt(scores: NDArray[np.float64], targets: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Logistic regression on one score, by Newton's method."""
    design = np.stack([scores, np.ones_like(scores)], axis=1)
    solution = np.zeros(2)
    for _ in range(20):
        chances = 1 / (1 + np.exp(-np.clip(design @ solution, -30, 30)))
        slope = design.T @ (targets - chances) - 1e-3 * solution
        spread = np.maximum(chances * (1 - chances), 1e-6)
        curve = (design * spread[:, None]).T @ design + 1e-3 * np.eye(2)
        solution += np.clip(np.linalg.solve(curve, slope), -5, 5)
    result: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(design @ solution, -30, 30)))
    return result
