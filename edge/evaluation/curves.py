"""Precision and recall over the threshold, from scores and whether each of them is right. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RECALLS: Final = np.linspace(0.0, 1.0, 101)
"""At which COCO reads the precision: 0, 0.01, ... 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """What would be shown of one label at each threshold, the highest threshold first.

    Attributes:
        thresholds: float64 [points], falling: each score that occurs, once.
        shown: intp [points], number of scores that reach the threshold.
        right: intp [points], of these, those that are right.
        positives: number of things that are there to be found.
    """

    thresholds: NDArray[np.float64]
    shown: NDArray[np.intp]
    right: NDArray[np.intp]
    positives: int

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of what is shown that is right, float64 [points], 0..1."""
        precision: NDArray[np.float64] = self.right / self.shown
        return precision

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of what is there that is shown, float64 [points], 0..1; 0 if nothing is there."""
        recall: NDArray[np.float64] = self.right / max(self.positives, 1)
        return recall


def precision_recall(
    scores: NDArray[np.floating[Any]], right: NDArray[np.bool_], positives: int
) -> Curve:
    """Make the curve of one label.

    Args:
        scores: [n], 0..1, finite.
        right: [n], whether that which has the score is right.
        positives: number of things to be found; may be more than are right.
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order].astype(np.float64)
    cumulated = np.cumsum(right[order])
    # Equal scores pass a threshold together: only the last of them is a point of the curve.
    last = np.flatnonzero(np.append(np.diff(ordered) != 0, np.ones(min(len(ordered), 1), bool)))
    return Curve(ordered[last], last + 1, cumulated[last].astype(np.intp), positives)


def average_precision(curve: Curve) -> float | None:
    """The area under the curve in steps, 0..1, as scikit-learn defines it.

    ``None`` if there is nothing to find.
    """
    if curve.positives == 0:
        return None
    steps = np.diff(curve.recall, prepend=0.0)
    return float(np.sum(steps * curve.precision))


def interpolated_precision(
    scores: NDArray[np.floating[Any]], right: NDArray[np.bool_], positives: int
) -> float | None:
    """The average precision as COCO defines it, 0..1: the mean at 101 recalls.

    The precision at a recall is the best one at that recall or a higher one. Every score is a
    point, equal ones in the order given. ``None`` if there is nothing to find.
    """
    if positives == 0:
        return None
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(right[order])
    precision = found / np.arange(1, len(order) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    first = np.searchsorted(found / positives, _RECALLS, side="left")
    reached = first < len(best_from_here)
    return float(np.sum(best_from_here[first[reached]]) / len(_RECALLS))
