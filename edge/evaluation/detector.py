"""Judges a detector: average precision over all scores, and what serving would show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.evaluation.classification import mean
from edge.evaluation.classifier import micro, of_labels
from edge.evaluation.detection import IOU_THRESHOLDS, MATCH_IOU, DetectionTally
from edge.evaluation.evaluation import Judgement, Mistake
from edge.evaluation.mistakes import MAX_MISTAKES
from edge.model.tasks.detection import Detections

if TYPE_CHECKING:
    from edge.dataplane.answer import Answer
    from edge.evaluation.truth import Selected
    from edge.model.contract import Contract


class DetectorJudge:
    """Keeps a score and ten flags for each detection, and the worst mistakes; no boxes."""

    def __init__(self, selected: Selected, contract: Contract) -> None:
        self._selected = selected
        self._threshold = contract.selection().threshold
        self._tally = DetectionTally(selected.labels)
        self._right: dict[int, bool] = {}
        self._mistakes: list[Mistake] = []

    def add(self, number: int, answer: Answer) -> None:
        """Match the objects of one picture."""
        prediction = answer.prediction
        assert isinstance(prediction, Detections)
        example = self._selected.examples[number]
        missed, false_alarms = self._tally.add(example.boxes or (), prediction, answer.items)
        self._right[number] = not missed and not false_alarms
        if missed or false_alarms:
            why = f"{missed} not found, {false_alarms} wrong"
            mistake = Mistake(example, answer.items, missed + false_alarms, why)
            self._mistakes.append(mistake)
            if len(self._mistakes) > 2 * MAX_MISTAKES:
                self._mistakes = self._worst()

    def judge(self) -> Judgement:
        """Judge what was taken so far."""
        labels = self._tally.label_figures()
        there = [one for one in labels if one.positives]
        by_threshold = [self._tally.average_precisions(one.label) for one in there]
        at = {
            threshold: mean([precisions[step] for precisions in by_threshold])
            for step, threshold in enumerate(IOU_THRESHOLDS)
        }
        pictures = len(self._right)
        figures = {
            "ap": mean(list(at.values())),
            "ap50": at[0.5],
            "ap75": at[0.75],
            **micro(labels),
            "pictures_right": sum(self._right.values()) / pictures if pictures else None,
        }
        words = f"objects from a score of {self._threshold:g}, found from an IoU of {MATCH_IOU}"
        occurring = [one for one in labels if one.positives or one.answered]
        return Judgement(
            figures=figures | of_labels(occurring),
            labels=occurring,
            confusion=self._tally.confusion,
            confusion_labels=self._tally.labels,
            curves={one.label: self._tally.curve(one.label) for one in there},
            calibration=(),
            mistakes=self._worst(),
            right=self._right,
            threshold_words=words,
        )

    def _worst(self) -> list[Mistake]:
        return sorted(self._mistakes, key=lambda one: -one.weight)[:MAX_MISTAKES]
