"""Chooses the penalty of a head by the pictures of the validation split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from edge.datasets.dataset import Split
from edge.training.head import DEFAULT_PENALTY, PENALTIES, HeadFit, weighted_loss

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge.training.feature_table import FeatureTable
    from edge.training.head import Head
    from edge.training.training_set import TrainingSet

MIN_VALIDATION: Final = 10
"""Fewer pictures do not tell which of two heads, or networks, is better."""

_PATIENCE: Final = 2
_CHUNK: Final = 2_048


@dataclass(frozen=True, slots=True)
class ChosenHead:
    """A fitted head.

    Attributes:
        loss: mean cross entropy of the validation pictures; ``None`` if they were too few.
    """

    head: Head
    penalty: float
    loss: float | None


def fit_best_head(
    training_set: TrainingSet, table: FeatureTable, advance: Callable[[int, int], None]
) -> ChosenHead:
    """Fit with each penalty, the largest first, and keep the one of the least loss.

    Args:
        table: features of every picture of the set.
        advance: called with the number of penalties done and of all.
    """
    targets = training_set.targets()
    trained = training_set.indices(Split.TRAINING)
    held_out = training_set.indices(Split.VALIDATION)
    fit = HeadFit(table.subset(trained), targets[trained], multi_label=training_set.multi_label)
    if len(held_out) < MIN_VALIDATION:
        head = fit.fit(DEFAULT_PENALTY)
        advance(1, 1)
        return ChosenHead(head, DEFAULT_PENALTY, None)
    fitted: list[tuple[float, ChosenHead]] = []
    for number, penalty in enumerate(PENALTIES, 1):
        head = fit.fit(penalty)
        loss = _mean_loss(head, table.subset(held_out), targets[held_out])
        fitted.append((loss, ChosenHead(head, penalty, loss)))
        advance(number, len(PENALTIES))
        best = min(range(len(fitted)), key=lambda index: fitted[index][0])
        if best < len(fitted) - _PATIENCE:
            break
    advance(len(PENALTIES), len(PENALTIES))
    return min(fitted, key=lambda pair: pair[0])[1]


def _mean_loss(head: Head, table: FeatureTable, targets: NDArray[np.float32]) -> float:
    total = 0.0
    for start in range(0, len(table), _CHUNK):
        rows = slice(start, start + _CHUNK)
        scores = head.scores(table.rows(rows))
        total += weighted_loss(scores, targets[rows], np.float32(1), multi_label=head.multi_label)
    return total / len(table)
