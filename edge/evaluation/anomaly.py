"""Judges a model of good parts: how many faults it finds, and how many good parts it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edge.evaluation.classifier import ClassifierJudge
from edge.evaluation.roc import make_roc
from edge.model.tasks.anomaly import ANOMALY_LABEL, GOOD

if TYPE_CHECKING:
    from edge.datasets.dataset import DataSet, Example
    from edge.evaluation.classification import Scored
    from edge.evaluation.roc import Roc


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

    def _roc(self, scored: Scored) -> Roc:
        """Of the pictures that show one or the other: what a third label means nobody has said."""
        good, anomaly = (scored.labels.index(label) for label in (GOOD, ANOMALY_LABEL))
        is_judged = scored.truth[:, good] | scored.truth[:, anomaly]
        return make_roc(
            scored.scores[is_judged, anomaly],
            scored.truth[is_judged, anomaly],
            self._selection.threshold_of(ANOMALY_LABEL),
        )

    def _threshold_words(self) -> str:
        return f"anomaly from a score of {self._selection.threshold_of(ANOMALY_LABEL):g}, or good"
