"""The threshold of each label from which its answers are right as often as wanted. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.evaluation.curves import Curve

_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class LabelThreshold:
    """The threshold of one label for a wanted precision.

    Attributes:
        threshold: least score that is shown, 0..1; ``None`` if no threshold reaches the precision.
        precision: at the threshold, or the best there is; ``None`` if the label was never scored.
        recall: at the threshold, or at the best precision; ``None`` if nothing is of the label.
        shown: number of answers at the threshold.
        is_thin: so few answers that a single error among them would miss the wanted precision.
    """

    label: str
    threshold: float | None
    precision: float | None
    recall: float | None
    shown: int
    is_thin: bool


def find_threshold(label: str, curve: Curve, wanted: float) -> LabelThreshold:
    """Find the lowest threshold with the wanted precision: it shows most of what is there.

    Args:
        curve: of the label, on pictures that the model has not learnt from.
        wanted: precision, above 0 and at most 1.
    """
    if not len(curve.thresholds):
        return LabelThreshold(label, None, None, None, 0, is_thin=True)
    reached = np.flatnonzero((curve.precision >= wanted) & (curve.right > 0))
    if not len(reached):
        best = int(np.argmax(curve.precision))
        return _describe(label, curve, best, None, wanted)
    point = int(reached[-1])
    threshold = threshold_between(curve.thresholds, point)
    return _describe(label, curve, point, threshold, wanted)


def _describe(
    label: str, curve: Curve, point: int, threshold: float | None, wanted: float
) -> LabelThreshold:
    shown = int(curve.shown[point])
    return LabelThreshold(
        label,
        threshold,
        precision=float(curve.precision[point]),
        recall=float(curve.recall[point]) if curve.positives else None,
        shown=shown,
        is_thin=(shown - 1) / shown < wanted,
    )


def threshold_between(scores: NDArray[np.float64], point: int) -> float:
    """A short number over the next lower score, and at most that of the point.

    Half-way if it can be: scores move by 1/256 between builds of the runtime.

    Args:
        scores: float64 [points], falling, each once.
        point: row of the lowest score that reaches the threshold.
    """
    kept = float(scores[point])
    is_last = point + 1 == len(scores)
    left_out = 0.0 if is_last else float(scores[point + 1])
    if is_last:
        return kept if kept == 0 else _shortest(kept)
    middle = round((kept + left_out) / 2, _DIGITS)
    return middle if left_out < middle <= kept else _shortest(kept)


def _shortest(score: float) -> float:
    """The shortest decimal that is the same float32: thresholds are compared as float32."""
    return float(str(np.float32(score)))
