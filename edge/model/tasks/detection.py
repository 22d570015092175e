"""Detection: objects, each with its class, score and box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.model.prediction import Item, Selection, best_first
from edge.model.rules import Reason, judged_score, within_band
from edge.model.tasks.task import Task, WrongCloudAnswer
from edge.vision.geometry import WHOLE_IMAGE, Region, clip_boxes

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

_YXYX_TO_XYXY = [1, 0, 3, 2]  # its own inverse
_CORNERS = 4
_UNKNOWN_CLASS = -1


@dataclass(frozen=True, slots=True)
class Detections:
    """Rows of detected objects, in the model's order.

    Attributes:
        boxes: float32 [rows, 4], relative 0..1, clipped to the image.
        classes: intp [rows], index of the class, 0-based without background.
        scores: float32 [rows], 0..1.
        labels: of each row.
        capacity: maximum number of rows that the model returns; ``rows`` if unknown.
    """

    boxes: NDArray[np.float32]
    classes: NDArray[np.intp]
    scores: NDArray[np.float32]
    labels: tuple[str, ...]
    capacity: int

    @property
    def unlike_training(self) -> None:
        """Detectors do not say."""
        return

    @property
    def heat_map(self) -> None:
        """Boxes say where."""
        return

    @property
    def task(self) -> Task:
        """The task, detection."""
        return DETECTION

    def select(self, selection: Selection) -> list[Item]:
        """Return the detections to show, best first."""
        reached = np.flatnonzero(selection.reached(self.labels, self.scores))
        order = reached[best_first(self.scores[reached], selection.top_k)]
        return [
            Item(
                self.labels[i],
                int(self.classes[i]),
                float(self.scores[i]),
                tuple(self.boxes[i].tolist()),
            )
            for i in order
        ]

    def best(self, count: int) -> list[Item]:
        """Return the ``count`` best of all detections."""
        return self.select(Selection(count, 0.0, {}))


class DetectionTask(Task):
    """Which objects the image shows, and where."""

    name = "detection"
    default_threshold = 0.3  # detectors always fill all rows; rows with low scores are noise
    default_top_k = 100  # AutoML's detectors return 20 or 40 rows
    has_boxes = True
    cloud_side = 1024
    signature_outputs = frozenset({"detection_boxes", "detection_scores", "detection_classes"})
    signature_labels = "detection_classes_as_text"

    def read_tensors(self, outputs: RealOutputs, classes: Classes, region: Region) -> Detections:
        """Read ``boxes`` [1, M, 4], ``classes`` and ``scores`` [1, M], and ``count`` [1].

        Boxes are ymin, xmin, ymax, xmax. Classes are 0-based without background. Rows after the
        count are stale memory and are not read.
        """
        boxes = outputs["boxes"].reshape(-1, _CORNERS)
        capacity = len(boxes)
        rows = _count(outputs["count"], capacity)
        indices = _indices(outputs["classes"].reshape(-1)[:rows])
        return Detections(
            boxes=clip_boxes(region.to_image(boxes[:rows, _YXYX_TO_XYXY])),
            classes=indices,
            scores=outputs["scores"].reshape(-1)[:rows],
            labels=_labels(indices, classes.labels or ()),
            capacity=capacity,
        )

    def read_signature(self, outputs: Outputs, classes: Classes) -> Detections:
        """Read ``detection_*`` outputs [1, M, ...]; classes are 1-based, and named by text rows."""
        boxes = np.asarray(outputs["detection_boxes"][0], np.float32)
        capacity = len(boxes)
        rows = capacity
        if "num_detections" in outputs:
            rows = _count(outputs["num_detections"], capacity)
        indices = _indices(outputs["detection_classes"][0][:rows]) - 1
        if classes.labels is not None or "detection_classes_as_text" not in outputs:
            labels = _labels(indices, classes.labels or ())
        else:
            texts = outputs["detection_classes_as_text"][0][:rows]
            labels = tuple(text.decode("utf-8", "replace") for text in texts)
        return Detections(
            boxes=clip_boxes(WHOLE_IMAGE.to_image(boxes[:rows, _YXYX_TO_XYXY])),
            classes=indices,
            scores=np.asarray(outputs["detection_scores"][0][:rows], np.float32),
            labels=labels,
            capacity=capacity,
        )

    def read_cloud(self, rows: CloudRows) -> Detections:
        """Return one detection per row, with boxes clipped to the image."""
        if rows.boxes is None:
            raise WrongCloudAnswer("The online model answered without boxes; it is not a detector.")
        boxes = np.asarray(rows.boxes, np.float32).reshape(len(rows.scores), _CORNERS)
        if not np.isfinite(boxes).all():
            raise WrongCloudAnswer(
                "The online model answered with a box whose corners are not finite numbers."
            )
        # A detector that names only what it sees has no list of labels to look an index up in.
        classes = rows.indices if rows.edge_labels else [_UNKNOWN_CLASS] * len(rows.labels)
        return Detections(
            boxes=clip_boxes(boxes),
            classes=np.asarray(classes, np.intp),
            scores=np.asarray(rows.scores, np.float32),
            labels=tuple(rows.labels),
            capacity=len(rows.scores),
        )

    def class_labels(self, prediction: Prediction) -> tuple[str, ...] | None:
        """Return ``None``: a detector names only what it sees."""
        del prediction
        return None

    def uncertainty(self, prediction: Prediction, shown: Selection, rules: Rules) -> Reason | None:
        """Judge what is shown; rows below the threshold are noise."""
        items = prediction.select(shown)
        if not items:
            return Reason.NOTHING_FOUND if rules.empty else None
        for item in items:
            band = rules.bands.get(item.label)
            if band is not None:
                if within_band(item.score, band):
                    return Reason.UNSURE_BAND
            elif judged_score(item.score) < rules.threshold:
                return Reason.LOW_SCORE
        return None

    def agrees(self, edge: Prediction, cloud: Prediction, shown: Selection) -> bool:
        """Whether both show the same objects, wherever their boxes are."""
        return _shown_labels(edge, shown) == _shown_labels(cloud, shown)

    def seen_labels(self, prediction: Prediction, shown: Selection) -> tuple[str, ...]:
        """Return the label of every object that is shown, wherever its box is."""
        return tuple(_shown_labels(prediction, shown))

    def headline(self, items: Sequence[Item]) -> Sequence[str]:
        """Count an answer by every object in it."""
        return [item.label for item in items]

    def tf_serving_outputs(
        self, prediction: Prediction, classes: Classes, input_size: tuple[int, int]
    ) -> dict[str, Any]:
        """Return rows padded with zeros to the model's capacity; classes count from 1.

        A TFLite model returns only the best class of a row. So each row of
        ``detection_multiclass_scores`` [rows, 1 + classes] has that one score; column 0 is the
        background. ``image_info`` is constant in AutoML's graphs for an input size.
        """
        assert isinstance(prediction, Detections)
        missing = prediction.capacity - len(prediction.scores)
        padding = np.zeros((missing, _CORNERS), np.float32)
        numbers = np.concatenate([prediction.classes + 1, np.zeros(missing, np.intp)])
        scores = np.concatenate([prediction.scores, np.zeros(missing, np.float32)])
        boxes = np.concatenate([prediction.boxes[:, _YXYX_TO_XYXY], padding])
        multiclass = np.zeros((prediction.capacity, 1 + classes.count), np.float32)
        known = (numbers > 0) & (numbers < multiclass.shape[1])
        multiclass[np.flatnonzero(known), numbers[known]] = scores[known]
        return {
            "num_detections": float(len(prediction.scores)),
            "detection_boxes": boxes.tolist(),
            "detection_scores": scores.tolist(),
            "detection_classes": numbers.astype(float).tolist(),
            "detection_classes_as_text": [*prediction.labels, *[""] * missing],
            "detection_multiclass_scores": multiclass.tolist(),
            "image_info": [*input_size, 1, 0, *input_size],
        }

    def tf_serving_signature(self, classes: Classes) -> dict[str, TensorInfo]:
        """Return the ``detection_*`` outputs [batch, rows, ...]."""
        return {
            "num_detections": ("DT_FLOAT", (-1,)),
            "detection_boxes": ("DT_FLOAT", (-1, -1, _CORNERS)),
            "detection_scores": ("DT_FLOAT", (-1, -1)),
            "detection_classes": ("DT_FLOAT", (-1, -1)),
            "detection_classes_as_text": ("DT_STRING", (-1, -1)),
            "detection_multiclass_scores": ("DT_FLOAT", (-1, -1, 1 + classes.count)),
            "image_info": ("DT_INT32", (-1, 6)),
        }

    def import_file(self, *, multi_label: bool) -> str:
        """Name it after Vertex AI's image_bounding_box_io_format."""
        del multi_label
        return "detection"

    def import_annotations(
        self, items: Sequence[Mapping[str, Any]], *, multi_label: bool
    ) -> dict[str, Any]:
        """Return one box per item."""
        del multi_label
        if not items:
            return {}
        return {"boundingBoxAnnotations": [_import_box(item) for item in items]}

    def import_nothing(self, *, multi_label: bool) -> dict[str, Any]:
        """Return no boxes: a picture without objects."""
        del multi_label
        return {"boundingBoxAnnotations": []}


DETECTION = DetectionTask()
"""The task; it has no state."""


def _shown_labels(prediction: Prediction, shown: Selection) -> list[str]:
    return sorted(item.label for item in prediction.select(shown))


def _count(count: NDArray[Any], capacity: int) -> int:
    number = float(np.nan_to_num(count.reshape(-1)[0], nan=0.0).clip(0, capacity))
    return round(number)


def _indices(classes: NDArray[Any]) -> NDArray[np.intp]:
    """Convert class numbers to indices; NaN and infinity become -1, which no class has."""
    unknown = float(_UNKNOWN_CLASS)
    numbers = np.nan_to_num(classes.astype(np.float32), nan=unknown, posinf=unknown, neginf=unknown)
    return np.rint(numbers).astype(np.intp)


def _labels(classes: NDArray[np.intp], labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return one label per row; a class without a label is shown by its number."""
    return tuple(labels[i] if 0 <= i < len(labels) else f"class {i}" for i in classes)


def _import_box(item: Mapping[str, Any]) -> dict[str, Any]:
    box = item["box"]
    return {
        "displayName": item["label"],
        "xMin": box["x_min"],
        "yMin": box["y_min"],
        "xMax": box["x_max"],
        "yMax": box["y_max"],
    }
