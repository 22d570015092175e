"""Anomaly: whether a part looks as the good parts did that the model has learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edge.model.prediction import HeatMap, Item, best_first
from edge.model.rules import Reason, judged_score, within_band
from edge.model.tasks.task import Task, WrongCloudAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge.model.prediction import Selection
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

GOOD: Final = "good"
ANOMALY_LABEL: Final = "anomaly"
LABELS: Final = (GOOD, ANOMALY_LABEL)
"""Of every such model, in this order."""

FEATURE_MAP: Final = "feature_map"
"""Role of the output that is judged."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """How likely a part is no good one.

    Attributes:
        scores: float32 [2], of good and of anomaly; they add up to 1.
        heat_map: where it looks odd; ``None`` if an online model answered.
    """

    scores: NDArray[np.float32]
    heat_map: HeatMap | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Good and anomaly."""
        return LABELS

    @property
    def unlike_training(self) -> None:
        """To be unlike what was trained is the answer itself."""
        return

    @property
    def task(self) -> Task:
        """The task, anomaly."""
        return ANOMALY

    def select(self, selection: Selection) -> list[Item]:
        """Return one item: anomaly if its score reaches the threshold, or else good."""
        score = self.scores[1]
        # Not `score < threshold`: the NaN of a broken model is no good part.
        is_good = bool(score < np.float32(selection.threshold_of(ANOMALY_LABEL)))
        index = 0 if is_good else 1
        return [self._item(index)]

    def best(self, count: int) -> list[Item]:
        """Return good and anomaly, the more likely one first."""
        return [self._item(index) for index in best_first(self.scores, count).tolist()]

    def _item(self, index: int) -> Item:
        return Item(LABELS[index], index, float(self.scores[index]))


class AnomalyTask(Task):
    """Whether the image shows a good part."""

    name = "anomaly"
    default_threshold = 0.5
    default_top_k = 1
    has_boxes = False
    cloud_side = 640
    signature_outputs = frozenset({"scores", "heat_map"})
    signature_labels = "labels"

    def read_tensors(self, outputs: RealOutputs, classes: Classes, region: Region) -> Anomaly:
        """Read ``feature_map`` [1, height, width, channels]; the oddest place decides."""
        assert classes.good_parts is not None
        distances = classes.good_parts.distances(outputs[FEATURE_MAP][0])
        heat = classes.good_parts.scores(distances)
        return Anomaly(_both(heat.max()), HeatMap(heat, region))

    def read_signature(self, outputs: Outputs, classes: Classes) -> Anomaly:
        """Read ``scores`` float32 [1, 2], of good and anomaly."""
        del classes
        return Anomaly(_both(np.asarray(outputs["scores"], np.float32).reshape(-1)[1]))

    def read_cloud(self, rows: CloudRows) -> Anomaly:
        """Read the score of anomaly, or what is left of that of good."""
        if rows.boxes is not None:
            raise WrongCloudAnswer("The online model answered with boxes; it is a detector.")
        scores = dict(zip(rows.labels, rows.scores, strict=True))
        if ANOMALY_LABEL in scores:
            return Anomaly(_both(scores[ANOMALY_LABEL]))
        if GOOD in scores:
            return Anomaly(_both(1 - scores[GOOD]))
        raise WrongCloudAnswer(
            f"The online model's answer names neither {GOOD} nor {ANOMALY_LABEL}; "
            "map its labels in model.toml."
        )

    def class_labels(self, prediction: Prediction) -> tuple[str, ...] | None:
        """Return good and anomaly."""
        return prediction.labels

    def uncertainty(self, prediction: Prediction, shown: Selection, rules: Rules) -> Reason | None:
        """Judge the better score of the two, and how near that of anomaly is to its threshold.

        The margin is that between both scores where the threshold is 0.5.
        """
        item = prediction.select(shown)[0]
        band = rules.bands.get(item.label)
        if band is not None:
            return Reason.UNSURE_BAND if within_band(item.score, band) else None
        best = judged_score(prediction.scores.max())
        # Not `best < threshold`: the NaN of a broken model is unsure as well.
        if not best >= rules.threshold:
            return Reason.LOW_SCORE
        distance = abs(float(prediction.scores[1]) - shown.threshold_of(ANOMALY_LABEL))
        return Reason.NARROW_MARGIN if judged_score(2 * distance) < rules.margin else None

    def agrees(self, edge: Prediction, cloud: Prediction, shown: Selection) -> bool:
        """Whether both call the part good, or both do not."""
        return self.seen_labels(edge, shown) == self.seen_labels(cloud, shown)

    def seen_labels(self, prediction: Prediction, shown: Selection) -> tuple[str, ...]:
        """Return good or anomaly."""
        return tuple(item.label for item in prediction.select(shown))

    def headline(self, items: Sequence[Item]) -> Sequence[str]:
        """Count an answer as good or as anomaly."""
        return [item.label for item in items[:1]]

    def tf_serving_outputs(
        self, prediction: Prediction, classes: Classes, input_size: tuple[int, int]
    ) -> dict[str, Any]:
        """Return ``labels`` and ``scores``, as of a classifier with both labels."""
        del classes, input_size
        return {"labels": list(LABELS), "scores": prediction.scores.tolist()}

    def tf_serving_signature(self, classes: Classes) -> dict[str, TensorInfo]:
        """Return ``labels`` and ``scores`` [batch, 2]."""
        del classes
        shape = (-1, len(LABELS))
        return {"labels": ("DT_STRING", shape), "scores": ("DT_FLOAT", shape)}

    def import_file(self, *, multi_label: bool) -> str:
        """Name it as that of a classifier, which can be trained on these pictures."""
        del multi_label
        return "classification"

    def import_annotations(
        self, items: Sequence[Mapping[str, Any]], *, multi_label: bool
    ) -> dict[str, Any]:
        """Return good or anomaly."""
        del multi_label
        if not items:
            return {}
        return {"classificationAnnotation": {"displayName": items[0]["label"]}}

    def import_nothing(self, *, multi_label: bool) -> dict[str, Any]:
        """Return none: a part is good, or it is not."""
        del multi_label
        return {}


ANOMALY = AnomalyTask()
"""The task; it has no state."""


def _both(anomaly: float | np.float32) -> NDArray[np.float32]:
    """Scores of good and of anomaly, from that of anomaly."""
    score = np.float32(anomaly)
    return np.array([np.float32(1) - score, score], np.float32)
