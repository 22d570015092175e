"""Chooses thresholds by validation pictures, which were not trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

WANTED_PRECISION: Final = 0.99
"""Share of the certain answers that should be right."""

MULTI_LABEL_THRESHOLD: Final = 0.5
"""Of a label whose validation pictures are too few to choose by."""

_DEFAULT: Final = 0.5  # the service's own
_HIGHEST: Final = 0.95  # so that some answers stay certain
_STEPS: Final = np.arange(0.5, 0.951, 0.01)
_MIN_PICTURES: Final = 20
_MIN_POSITIVES: Final = 5


def certain_threshold(scores: Floats, targets: Floats) -> float:
    """The lowest best score from which on answers are right often enough; 0.5 to 0.95.

    Args:
        scores: float32 [pictures, labels] of validation pictures.
        targets: parallel to it, 0 or 1.
    """
    if len(scores) < _MIN_PICTURES:
        return _DEFAULT
    best = scores.max(axis=1)
    is_right = targets[np.arange(len(scores)), scores.argmax(axis=1)] > 0
    for threshold in _STEPS:
        is_certain = best >= threshold
        if not is_certain.any():
            break
        if is_right[is_certain].mean() >= WANTED_PRECISION:
            return round(float(threshold), 2)
    return _HIGHEST


def label_thresholds(scores: Floats, targets: Floats) -> list[float]:
    """For each label of a multi-label model the threshold of the best F1, 0.05 to 0.95.

    Between thresholds that are equally good, the one nearest to 0.5.
    """
    chosen = []
    candidates = sorted(np.arange(0.05, 0.951, 0.05), key=lambda threshold: abs(threshold - 0.5))
    for column in range(targets.shape[1]):
        truth = targets[:, column] > 0
        if truth.sum() < _MIN_POSITIVES:
            chosen.append(MULTI_LABEL_THRESHOLD)
            continue
        f1 = [_f1(scores[:, column] >= threshold, truth) for threshold in candidates]
        chosen.append(round(float(candidates[int(np.argmax(f1))]), 2))
    return chosen


def _f1(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    right = float((found & truth).sum())
    return 2 * right / max(float(found.sum() + truth.sum()), 1.0)
