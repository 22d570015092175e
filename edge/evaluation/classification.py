"""Figures of a classifier: how often it is right, for each label, and what it confuses. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from edge.evaluation.curves import average_precision, precision_recall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

NOTHING: Final = -1
"""In place of a column: no label reached its threshold."""

_Z_95: Final = 1.959964
"""Standard deviations within which 95 % of a normal distribution lie."""


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """How well one label is told.

    Attributes:
        positives: pictures (or objects) that are of the label.
        answered: those for which the model answered the label.
        right: those for which both hold.
        average_precision: area under the curve of precision over recall; ``None`` if nothing is of
            the label.
    """

    label: str
    positives: int
    answered: int
    right: int
    average_precision: float | None = None

    @property
    def precision(self) -> float | None:
        """Share of the label's answers that are right; ``None`` if it was never answered."""
        return self.right / self.answered if self.answered else None

    @property
    def recall(self) -> float | None:
        """Share of what is of the label that was answered so; ``None`` if nothing is."""
        return self.right / self.positives if self.positives else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall; ``None`` if neither is defined."""
        both = self.positives + self.answered
        return 2 * self.right / both if both else None


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What a classifier said of pictures whose labels are known.

    Attributes:
        labels: of the columns, each once.
        scores: float32 [pictures, labels], 0..1, finite.
        truth: bool [pictures, labels]: what each picture shows.
        shown: bool [pictures, labels]: what the thresholds in force show of it.
    """

    labels: tuple[str, ...]
    scores: NDArray[np.float32]
    truth: NDArray[np.bool_]
    shown: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def answers(self) -> NDArray[np.intp]:
        """Column of the best shown label of each picture, intp [pictures]; `NOTHING` if none is."""
        if not self.labels:
            return np.full(len(self), NOTHING, np.intp)
        visible = np.where(self.shown, self.scores, -1.0)
        return np.where(self.shown.any(axis=1), visible.argmax(axis=1), NOTHING)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the best shown label of each picture is one of its own, bool [pictures]."""
        answers = self.answers
        of_answer: NDArray[np.bool_] = self.truth[np.arange(len(self)), answers]
        right: NDArray[np.bool_] = of_answer & (answers != NOTHING)
        return right

    @property
    def all_right(self) -> NDArray[np.bool_]:
        """Whether exactly the labels of each picture are shown, bool [pictures]."""
        alike: NDArray[np.bool_] = (self.shown == self.truth).all(axis=1)
        return alike

    @property
    def only_best(self) -> NDArray[np.bool_]:
        """The best shown label alone, bool [pictures, labels]."""
        answers = self.answers
        best = np.zeros_like(self.shown)
        answered = np.flatnonzero(answers != NOTHING)
        best[answered, answers[answered]] = True
        return best


def share(flags: NDArray[np.bool_]) -> float | None:
    """The share of true ones, 0..1; ``None`` of none at all."""
    return float(flags.mean()) if len(flags) else None


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of those that are defined; ``None`` if none is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """Where the true share lies with 95 % confidence, given a sample: Wilson's score interval.

    Args:
        total: size of the sample, 1 or more.
    """
    z = _Z_95
    centre = (right + z * z / 2) / (total + z * z)
    spread = z * math.sqrt(right * (total - right) / total + z * z / 4) / (total + z * z)
    return max(0.0, centre - spread), min(1.0, centre + spread)


def label_figures(scored: Scored, answered: NDArray[np.bool_]) -> list[LabelFigures]:
    """The figures of each label, in the order of the columns.

    Args:
        answered: bool [pictures, labels]: what counts as the model's answer.
    """
    both = (scored.truth & answered).sum(axis=0)
    return [
        LabelFigures(
            label,
            positives=int(scored.truth[:, column].sum()),
            answered=int(answered[:, column].sum()),
            right=int(both[column]),
            average_precision=_average_precision(scored, column),
        )
        for column, label in enumerate(scored.labels)
    ]


def _average_precision(scored: Scored, column: int) -> float | None:
    truth = scored.truth[:, column]
    positives = int(truth.sum())
    return average_precision(precision_recall(scored.scores[:, column], truth, positives))


def in_best(scored: Scored, count: int) -> NDArray[np.bool_]:
    """Whether a label of each picture is among the model's best ``count``, bool [pictures]."""
    order = np.argsort(-scored.scores, axis=1, kind="stable")[:, :count]
    among: NDArray[np.bool_] = np.take_along_axis(scored.truth, order, axis=1)
    inside: NDArray[np.bool_] = np.logical_or.reduce(among, axis=1)
    return inside


def confusion(scored: Scored) -> NDArray[np.intp]:
    """How often each label was answered for each, intp [labels, labels + 1].

    Rows are what pictures show, columns what was answered; the last column counts pictures of which
    nothing is shown. Each picture has one label.
    """
    size = len(scored.labels)
    counts = np.zeros((size, size + 1), np.intp)
    answers = np.where(scored.answers == NOTHING, size, scored.answers)
    np.add.at(counts, (scored.truth.argmax(axis=1), answers), 1)
    return counts
