"""Fits a `TrainingDistribution`: how pictures of a label vary, and how far they lie apart.

Bounds come from cross-validation. Distances of pictures to a distribution that was fitted to them
are too small; so each picture is measured with the four fifths of the others.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from edge.model.training_distribution import TrainingDistribution

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.training.feature_table import FeatureTable

    Floats = NDArray[np.float32]

KEPT: Final = 0.95
"""Share of known pictures that should pass."""

MIN_PICTURES: Final = 20
"""Fewer do not tell where 95 of 100 lie."""

_MIN_OF_GROUP: Final = 40
"""Pictures from which on a group has a bound of its own; others share that of all pictures."""

_MAX_GROUPS: Final = 500
_MAX_DISTANCES: Final = 10_000_000
"""With more labels, or more distances of pictures to labels (40 MB), all pictures are one group."""

_WITHIN: Final = 32
"""Dimensions in which pictures of a label vary most. 64 and 128 found no more strangers."""

_BETWEEN: Final = 32
"""Dimensions in which labels lie apart."""

_FOLDS: Final = 5
_CHUNK: Final = 2_048
_ITERATIONS: Final = 12  # of the subspace; more change bounds by less than a thousandth
_SHRINKAGE: Final = 0.05


class _Moments:
    """Sums over pictures, from which a distribution is fitted; they can be added and taken off."""

    def __init__(self, groups: int, size: int) -> None:
        self.counts = np.zeros(groups, np.int64)
        self.sums = np.zeros((groups, size), np.float32)
        self.squares = np.zeros((size, size), np.float32)

    def add(self, rows: Floats, groups: NDArray[np.intp]) -> None:
        np.add.at(self.counts, groups, 1)
        np.add.at(self.sums, groups, rows)
        self.squares += rows.T @ rows

    def plus(self, other: _Moments, sign: int = 1) -> _Moments:
        total = _Moments.__new__(_Moments)
        total.counts = self.counts + sign * other.counts
        total.sums = self.sums + np.float32(sign) * other.sums
        total.squares = self.squares + np.float32(sign) * other.squares
        return total


def fit_distribution(table: FeatureTable, labels: NDArray[np.intp]) -> TrainingDistribution | None:
    """Fit to pictures; ``None`` if they are too few.

    Args:
        labels: intp [pictures], the number of each picture's label; all zeros for a multi-label
            set, whose pictures form one group.
    """
    groups = int(labels.max(initial=0)) + 1
    if groups > _MAX_GROUPS or groups * len(table) > _MAX_DISTANCES:
        labels, groups = np.zeros_like(labels), 1
    if len(table) < max(MIN_PICTURES, 2 * groups):
        return None
    folds = _folds(labels)
    parts = [_Moments(groups, table.size) for _ in range(_FOLDS)]
    offset, _ = table.moments()  # squares of centred numbers lose no digits
    for rows in _chunks(len(table)):
        features = table.rows(rows) - offset
        for fold, part in enumerate(parts):
            chosen = folds[rows] == fold
            part.add(features[chosen], labels[rows][chosen])
    total = parts[0]
    for part in parts[1:]:
        total = total.plus(part)
    distances = np.empty((len(table), groups), np.float32)
    for fold, part in enumerate(parts):
        fitted = _fit(total.plus(part, -1), offset)
        members = np.flatnonzero(folds == fold)
        for start in range(0, len(members), _CHUNK):
            chosen = members[start : start + _CHUNK]
            distances[chosen] = fitted.distances(table.rows(chosen))
    return replace(_fit(total, offset), bounds=_bounds(distances, labels))


def _chunks(count: int) -> list[slice]:
    return [slice(start, start + _CHUNK) for start in range(0, count, _CHUNK)]


def _folds(labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """The fold of each picture: neighbours of one label, which may be of one moment, share it."""
    folds = np.zeros(len(labels), np.intp)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        folds[members] = np.arange(len(members)) * _FOLDS // len(members)
    return folds


def _fit(moments: _Moments, offset: Floats) -> TrainingDistribution:
    """Everything but the bounds, which are infinite."""
    count, size = int(moments.counts.sum()), len(offset)
    seen = np.maximum(moments.counts, 1)[:, np.newaxis].astype(np.float32)
    means = moments.sums / seen
    within = (moments.squares - (means * seen).T @ means) / np.float32(max(count, 1))
    known = int((moments.counts > 0).sum())
    dimensions = max(1, min(_WITHIN, (count - known) // 2, size - 1))
    inner = _leading(within, dimensions)
    centre = means[moments.counts > 0].mean(axis=0)
    basis = _extended(inner, means[moments.counts > 0] - centre)
    # As the file keeps it, so that bounds fit what serving computes.
    basis = basis.astype(np.float16).astype(np.float32)
    mean = (offset + centre).astype(np.float16).astype(np.float32)
    inside = basis @ within @ basis.T
    spread = float(np.trace(within) - np.trace(inside))
    rest = max(spread / max(size - len(basis), 1), 1e-9)
    shrunk = inside + np.float32(rest) * np.eye(len(basis), dtype=np.float32)
    shrunk += np.diag(_SHRINKAGE * np.diag(inside)).astype(np.float32)
    values, vectors = np.linalg.eigh(shrunk.astype(np.float64))
    whitening = (vectors / np.sqrt(np.maximum(values, 1e-12))) @ vectors.T
    whitening = whitening.astype(np.float32)
    centres = ((means + offset - mean) @ basis.T) @ whitening.T
    centres[moments.counts == 0] = 1e6  # far from everything
    infinite = np.full(len(means), np.inf, np.float32)
    return TrainingDistribution(mean, basis, whitening, centres, rest, infinite)


def _leading(covariance: Floats, dimensions: int) -> Floats:
    """The directions of the largest variance, [dimensions, features], by subspace iteration."""
    rng = np.random.default_rng(0)
    start = rng.normal(size=(len(covariance), dimensions + 8)).astype(np.float32)
    directions, _ = np.linalg.qr(start[:, : len(covariance)])
    for _ in range(_ITERATIONS):
        directions, _ = np.linalg.qr(covariance @ directions)
    _, vectors = np.linalg.eigh(directions.T @ covariance @ directions)
    leading: Floats = (directions @ vectors[:, ::-1][:, :dimensions]).T
    return leading


def _extended(basis: Floats, means: Floats) -> Floats:
    """The basis with the directions in which labels lie apart, orthonormal."""
    outside = means - (means @ basis.T) @ basis
    _, lengths, directions = np.linalg.svd(outside, full_matrices=False)
    counted = lengths > 1e-3 * max(float(lengths[0]), 1e-9)
    extended: Floats = np.concatenate([basis, directions[counted][:_BETWEEN]])
    return extended


def _bounds(distances: Floats, labels: NDArray[np.intp]) -> Floats:
    """Bounds within which 95 of 100 pictures lie: of a label's own, in proportion to its spread."""
    own = distances[np.arange(len(labels)), labels]
    bounds = np.full(distances.shape[1], _quantile(own), np.float32)
    for group in range(len(bounds)):
        members = own[labels == group]
        if len(members) >= _MIN_OF_GROUP:
            bounds[group] = _quantile(members)
    # A picture that is near to any label passes: so the bounds may be tighter than for its own.
    return bounds * np.float32(_quantile((distances / bounds).min(axis=1)))


def _quantile(distances: Floats) -> float:
    """The conformal quantile: another picture lies below it with a probability of 95 %."""
    rank = math.ceil((len(distances) + 1) * KEPT)
    ordered = np.sort(distances)
    return float(ordered[min(rank, len(ordered)) - 1])
