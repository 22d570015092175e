"""Fits the last layer of a classifier in NumPy: from a picture's features to a logit per label.

Single-label: multinomial logistic regression. Multi-label: an independent one per label. Features
are scaled by one number for all of them. Scaling each by its own spread would be folded into the
weights, whose largest then decide the int8 scale of a whole row: accuracy fell from 0.88 to 0.61.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from edge.training.lbfgs import minimise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from edge.training.feature_table import FeatureTable

    Floats = NDArray[np.float32]

PENALTIES: Final = (1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6)
"""Weights of the squared norm of all weights, from a plain head to one that follows every picture;
for features whose mean squared length is 1 after scaling."""

DEFAULT_PENALTY: Final = 3e-5
"""Where too few pictures are left to choose by: on the data sets measured it is within half a point
of the best."""

_CHUNK: Final = 2_048
"""Pictures whose features are float32 at a time: 10 MB of 1,280 features."""

_MAX_FLOAT_BYTES: Final = 48 << 20
"""Features up to this size are converted to float32 once instead of at each step: 9,800 pictures
of 1,280 features."""

_MAX_STEPS: Final = 150

_TINY: Final = np.float32(1e-12)


@dataclass(frozen=True, slots=True)
class Head:
    """A last layer: logits = features @ weights.T + bias.

    Attributes:
        weights: float32 [labels, features], of the features as they are.
        bias: float32 [labels].
        multi_label: logits go through a sigmoid each, instead of a softmax.
    """

    weights: Floats
    bias: Floats
    multi_label: bool

    def logits(self, features: Floats) -> Floats:
        """Logits float32 [pictures, labels] of features float32 [pictures, features]."""
        return features @ self.weights.T + self.bias

    def scores(self, features: Floats) -> Floats:
        """Scores 0..1, float32 [pictures, labels]."""
        return activate(self.logits(features), multi_label=self.multi_label)


def activate(logits: Floats, *, multi_label: bool) -> Floats:
    """Logits to scores 0..1: a sigmoid of each, or a softmax of each row."""
    if multi_label:
        limited = np.clip(logits, np.float32(-80), np.float32(80))
        scores: Floats = (1 / (1 + np.exp(-limited))).astype(np.float32)
        return scores
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares


def class_weights(targets: Floats, *, multi_label: bool) -> Floats:
    """What a picture counts in training: float32 [pictures, 1], or [pictures, labels].

    A label with a tenth of another's pictures counts for about a third of it instead of a tenth:
    the square root of the share that would make all labels equal. Making them equal costs accuracy
    on sets as uneven as the line that they come from.
    """
    count = len(targets)
    of_label = np.maximum(targets.sum(axis=0), 1)
    if multi_label:
        absent = np.maximum(count - of_label, 1)
        weights = np.where(
            targets > 0, np.sqrt(count / 2 / of_label), np.sqrt(count / 2 / absent)
        ).astype(np.float32)
    else:
        labels_seen = max(int((targets.sum(axis=0) > 0).sum()), 1)
        of_labels = np.sqrt(count / labels_seen / of_label).astype(np.float32)
        weights = (targets @ of_labels)[:, None]
    mean: Floats = (weights / weights.mean()).astype(np.float32)
    return mean


class HeadFit:
    """Fits heads with several penalties to one table of features, each from the one before.

    Args:
        table: features of the training pictures.
        targets: float32 [pictures, labels], 0 or 1.
    """

    def __init__(self, table: FeatureTable, targets: Floats, *, multi_label: bool) -> None:
        self._table = table
        self._targets = targets
        self._multi_label = multi_label
        self._weights = class_weights(targets, multi_label=multi_label)
        self._mean, square = table.moments()
        self._scale = np.float32(1 / np.sqrt(max(square - float(self._mean @ self._mean), 1e-12)))
        self._whole = None
        if table.float_bytes <= _MAX_FLOAT_BYTES:
            self._whole = (table.rows(slice(None)) - self._mean) * self._scale
        self._state = np.zeros((targets.shape[1], table.size + 1), np.float32)
        if multi_label:
            share = targets.mean(axis=0).clip(0.01, 0.99)
            self._state[:, -1] = np.log(share / (1 - share))

    def fit(self, penalty: float) -> Head:
        """Fit with one penalty, starting from the last fit."""
        shape = self._state.shape

        def loss(flat: Floats) -> tuple[float, Floats]:
            return self._loss(flat.reshape(shape), penalty)

        self._state = minimise(loss, self._state.ravel(), _MAX_STEPS).reshape(shape)
        weights = self._state[:, :-1] * self._scale
        bias = self._state[:, -1] - weights @ self._mean
        if not self._multi_label:  # a softmax does not see what all logits share
            weights, bias = weights - weights.mean(axis=0), bias - bias.mean()
        return Head(weights.astype(np.float32), bias.astype(np.float32), self._multi_label)

    def _loss(self, state: Floats, penalty: float) -> tuple[float, Floats]:
        weights, bias = state[:, :-1], state[:, -1]
        count = len(self._targets)
        gradient = np.empty_like(state)
        gradient[:, :-1], gradient[:, -1] = penalty * weights, 0
        total = 0.5 * penalty * float(np.vdot(weights, weights))
        for rows, features in self._chunks():
            targets = self._targets[rows]
            weight = self._weights[rows] / np.float32(count)
            scores = activate(features @ weights.T + bias, multi_label=self._multi_label)
            total += weighted_loss(scores, targets, weight, multi_label=self._multi_label)
            error = (scores - targets) * weight
            gradient[:, :-1] += error.T @ features
            gradient[:, -1] += error.sum(axis=0)
        return total, gradient.ravel()

    def _chunks(self) -> Iterator[tuple[slice, Floats]]:
        for start in range(0, len(self._targets), _CHUNK):
            rows = slice(start, start + _CHUNK)
            if self._whole is not None:
                yield rows, self._whole[rows]
            else:
                yield rows, (self._table.rows(rows) - self._mean) * self._scale


def weighted_loss(
    scores: Floats, targets: Floats, weights: Floats | np.float32, *, multi_label: bool
) -> float:
    """The cross entropy, summed: of the right label's score, or of every label's."""
    loss = -float((np.log(np.maximum(scores, _TINY)) * targets * weights).sum())
    if multi_label:
        absent = np.log(np.maximum(1 - scores, _TINY)) * (1 - targets)
        loss -= float((absent * weights).sum())
    return loss
