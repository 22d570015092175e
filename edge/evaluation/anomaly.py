"""Judges a model of good parts: how many faults it finds, and how many good parts it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edge.evaluation.classification import share
from edge.evaluation.classifier import ClassifierJudge
from edge.model.tasks.anomaly import ANOMALY_LABEL, GOOD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.datasets.dataset import DataSet, Example
    from edge.evaluation.classification import LabelFigures, Scored


def good_or_anomaly(data_set: DataSet) -> DataSet:
    """Take each label but good for anomaly: faults may have names of their own.

    A set without good ones, or with another spelling of good, stays as it is: what its labels mean
    is for a person to say.
    """
    if GOOD not in data_set.labels:
        return data_set
    others = {label for label in data_set.labels if label.casefold() != GOOD}
    examples = tuple(_renamed(example, others) for example in data_set.examples)
    labels = (set(data_set.labels) - others) | ({ANOMALY_LABEL} if others else set())
    return replace(data_set, labels=tuple(sorted(labels)), examples=examples)


def _renamed(example: Example, faults: set[str]) -> Example:
    names = [ANOMALY_LABEL if label in faults else label for label in example.labels]
    return replace(example, labels=tuple(dict.fromkeys(names)))


class AnomalyJudge(ClassifierJudge):
    """Judges by the answers: an anomaly from its threshold on, or else good."""

    def _scored(self) -> Scored:
        scored = super()._scored()
        good, anomaly = (scored.labels.index(label) for label in (GOOD, ANOMALY_LABEL))
        is_shown = scored.scores[:, anomaly] >= self._selection.threshold_of(ANOMALY_LABEL)
        shown = np.zeros_like(scored.shown)
        shown[:, good], shown[:, anomaly] = ~is_shown, is_shown
        return replace(scored, shown=shown)

    def _figures(
        self, scored: Scored, right: NDArray[np.bool_], labels: Sequence[LabelFigures]
    ) -> dict[str, float | None]:
        anomaly = scored.labels.index(ANOMALY_LABEL)
        is_anomaly = scored.truth[:, anomaly]
        is_good = scored.truth[:, scored.labels.index(GOOD)]
        is_shown = scored.shown[:, anomaly]
        figures = super()._figures(scored, right, labels)
        figures["area_under_roc"] = area_under_roc(scored.scores[:, anomaly], is_anomaly)
        figures["false_alarms"] = share(is_shown[is_good])
        return figures

    def _threshold_words(self) -> str:
        return f"anomaly from a score of {self._selection.threshold_of(ANOMALY_LABEL):g}, or good"


def area_under_roc(scores: NDArray[np.float32], is_anomaly: NDArray[np.bool_]) -> float | None:
    """How often an anomaly has a higher score than a good part; equal scores count half.

    ``None`` without both kinds.
    """
    good = np.sort(scores[~is_anomaly])
    bad = scores[is_anomaly]
    if not len(good) or not len(bad):
        return None
    below = np.searchsorted(good, bad, side="left")
    up_to = np.searchsorted(good, bad, side="right")
    return float((below + up_to).mean() / 2 / len(good))
