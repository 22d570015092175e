"""Classification: a score for every class of the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.model.prediction import Item, Selection, best_first
from edge.model.rules import Reason, judged_score, within_band
from edge.model.tasks.task import Task, WrongCloudAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge.model.rules import Rules
    from edge.model.tasks.task import (
        Classes,
        CloudRows,
        Outputs,
        Prediction,
        RealOutputs,
        TensorInfo,
    )
    from edge.vision.geometry import Region

NONE_OF_THE_ABOVE = "None_of_the_above"
"""AutoML's label for pictures that show none of the others; it puts it last."""

_MULTI_LABEL_SCORE = 0.5
"""Minimum score for a class of a multi-label image to count as seen, and to become a training
label."""
_ROUNDING = 1e-3


@dataclass(frozen=True, slots=True)
class Classification:
    """A score for every class.

    Attributes:
        labels: of all classes, in the model's order.
        scores: float32 [classes], 0..1, parallel to ``labels``.
        multi_label: the scores are independent of each other.
        unlike_training: the picture is unlike all training pictures; ``None`` if the model cannot
            say.
    """

    labels: tuple[str, ...]
    scores: NDArray[np.float32]
    multi_label: bool
    unlike_training: bool | None = None

    @property
    def heat_map(self) -> None:
        """Classifiers do not say where."""
        return

    @property
    def task(self) -> Task:
        """The task, classification."""
        return CLASSIFICATION

    def select(self, selection: Selection) -> list[Item]:
        """Return the classes to show, best first; equal scores keep the model's order."""
        every = len(self.scores)
        order = best_first(self.scores, every if selection.label_thresholds else selection.top_k)
        labels = tuple(self.labels[i] for i in order)
        shown = order[selection.reached(labels, self.scores[order])][: selection.top_k]
        return [Item(self.labels[i], int(i), float(self.scores[i])) for i in shown]

    def best(self, count: int) -> list[Item]:
        """Return the ``count`` best of all classes."""
        return self.select(Selection(count, 0.0, {}))


