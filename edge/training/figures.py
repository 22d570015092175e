"""How well a model does on pictures that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """Of one label: how many of its pictures were found, and how many found were right.

    Attributes:
        recall: ``None`` if no picture shows it.
        precision: ``None`` if no answer names it.
    """

    label: str
    pictures: int
    recall: float | None
    precision: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Of a whole split.

    Attributes:
        accuracy: single-label: share of pictures whose best label is right. Multi-label: share of
            pictures all of whose labels are right. ``None`` without pictures.
        confusion: single-label: pictures [of a label, answered as]; ``None`` for multi-label.
    """

    pictures: int
    accuracy: float | None
    labels: tuple[LabelFigures, ...]
    confusion: NDArray[np.int64] | None


def single_label_figures(labels: tuple[str, ...], scores: Floats, targets: Floats) -> Figures:
    """Figures by the best label; scores and targets are float32 [pictures, labels]."""
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    if len(scores):
        np.add.at(confusion, (targets.argmax(axis=1), scores.argmax(axis=1)), 1)
    shown, found = confusion.sum(axis=1), confusion.sum(axis=0)
    right = confusion.diagonal()
    return Figures(
        len(scores),
        _share(int(right.sum()), len(scores)),
        _label_figures(labels, right, shown, found),
        confusion,
    )


def multi_label_figures(
    labels: tuple[str, ...], scores: Floats, targets: Floats, thresholds: list[float]
) -> Figures:
    """Figures by the labels that reach their thresholds."""
    answered = scores >= np.array(thresholds, np.float32)
    truth = targets > 0
    all_right = int((answered == truth).all(axis=1).sum())
    return Figures(
        len(scores),
        _share(all_right, len(scores)),
        _label_figures(
            labels, (answered & truth).sum(axis=0), truth.sum(axis=0), answered.sum(axis=0)
        ),
        None,
    )


def _label_figures(
    labels: tuple[str, ...],
    right: NDArray[np.int64],
    shown: NDArray[np.int64],
    found: NDArray[np.int64],
) -> tuple[LabelFigures, ...]:
    rows = zip(labels, right.tolist(), shown.tolist(), found.tolist(), strict=True)
    return tuple(
        LabelFigures(label, of_label, _share(hits, of_label), _share(hits, answers))
        for label, hits, of_label, answers in rows
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
