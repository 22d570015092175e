"""Judges a classifier, single- or multi-label, by the answers that serving would give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from edge.errors import UsageError
from edge.evaluation.calibration import calibration, calibration_error
from edge.evaluation.classification import (
    NOTHING,
    Scored,
    confusion,
    in_best,
    label_figures,
    mean,
    share,
)
from edge.evaluation.curves import precision_recall
from edge.evaluation.evaluation import Judgement
from edge.evaluation.mistakes import worst_mistakes
from edge.model.prediction import Selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.dataplane.answer import Answer
    from edge.datasets.dataset import Example
    from edge.evaluation.classification import LabelFigures
    from edge.evaluation.roc import Roc
    from edge.evaluation.truth import Selected
    from edge.model.contract import Contract

MULTI_LABEL_THRESHOLD: Final = 0.5
"""From which a label of a multi-label model counts as answered if `model.toml` sets no threshold:
that of Vertex AI's own evaluation, and of the labels that the outbox exports."""

_TOP: Final = 5


class ClassifierJudge:
    """Keeps a row of scores for each picture: 4 bytes a label, 80 MB for 20,000 with 1,000."""

    def __init__(self, selected: Selected, contract: Contract) -> None:
        self._selected = selected
        self._multi_label = contract.multi_label
        self._selection = _selection(contract)
        self._columns = {label: column for column, label in enumerate(selected.labels)}
        self._numbers: list[int] = []
        self._rows: list[NDArray[np.float32]] = []
        self._certain: list[bool] = []
        self._model_labels: tuple[str, ...] = ()

    def add(self, number: int, answer: Answer) -> None:
        """Keep the scores of one picture."""
        prediction = answer.prediction
        unknown = [label for label in prediction.labels if label not in self._columns]
        if unknown:
            raise UsageError(f"The model answers a label that it does not name: {unknown[0]!r}.")
        self._model_labels = prediction.labels
        row = np.zeros(len(self._columns), np.float32)
        columns = [self._columns[label] for label in prediction.labels]
        # A label that stands twice in a label file counts with its better score.
        np.maximum.at(row, columns, np.nan_to_num(prediction.scores, nan=0.0))
        self._numbers.append(number)
        self._rows.append(row)
        self._certain.append(answer.certain)

    def judge(self) -> Judgement:
        """Judge what was taken so far."""
        scored = self._scored()
        answered = scored.shown if self._multi_label else scored.only_best
        right = scored.all_right if self._multi_label else scored.right
        labels = label_figures(scored, answered)
        best_scores = scored.scores.max(axis=1, initial=0.0)
        best_right = in_best(scored, 1)
        bins = calibration(best_scores, best_right)
        figures = self._figures(scored, right, labels)
        roc = self._roc(scored)
        if roc is not None:
            figures |= roc.figures
        figures["calibration_error"] = calibration_error(bins)
        occurring = [one for one in labels if one.positives or one.answered]
        return Judgement(
            figures=figures | of_labels(occurring),
            labels=occurring,
            confusion=None if self._multi_label else confusion(scored),
            confusion_labels=scored.labels,
            curves={
                one.label: precision_recall(
                    scored.scores[:, column], scored.truth[:, column], one.positives
                )
                for column, one in enumerate(labels)
                if one.positives
            },
            calibration=bins,
            mistakes=worst_mistakes(
                scored,
                [self._examples[number] for number in self._numbers],
                multi_label=self._multi_label,
            ),
            right=dict(zip(self._numbers, right.tolist(), strict=True)),
            threshold_words=self._threshold_words(),
            roc=roc,
        )

    def _roc(self, scored: Scored) -> Roc | None:  # noqa: ARG002 -- models of good parts need it
        """The curve of a model that tells one thing from another; most tell several."""
        return None

    def _scored(self) -> Scored:
        labels = self._selected.labels
        count = len(self._numbers)
        scores = np.stack(self._rows) if count else np.zeros((0, len(labels)), np.float32)
        truth = np.zeros(scores.shape, bool)
        for row, number in enumerate(self._numbers):
            truth[row, [self._columns[label] for label in self._examples[number].labels]] = True
        limits = np.array([self._selection.threshold_of(label) for label in labels], np.float32)
        known = np.array([label in set(self._model_labels) for label in labels], bool)
        return Scored(labels, scores, truth, (scores >= limits) & known)

    @property
    def _examples(self) -> Sequence[Example]:
        return self._selected.examples

    def _figures(
        self, scored: Scored, right: NDArray[np.bool_], labels: Sequence[LabelFigures]
    ) -> dict[str, float | None]:
        certain = np.array(self._certain, bool)
        figures: dict[str, float | None] = {"accuracy": share(right)}
        if self._selected.unknown:
            unknown = [self._columns[label] for label in self._selected.unknown]
            figures["accuracy_known"] = share(right[~scored.truth[:, unknown].any(axis=1)])
        if self._multi_label:
            figures |= micro(labels)
        else:
            figures["balanced_accuracy"] = mean([one.recall for one in labels])
            if len(self._model_labels) > _TOP:
                figures[f"accuracy_top_{_TOP}"] = share(in_best(scored, _TOP))
            figures["answered"] = share(scored.answers != NOTHING)
        of_the_set = [one for one in labels if one.positives]
        figures["macro_precision"] = mean([one.precision for one in of_the_set])
        figures["macro_f1"] = mean([one.f1 for one in of_the_set])
        figures["mean_average_precision"] = mean([one.average_precision for one in of_the_set])
        figures["certain"] = share(certain)
        figures["accuracy_certain"] = share(right[certain])
        return figures

    def _threshold_words(self) -> str:
        limits = self._selection.label_thresholds
        own = f", with {len(limits)} thresholds of single labels" if limits else ""
        if self._multi_label:
            return f"each label from a score of {self._selection.threshold:g}{own}"
        if not self._selection.threshold:
            return f"the best label, whatever its score{own}"
        return f"the best label from a score of {self._selection.threshold:g}{own}"


def _selection(contract: Contract) -> Selection:
    selection = contract.selection()
    if contract.multi_label and contract.tuning.score_threshold is None:
        return Selection(selection.top_k, MULTI_LABEL_THRESHOLD, selection.label_thresholds)
    return selection


def micro(labels: Sequence[LabelFigures]) -> dict[str, float | None]:
    """Precision, recall and F1 over the answers of all labels together."""
    right = sum(one.right for one in labels)
    answered = sum(one.answered for one in labels)
    positives = sum(one.positives for one in labels)
    both = answered + positives
    return {
        "precision": right / answered if answered else None,
        "recall": right / positives if positives else None,
        "f1": 2 * right / both if both else None,
    }


def of_labels(labels: Sequence[LabelFigures]) -> dict[str, float | None]:
    """Figures of single labels by names such as ``recall:rose``."""
    figures: dict[str, float | None] = {}
    for one in labels:
        figures[f"precision:{one.label}"] = one.precision
        figures[f"recall:{one.label}"] = one.recall
        figures[f"f1:{one.label}"] = one.f1
        figures[f"average_precision:{one.label}"] = one.average_precision
    return figures
