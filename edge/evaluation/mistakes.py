"""The worst of a classifier's mistakes, with what it said and why that is wrong. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from edge.evaluation.evaluation import Mistake
from edge.model.prediction import Item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.datasets.dataset import Example
    from edge.evaluation.classification import Scored

MAX_MISTAKES: Final = 60
"""Mistakes that are kept: more than anyone looks at in one page."""


def worst_mistakes(
    scored: Scored, examples: Sequence[Example], *, multi_label: bool
) -> list[Mistake]:
    """The pictures that are not all right, those where the scores are surest first.

    Args:
        examples: of the rows.
    """
    right = scored.all_right if multi_label else scored.right
    wrong = np.flatnonzero(~right)
    if multi_label:
        errors = np.where(scored.shown != scored.truth, np.abs(scored.scores - scored.truth), 0)
        weights = errors.max(axis=1, initial=0.0)
    else:
        weights = scored.scores.max(axis=1, initial=0.0)
    order = wrong[np.argsort(-weights[wrong], kind="stable")][:MAX_MISTAKES]
    describe = _multi_label_mistake if multi_label else _single_label_mistake
    return [describe(scored, int(row), examples[row], float(weights[row])) for row in order]


def _multi_label_mistake(scored: Scored, row: int, example: Example, weight: float) -> Mistake:
    truth, shown = scored.truth[row], scored.shown[row]
    missing = [scored.labels[i] for i in np.flatnonzero(truth & ~shown)]
    excess = [scored.labels[i] for i in np.flatnonzero(shown & ~truth)]
    why = "; ".join(
        f"{words}: {', '.join(names)}"
        for words, names in (("missing", missing), ("too much", excess))
        if names
    )
    return Mistake(example, _shown_items(scored, row), weight, why)


def _single_label_mistake(scored: Scored, row: int, example: Example, weight: float) -> Mistake:
    own = int(scored.truth[row].argmax())
    why = f"is {scored.labels[own]}, to which it gives {scored.scores[row, own]:.2f}"
    return Mistake(example, _shown_items(scored, row)[:1], weight, why)


def _shown_items(scored: Scored, row: int) -> list[Item]:
    """What is shown of a picture, best first."""
    scores = scored.scores[row]
    columns = np.flatnonzero(scored.shown[row])
    best = columns[np.argsort(-scores[columns], kind="stable")]
    return [Item(scored.labels[i], int(i), float(scores[i])) for i in best]
