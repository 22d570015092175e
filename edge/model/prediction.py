"""What is shown of a prediction, in one form for every task, entrance and source.

Boxes are (x_min, y_min, x_max, y_max), relative 0..1 to the upright image, origin top left. Scores
are 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Selection:
    """What is shown: the best ``top_k`` of the scores that reach their threshold."""

    top_k: int
    threshold: float
    label_thresholds: Mapping[str, float]

    def reached(self, labels: tuple[str, ...], scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which scores reach the threshold of their label; both are parallel."""
        if not self.label_thresholds:
            return scores >= self.threshold
        limits = [self.label_thresholds.get(label, self.threshold) for label in labels]
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
            x_min, y_min, x_max, y_max = (round(edge, _DIGITS) for edge in self.box)
            found["box"] = {"x_min": x_min, "y_min": y_min, "x_max": x_max, "y_max": y_max}
        return found


def best_first(scores: NDArray[np.float32], top_k: int) -> NDArray[np.intp]:
    """Indices of the best scores; equal scores stay in the model's order."""
    return np.argsort(-scores, kind="stable")[:top_k]
