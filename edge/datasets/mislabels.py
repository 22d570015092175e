"""Finds pictures that are probably mislabelled: a classifier that has not seen them contradicts.

A picture is suspected if another label is more likely than it is on average for the pictures that
carry it (confident learning: Northcutt, Jiang and Chuang 2021), and much more likely than its own.
With several labels for a picture each label is judged by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edge.datasets.cross_validation import (
    FOLDS,
    cross_validated_scores,
    independent_probabilities,
    probabilities,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge.datasets.dataset import Example

MIN_PICTURES: Final = FOLDS
"""Of a label (near duplicates counted once) without which nothing can be said about it."""

_MAX_CELLS: Final = 5_000_000
"""Pictures times labels, of which several tables of 8 bytes a cell are held: 160 MB."""

_MIN_LEAD: Final = 0.7
"""By which another label must be more likely than the picture's own. Where labels are hard to tell
apart, 0.5 would accuse as many right ones as wrong ones."""

_SURE: Final = 0.9
"""Probability that is enough for a label, however sure its other pictures are."""

_SURE_OF_SEVERAL: Final = 0.95
"""Where a picture may have several labels: probability from which one should be there. It should
not be there if its absence is as probable."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A picture whose label is probably wrong.

    Attributes:
        index: of the example.
        has: the label that it has; empty if a label is missing.
        suggested: the label that is more likely; empty if ``has`` is one too many.
        confidence: how much more likely, 0..1.
    """

    index: int
    has: str
    suggested: str
    confidence: float

    def moved_to(self, index: int) -> Suspect:
        """The same about another index."""
        return replace(self, index=index)


def find_suspects(
    examples: Sequence[Example],
    features: NDArray[Any],
    rows: NDArray[np.int64],
    groups: NDArray[np.int64],
    advance: Callable[[], None] = lambda: None,
) -> list[Suspect] | None:
    """Find pictures that are probably mislabelled, the surest first.

    Args:
        examples: of a classification.
        features: [records, size]; may be a memory map.
        rows: record of each example, -1 for one without features, int64 [n].
        groups: of near duplicates, int64 [n].
        advance: called once for each of `FOLDS`.

    Returns:
        ``None`` if nothing can be said: fewer than two labels have `MIN_PICTURES`, or there are
        too many of both for the memory.
    """
    labels = _judged_labels(examples, rows, groups)
    if len(labels) < 2 or len(labels) * len(examples) > _MAX_CELLS:  # noqa: PLR2004 -- two to choose
        return None
    number = {label: index for index, label in enumerate(labels)}
    several = any(len(example.labels) > 1 for example in examples)
    indices = [
        index
        for index, example in enumerate(examples)
        if rows[index] >= 0
        and all(label in number for label in example.labels)
        and (several or example.labels)
    ]
    targets = np.zeros((len(indices), len(labels)), bool)
    for place, index in enumerate(indices):
        for label in examples[index].labels:
            targets[place, number[label]] = True
    kept = np.array(indices)
    scores = cross_validated_scores(features, rows[kept], targets, groups[kept], advance)
    if several:
        found = _several_labels(independent_probabilities(scores, targets), targets)
    else:
        found = _one_label(probabilities(scores, targets, groups[kept]), targets)
    suspects = [
        Suspect(
            indices[place],
            labels[has] if has >= 0 else "",
            labels[suggested] if suggested >= 0 else "",
            round(confidence, 4),
        )
        for place, has, suggested, confidence in found
    ]
    return sorted(suspects, key=lambda one: (-one.confidence, one.index))


def _judged_labels(
    examples: Sequence[Example], rows: NDArray[np.int64], groups: NDArray[np.int64]
) -> list[str]:
    """The labels with enough pictures."""
    seen: dict[str, set[int]] = {}
    for index, example in enumerate(examples):
        if rows[index] >= 0:
            for label in example.labels:
                seen.setdefault(label, set()).add(int(groups[index]))
    return sorted(label for label, own in seen.items() if len(own) >= MIN_PICTURES)


_Found = tuple[int, int, int, float]
"""Place, number of the label that is there, of the one that is more likely (-1: none), surety."""


def _one_label(chances: NDArray[np.float64], targets: NDArray[np.bool_]) -> list[_Found]:
    means = [chances[own, label].mean() for label, own in enumerate(targets.T)]
    usual = np.minimum(means, _SURE)
    given = targets.argmax(axis=1)
    places = np.arange(len(given))
    # Of the labels that reach what is usual for them the likeliest, as in confident learning.
    confident = np.where(chances >= usual, chances, 0)
    best = confident.argmax(axis=1)
    lead = confident[places, best] - chances[places, given]
    suspected = np.flatnonzero((best != given) & (lead >= _MIN_LEAD))
    return [(int(one), int(given[one]), int(best[one]), float(lead[one])) for one in suspected]


def _several_labels(chances: NDArray[np.float64], targets: NDArray[np.bool_]) -> list[_Found]:
    found: list[_Found] = []
    for label, own in enumerate(targets.T):
        chance = chances[:, label]
        missing = ~own & (chance >= _SURE_OF_SEVERAL)
        extra = own & (chance <= 1 - _SURE_OF_SEVERAL)
        found += [(int(one), -1, label, float(chance[one])) for one in np.flatnonzero(missing)]
        found += [(int(one), label, -1, float(1 - chance[one])) for one in np.flatnonzero(extra)]
    return found
