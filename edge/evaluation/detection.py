"""Figures of a detector: average precision as COCO defines it, confusions and misses. Pure.

Boxes are float [n, 4], x_min, y_min, x_max, y_max, relative 0..1. The overlap of two boxes (IoU) is
the same relative and in pixels.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edge.evaluation.classification import LabelFigures
from edge.evaluation.curves import Curve, interpolated_precision, precision_recall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.datasets.dataset import LabeledBox
    from edge.model.prediction import Item
    from edge.model.tasks.detection import Detections

IOU_THRESHOLDS: Final = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""COCO's .5:.95."""

MATCH_IOU: Final = 0.5
"""Overlap from which a box counts as found, for everything but the mean over all thresholds."""

MAX_DETECTIONS: Final = 100
"""Rows of a picture that count, the best ones; COCO's number."""


def overlaps(
    first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """The IoU of every box of the first [n, 4] with every one of the second [m, 4], [n, m], 0..1.

    A box without area overlaps with nothing.
    """
    a, b = first.astype(np.float64)[:, None], second.astype(np.float64)[None]
    top_left = np.maximum(a[..., :2], b[..., :2])
    bottom_right = np.minimum(a[..., 2:], b[..., 2:])
    common = np.prod(np.clip(bottom_right - top_left, 0.0, None), axis=-1)
    either = _areas(a) + _areas(b) - common
    result: NDArray[np.float64] = np.zeros_like(common)
    np.divide(common, either, out=result, where=either > 0)
    return result


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    areas: NDArray[np.float64] = np.prod(np.clip(boxes[..., 2:] - boxes[..., :2], 0.0, None), -1)
    return areas


def match(overlap: NDArray[np.float64], threshold: float) -> list[int | None]:
    """Give each found box, best first, the unclaimed true box that it overlaps most, as COCO does.

    Args:
        overlap: IoU [found, true], the found ones by falling score.
        threshold: least IoU of a match.

    Returns:
        For each found box the row of its true box, or ``None``.
    """
    left = overlap.copy()
    matched: list[int | None] = []
    for row in range(len(left)):
        best = int(left[row].argmax()) if left.shape[1] else 0
        if not left.shape[1] or left[row, best] < threshold:
            matched.append(None)
            continue
        matched.append(best)
        left[:, best] = -1.0
    return matched


@dataclass(slots=True)
class _Found:
    """The detections of one label: scores, and for each whether it matches at each IoU."""

    scores: list[float] = field(default_factory=list)
    hits: list[tuple[bool, ...]] = field(default_factory=list)


class DetectionTally:
    """Takes picture after picture, and keeps a score and ten flags of each detection, no boxes.

    Args:
        labels: of the model and the set, in the order to show them; others may follow.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = tuple(labels)
        self._found: defaultdict[str, _Found] = defaultdict(_Found)
        self._positives: Counter[str] = Counter()
        self._pairs: Counter[tuple[str | None, str | None]] = Counter()

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels named at the start, then those seen since, sorted."""
        seen = {label for label in (*self._found, *self._positives) if label not in self._labels}
        return (*self._labels, *sorted(seen))

    @property
    def confusion(self) -> NDArray[np.intp]:
        """Objects that are there by what was shown for them, intp [labels + 1, labels + 1].

        The last row is for what was shown where nothing is, the last column for what was missed.
        """
        column: dict[str | None, int] = {label: i for i, label in enumerate(self.labels)}
        column[None] = len(column)
        counts = np.zeros((len(column), len(column)), np.intp)
        for (true, shown), count in self._pairs.items():
            counts[column[true], column[shown]] += count
        return counts

    def add(
        self, truth: Sequence[LabeledBox], detections: Detections, shown: Sequence[Item]
    ) -> tuple[int, int]:
        """Take one picture.

        Args:
            shown: the detections that the thresholds in force show.

        Returns:
            How many true objects were not shown as what they are, and how many shown ones are not
            there.
        """
        for label in {one.label for one in truth} | set(detections.labels):
            self._add_label(label, truth, detections)
        return self._confuse(truth, shown)

    def _add_label(self, label: str, truth: Sequence[LabeledBox], detections: Detections) -> None:
        true_boxes = _boxes([one.box for one in truth if one.label == label])
        rows = np.flatnonzero(np.array(detections.labels, object) == label)
        scores = np.nan_to_num(detections.scores[rows].astype(np.float64), nan=0.0)
        best = np.argsort(-scores, kind="stable")[:MAX_DETECTIONS]
        self._positives[label] += len(true_boxes)
        overlap = overlaps(detections.boxes[rows[best]], true_boxes)
        matches = [match(overlap, threshold) for threshold in IOU_THRESHOLDS]
        found = self._found[label]
        found.scores += scores[best].tolist()
        found.hits += [tuple(one is not None for one in hit) for hit in zip(*matches, strict=True)]

    def _confuse(self, truth: Sequence[LabeledBox], shown: Sequence[Item]) -> tuple[int, int]:
        """Match whatever the labels, the right label first, then the greater overlap."""
        boxes = [item.box for item in shown if item.box is not None]
        overlap = overlaps(_boxes(boxes), _boxes([one.box for one in truth]))
        pairs = [
            (shown[row].label == truth[column].label, float(overlap[row, column]), row, column)
            for row, column in np.argwhere(overlap >= MATCH_IOU).tolist()
        ]
        free_shown, free_true = set(range(len(boxes))), set(range(len(truth)))
        missed, false_alarms = len(truth), len(boxes)
        for is_same, _, row, column in sorted(pairs, reverse=True):
            if row not in free_shown or column not in free_true:
                continue
            free_shown.remove(row)
            free_true.remove(column)
            missed -= is_same
            false_alarms -= is_same
            self._pairs[truth[column].label, shown[row].label] += 1
        self._pairs.update((truth[column].label, None) for column in free_true)
        self._pairs.update((None, shown[row].label) for row in free_shown)
        return missed, false_alarms

    def curve(self, label: str) -> Curve:
        """Precision and recall of a label over the threshold, at `MATCH_IOU`."""
        found = self._found[label]
        right = np.array([hits[0] for hits in found.hits], bool)
        return precision_recall(np.array(found.scores), right, self._positives[label])

    def average_precisions(self, label: str) -> list[float | None]:
        """The label's average precision at each of `IOU_THRESHOLDS`."""
        found = self._found[label]
        scores = np.array(found.scores)
        hits = np.array(found.hits, bool).reshape(-1, len(IOU_THRESHOLDS))
        positives = self._positives[label]
        return [
            interpolated_precision(scores, hits[:, step], positives)
            for step in range(len(IOU_THRESHOLDS))
        ]

    def label_figures(self) -> list[LabelFigures]:
        """Figures of each label: of what is shown, and the average precision at `MATCH_IOU`."""
        figures = []
        confusion = self.confusion
        for column, label in enumerate(self.labels):
            figures.append(
                LabelFigures(
                    label,
                    positives=self._positives[label],
                    answered=int(confusion[:, column].sum()),
                    right=int(confusion[column, column]),
                    average_precision=self.average_precisions(label)[0],
                )
            )
        return figures


def _boxes(boxes: Sequence[tuple[float, float, float, float]]) -> NDArray[np.float64]:
    return np.array(boxes, np.float64).reshape(-1, 4)