class ClassificationTask(Task):
    """Which of the model's classes the image shows."""

    name = "classification"
    default_threshold = 0.0
    default_top_k = 5
    has_boxes = False
    cloud_side = 640
    signature_outputs = frozenset({"scores"})
    signature_labels = "labels"

    def read_tensors(
        self, outputs: RealOutputs, classes: Classes, region: Region
    ) -> Classification:
        """Read ``scores`` [1, classes], 0..1, and ``features`` where training is known."""
        del region
        scores = outputs["scores"].reshape(-1)
        unlike = None
        if classes.distribution is not None:
            unlike = classes.distribution.is_unlike(outputs["features"])
        return Classification(classes.labels or (), scores, classes.multi_label, unlike)

    def read_signature(self, outputs: Outputs, classes: Classes) -> Classification:
        """Read ``scores`` float32 [1, classes] and ``labels`` string [1, classes]."""
        scores = np.asarray(outputs["scores"][0], np.float32)
        labels = classes.labels
        if labels is None and "labels" in outputs:
            labels = tuple(label.decode("utf-8", "replace") for label in outputs["labels"][0])
        return Classification(labels or (), scores, classes.multi_label)

    def read_cloud(self, rows: CloudRows) -> Classification:
        """Give every label a score: 0 if the cloud left it out, the best if it named it twice."""
        if rows.boxes is not None:
            raise WrongCloudAnswer("The online model answered with boxes; it is a detector.")
        if not rows.labels:
            raise WrongCloudAnswer("The online model's answer names no class.")
        labels = (*rows.edge_labels, *rows.foreign_labels)
        scores = np.zeros(len(labels), np.float32)
        indices = np.asarray(rows.indices, np.intp)
        np.maximum.at(scores, indices, np.asarray(rows.scores, np.float32))
        multi_label = bool(sum(rows.scores) > 1 + _ROUNDING)
        return Classification(labels, scores, multi_label)

    def class_labels(self, prediction: Prediction) -> tuple[str, ...] | None:
        """Return every label: a classifier scores all of them."""
        if len(prediction.labels) != len(prediction.scores):
            raise ValueError(
                f"it answers {len(prediction.scores)} scores for {len(prediction.labels)} labels"
            )
        return prediction.labels

    def uncertainty(self, prediction: Prediction, shown: Selection, rules: Rules) -> Reason | None:
        """Judge the picture, then all scores, shown or not: a band, a low best, a narrow margin."""
        del shown
        assert isinstance(prediction, Classification)
        if prediction.unlike_training:
            return Reason.UNLIKE_TRAINING
        scores, labels = prediction.scores, prediction.labels
        if not len(scores):
            return Reason.LOW_SCORE
        first = int(scores.argmax())
        if rules.bands:
            indices = range(len(scores)) if prediction.multi_label else (first,)
            for index in indices:
                band = rules.bands.get(labels[index])
                if band is not None and within_band(scores[index], band):
                    return Reason.UNSURE_BAND
        best = judged_score(scores[first])
        # Not `best < threshold`: the NaN of a broken model is unsure as well.
        if labels[first] not in rules.bands and not best >= rules.threshold:
            return Reason.LOW_SCORE
        if prediction.multi_label or len(scores) == 1:
            return None
        second = judged_score(np.partition(scores, -2)[-2])
        margin = judged_score(best - second)
        return Reason.NARROW_MARGIN if margin < rules.margin else None

    def agrees(self, edge: Prediction, cloud: Prediction, shown: Selection) -> bool:
        """Whether the best class is the same."""
        del shown
        return _best_label(edge) == _best_label(cloud)

    def seen_labels(self, prediction: Prediction, shown: Selection) -> tuple[str, ...]:
        """Return the best label; for a multi-label model also each with a score of 0.5 or more."""
        del shown
        assert isinstance(prediction, Classification)
        if not len(prediction.scores):
            return ()
        seen = {_best_label(prediction)}
        if prediction.multi_label:
            likely = np.flatnonzero(prediction.scores >= _MULTI_LABEL_SCORE)
            seen.update(prediction.labels[index] for index in likely)
        return tuple(sorted(seen))

    def headline(self, items: Sequence[Item]) -> Sequence[str]:
        """Count an answer by its best class."""
        return [item.label for item in items[:1]]

    def tf_serving_outputs(
        self, prediction: Prediction, classes: Classes, input_size: tuple[int, int]
    ) -> dict[str, Any]:
        """Return ``labels`` and ``scores`` of all classes."""
        del classes, input_size
        return {"labels": list(prediction.labels), "scores": prediction.scores.tolist()}

    def tf_serving_signature(self, classes: Classes) -> dict[str, TensorInfo]:
        """Return ``labels`` and ``scores`` [batch, classes]."""
        shape = (-1, classes.count)
        return {"labels": ("DT_STRING", shape), "scores": ("DT_FLOAT", shape)}

    def import_file(self, *, multi_label: bool) -> str:
        """Name it after Vertex AI's image_classification_(single|multi)_label_io_format."""
        return "classification_multi_label" if multi_label else "classification"

    def import_annotations(
        self, items: Sequence[Mapping[str, Any]], *, multi_label: bool
    ) -> dict[str, Any]:
        """Return the best label; for a multi-label model all labels with a score of 0.5 or more."""
        if multi_label:
            sure = [item for item in items if item["score"] >= _MULTI_LABEL_SCORE]
            names = [{"displayName": item["label"]} for item in sure]
            return {"classificationAnnotations": names} if names else {}
        if not items:
            return {}
        return {"classificationAnnotation": {"displayName": items[0]["label"]}}

    def import_nothing(self, *, multi_label: bool) -> dict[str, Any]:
        """Return AutoML's label for it; no label where a picture may have several, or none."""
        if multi_label:
            return {"classificationAnnotations": []}
        return {"classificationAnnotation": {"displayName": NONE_OF_THE_ABOVE}}


CLASSIFICATION = ClassificationTask()
"""The task; it has no state."""


def _best_label(prediction: Prediction) -> str:
    return prediction.labels[int(prediction.scores.argmax())]
