"""Collects a model's answers picture by picture, and says in the end how good they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from edge.errors import UsageError
from edge.evaluation.anomaly import AnomalyJudge, good_or_anomaly
from edge.evaluation.classifier import ClassifierJudge
from edge.evaluation.detector import DetectorJudge
from edge.model.tasks.anomaly import ANOMALY
from edge.model.tasks.classification import CLASSIFICATION
from edge.model.tasks.detection import DETECTION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.dataplane.answer import Answer
    from edge.datasets.dataset import DataSet
    from edge.evaluation.evaluation import Judgement
    from edge.evaluation.truth import Selected
    from edge.model.contract import Contract


class Judge(Protocol):
    """Judges the answers of one model; what it keeps of a picture does not grow with its pixels."""

    def add(self, number: int, answer: Answer) -> None:
        """Take the answer for the picture of that number in the selected examples."""
        ...

    def judge(self) -> Judgement:
        """Judge what was taken so far."""
        ...


_JUDGES: Final[Mapping[str, Callable[[Selected, Contract], Judge]]] = {
    CLASSIFICATION.name: ClassifierJudge,
    DETECTION.name: DetectorJudge,
    ANOMALY.name: AnomalyJudge,
}


_TRUTHS: Final[Mapping[str, Callable[[DataSet], DataSet]]] = {ANOMALY.name: good_or_anomaly}
"""What a set means to the models of a task, where that is not what it says."""


def as_judged(data_set: DataSet, contract: Contract) -> DataSet:
    """The set with the labels that a model of this task is judged by."""
    read = _TRUTHS.get(contract.task.name)
    return data_set if read is None else read(data_set)


def make_judge(selected: Selected, contract: Contract) -> Judge:
    """Make the judge of a model's task.

    Raises:
        UsageError: models of its task are not evaluated.
    """
    make = _JUDGES.get(contract.task.name)
    if make is None:
        known = " and ".join(_JUDGES)
        raise UsageError(f"Models for {contract.task} are not evaluated, only {known}.")
    return make(selected, contract)
