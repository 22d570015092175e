"""What a model says of one image, in one schema for every task, door and source.

Boxes are (x_min, y_min, x_max, y_max), relative 0..1 to the upright image, origin top left. Scores are 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.model.contract import Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge.model.contract import Contract

_DIGITS = 6

DEFAULT_THRESHOLD = {Task.CLASSIFICATION: 0.0, Task.DETECTION: 0.3}
"""Scores under it are not shown. Detectors always fill all their rows, so low ones say nothing."""

DEFAULT_TOP_K = {Task.CLASSIFICATION: 5, Task.DETECTION: 100}
"""How many are shown. AutoML's detectors return 20 or 40 rows."""


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


def selection(contract: Contract, top_k: int | None = None, threshold: float | None = None) -> Selection:
    """What is shown: as the request asks, else as `model.toml` says, else the task's defaults.

    A request's threshold goes before every threshold of the file, those of single labels too.
    """
    tuning, task = contract.tuning, contract.task
    general = DEFAULT_THRESHOLD[task] if tuning.score_threshold is None else tuning.score_threshold
    return Selection(
        top_k=top_k or tuning.top_k or DEFAULT_TOP_K[task],
        threshold=general if threshold is None else threshold,
        label_thresholds=tuning.label_thresholds if threshold is None else {},
    )


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was seen: its label, the class's index in the model, a score, and its box in detection."""

    label: str
    index: int
    score: float
    box: tuple[float, float, float, float] | None = None

    def as_json(self) -> dict[str, Any]:
        """The item as every door and the outbox show it; numbers to 6 digits, which is what float32 holds."""
        found: dict[str, Any] = {"label": self.label, "index": self.index, "score": round(self.score, _DIGITS)}
        if self.box is not None:
            x_min, y_min, x_max, y_max = (round(edge, _DIGITS) for edge in self.box)
            found["box"] = {"x_min": x_min, "y_min": y_min, "x_max": x_max, "y_max": y_max}
        return found


@dataclass(frozen=True, slots=True)
class Classification:
    """A score for every class.

    Attributes:
        labels: of all classes, in the model's order.
        scores: float32 [classes], parallel to ``labels``.
        multi_label: the scores are independent of each other.
    """

    labels: tuple[str, ...]
    scores: NDArray[np.float32]
    multi_label: bool

    def select(self, selection: Selection) -> list[Item]:
        """The shown classes, best first; equal scores in the model's order."""
        order = _best_first(self.scores, selection.top_k if not selection.label_thresholds else len(self.scores))
        labels = tuple(self.labels[i] for i in order)
        keep = selection.reached(labels, self.scores[order])
        found = [Item(self.labels[i], int(i), float(self.scores[i])) for i in order[keep]]
        return found[: selection.top_k]


@dataclass(frozen=True, slots=True)
class Detections:
    """Rows of things seen, as many as the model counted, in the model's order.

    Attributes:
        boxes: float32 [rows, 4], clipped to the image.
        classes: intp [rows], index of the class, 0-based without background.
        scores: float32 [rows].
        labels: of each row.
        capacity: how many rows the model returns at most; ``rows`` where it does not say.
    """

    boxes: NDArray[np.float32]
    classes: NDArray[np.intp]
    scores: NDArray[np.float32]
    labels: tuple[str, ...]
    capacity: int

    def select(self, selection: Selection) -> list[Item]:
        """The shown detections, best first."""
        keep = np.flatnonzero(selection.reached(self.labels, self.scores))
        order = keep[_best_first(self.scores[keep], selection.top_k)]
        return [
            Item(self.labels[i], int(self.classes[i]), float(self.scores[i]), tuple(self.boxes[i].tolist()))
            for i in order
        ]


Prediction = Classification | Detections


def _best_first(scores: NDArray[np.float32], top_k: int) -> NDArray[np.intp]:
    return np.argsort(-scores, kind="stable")[:top_k]
