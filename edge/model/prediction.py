"""What is shown of a prediction, in the form that every task, entrance and source shares.

Boxes are (x_min, y_min, x_max, y_max), relative 0..1 to the upright image, origin top left. Scores are 0..1.
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
    """Which predictions are shown: the best ``top_k`` of those that reach their threshold."""

    top_k: int
    threshold: float
    label_thresholds: Mapping[str, float]

    def reached(self, labels: tuple[str, ...], scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which of the parallel labels and scores reach their threshold."""
        if not self.label_thresholds:
            return scores >= self.threshold
        limits = [self.label_thresholds.get(label, self.threshold) for label in labels]
        return scores >= np.array(limits, np.float32)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was seen.

    Attributes:
        label: name of its class.
        index: of the class in the model's labels, from 0.
        score: 0..1.
        box: where it is; ``None`` for a task without boxes.
    """

    label: str
    index: int
    score: float
    box: tuple[float, float, float, float] | None = None

    def as_json(self) -> dict[str, Any]:
        """The item as answers and the outbox show it; 6 digits, which is what float32 holds."""
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
