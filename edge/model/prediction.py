"""What is shown of a prediction, in one form for every task, entrance and source.

Boxes are (x_min, y_min, x_max, y_max), relative 0..1 to the upright image, origin top left. Scores
are 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge.vision.geometry import Region

_DIGITS = 6
_HEAT_DIGITS = 2


@dataclass(frozen=True, slots=True)
class Selection:
    """What is shown: the best ``top_k`` of the scores that reach their threshold."""

    top_k: int
    threshold: float
    label_thresholds: Mapping[str, float]

    def threshold_of(self, label: str) -> float:
        """Return the score, 0..1, that a label must reach."""
        return self.label_thresholds.get(label, self.threshold)

    def reached(self, labels: tuple[str, ...], scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which scores reach the threshold of their label; both are parallel."""
        if not self.label_thresholds:
            return scores >= self.threshold
        limits = [self.threshold_of(label) for label in labels]
        return scores >= np.array(limits, np.float32)


@dataclass(frozen=True, slots=True)
class Item:
    """One class or object that is shown.

    Attributes:
        label: name of the class.
        index: of the class in the model's labels, from 0.
        score: 0..1.
        box: of the object; ``None`` for a task without boxes.
    """

    label: str
    index: int
    score: float
    box: tuple[float, float, float, float] | None = None

    def as_json(self) -> dict[str, Any]:
        """The item as in answers and the outbox; rounded to 6 digits, the precision of float32."""
        found: dict[str, Any] = {
            "label": self.label,
            "index": self.index,
            "score": round(self.score, _DIGITS),
        }
        if self.box is not None:
            found["box"] = _box_json(self.box)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """Where in an image a model sees what it is looking for.

    Attributes:
        scores: float32 [rows, columns], 0..1, a score for each place of a grid over ``region``.
        region: the part of the image that the model saw.
    """

    scores: NDArray[np.float32]
    region: Region

    def as_json(self) -> list[list[float]]:
        """The rows, from the top; rounded to 2 digits, since it is looked at."""
        rows: list[list[float]] = self.scores.astype(np.float64).round(_HEAT_DIGITS).tolist()
        return rows

    def region_json(self) -> dict[str, float]:
        """The region, in the form of a box."""
        region = self.region
        return _box_json((region.x_min, region.y_min, region.x_max, region.y_max))


@dataclass(frozen=True, slots=True)
class Nearest:
    """What came nearest to being shown, where nothing is.

    Attributes:
        item: with the best score of all.
        threshold: that its score did not reach, 0..1.
    """

    item: Item
    threshold: float

    def as_json(self) -> dict[str, Any]:
        """As in answers: the item, and the threshold."""
        return {**self.item.as_json(), "threshold": round(self.threshold, _DIGITS)}


class _Selectable(Protocol):
    def select(self, selection: Selection) -> list[Item]: ...


def find_nearest(prediction: _Selectable, shown: Selection) -> Nearest | None:
    """Find what came nearest in a prediction of which ``shown`` shows nothing.

    ``None`` if no score reads as more than 0.
    """
    best = prediction.select(Selection(1, 0.0, {}))
    if not best or round(best[0].score, _DIGITS) <= 0:
        return None
    return Nearest(best[0], shown.threshold_of(best[0].label))


def best_first(scores: NDArray[np.float32], top_k: int) -> NDArray[np.intp]:
    """Indices of the best scores; equal scores stay in the model's order."""
    return np.argsort(-scores, kind="stable")[:top_k]


def _box_json(box: tuple[float, float, float, float]) -> dict[str, float]:
    x_min, y_min, x_max, y_max = (round(edge, _DIGITS) for edge in box)
    return {"x_min": x_min, "y_min": y_min, "x_max": x_max, "y_max": y_max}
