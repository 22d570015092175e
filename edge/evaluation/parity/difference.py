"""How far two answers for one picture are apart: labels, scores, boxes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from edge.evaluation.detection import MATCH_IOU, overlaps
from edge.model.tasks.classification import Classification

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.model.prediction import Item, Selection
    from edge.model.tasks.task import Prediction

_MULTI_LABEL_SCORE: Final = 0.5
"""From which a label of a multi-label model counts as answered, as in `edge.evaluation`."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a picture got elsewhere.

    Attributes:
        prediction: in the labels of the export, followed by any others.
        named: the labels that it gives a score; a recorded answer may name the best five only.
    """

    prediction: Prediction
    named: frozenset[str]


@dataclass(frozen=True, slots=True)
class Difference:
    """How far an answer is from the expected one.

    Attributes:
        same: it has the same best label, the same labels (multi-label), or the same objects.
        agrees: it is the same, or what differs is too close to call: within the tolerance of the
            border where the answer changes.
        scores: the distance of each score that was compared, 0..1.
        overlaps: IoU of each object with the expected one, 0..1.
        distance: one number for everything, 0 for equal; what preprocessing is fitted by.
        words: the best label of both, for people.
    """

    same: bool
    agrees: bool
    scores: tuple[float, ...]
    overlaps: tuple[float, ...]
    distance: float
    words: str

    @property
    def worst(self) -> float:
        """The largest distance of a score; 0 if none could be compared."""
        return max(self.scores, default=0.0)


def compare(own: Prediction, expected: Expected, shown: Selection, tolerance: float) -> Difference:
    """Compare an export's answer with the expected one.

    Args:
        shown: which objects of a detector count.
        tolerance: by how much scores may differ, 0..1.
    """
    if own.task.has_boxes:
        return _compare_objects(own, expected.prediction, shown, tolerance)
    return _compare_classes(own, expected, tolerance)


def _compare_classes(own: Prediction, expected: Expected, tolerance: float) -> Difference:
    own_scores = _by_label(own)
    expected_scores = {
        label: score
        for label, score in _by_label(expected.prediction).items()
        if label in expected.named
    }
    common = [label for label in expected_scores if label in own_scores]
    scores = tuple(abs(own_scores[label] - expected_scores[label]) for label in common)
    best, wanted = _best(own_scores), _best(expected_scores)
    if isinstance(own, Classification) and own.multi_label:
        changed = [
            label
            for label in common
            if (own_scores[label] >= _MULTI_LABEL_SCORE)
            is not (expected_scores[label] >= _MULTI_LABEL_SCORE)
        ]
        same = not changed
        agrees = all(
            abs(expected_scores[label] - _MULTI_LABEL_SCORE) <= tolerance for label in changed
        )
    else:
        same = best == wanted
        # Two scores that may each move by the tolerance change places within twice as much.
        margin = expected_scores[wanted] - expected_scores.get(best, 0.0)
        agrees = same or margin <= 2 * tolerance
    words = f"{best} {own_scores[best]:.2f}, expected {wanted} {expected_scores[wanted]:.2f}"
    return Difference(same, agrees, scores, (), _mean(scores), words)


def _compare_objects(
    own: Prediction, expected: Prediction, shown: Selection, tolerance: float
) -> Difference:
    own_items, wanted_items = own.select(shown), expected.select(shown)
    pairs = _pairs(own_items, wanted_items)
    scores = tuple(abs(own_items[i].score - wanted_items[j].score) for i, j, _ in pairs)
    found = tuple(overlap for _, _, overlap in pairs)
    paired_own, paired_wanted = {i for i, _, _ in pairs}, {j for _, j, _ in pairs}
    rest = [item for i, item in enumerate(own_items) if i not in paired_own]
    rest += [item for j, item in enumerate(wanted_items) if j not in paired_wanted]
    clear = [item for item in rest if item.score >= shown.threshold_of(item.label) + tolerance]
    distances = [
        *(score + 1 - overlap for score, overlap in zip(scores, found, strict=True)),
        *(item.score for item in rest),
    ]
    words = f"{_objects(own_items)}, expected {_objects(wanted_items)}"
    return Difference(not rest, not clear, scores, found, _mean(distances), words)


def _pairs(own: Sequence[Item], wanted: Sequence[Item]) -> list[tuple[int, int, float]]:
    """Objects of the same label that overlap, the greatest overlap first, each once."""
    overlap = overlaps(_boxes(own), _boxes(wanted))
    candidates = [
        (float(overlap[i, j]), i, j)
        for i, j in np.argwhere(overlap >= MATCH_IOU).tolist()
        if own[i].label == wanted[j].label
    ]
    pairs: list[tuple[int, int, float]] = []
    taken_own: set[int] = set()
    taken_wanted: set[int] = set()
    for amount, i, j in sorted(candidates, reverse=True):
        if i not in taken_own and j not in taken_wanted:
            taken_own.add(i)
            taken_wanted.add(j)
            pairs.append((i, j, amount))
    return pairs


def _boxes(items: Sequence[Item]) -> NDArray[np.float64]:
    return np.array([item.box for item in items], np.float64).reshape(-1, 4)


def _by_label(prediction: Prediction) -> dict[str, float]:
    """The score of each label; the better one where a label stands twice."""
    scores: dict[str, float] = {}
    finite = np.nan_to_num(prediction.scores, nan=0.0).tolist()
    for label, score in zip(prediction.labels, finite, strict=True):
        scores[label] = max(score, scores.get(label, 0.0))
    return scores


def _best(scores: dict[str, float]) -> str:
    return max(scores, key=lambda label: scores[label])


def _objects(items: Sequence[Item]) -> str:
    return ", ".join(f"{item.label} {item.score:.2f}" for item in items[:3]) or "nothing"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
