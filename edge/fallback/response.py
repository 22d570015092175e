"""What an online model returns for one image, to a `Prediction` in the edge's labels. Pure.

Three shapes are read, told apart by their keys: AutoML's (Vertex' `prediction_v1` schemas: parallel `displayNames`,
`confidences`, `bboxes`), TensorFlow Serving's (`scores` and `labels`, or `detection_*`: an exported SavedModel in a
custom container), and this service's own answer (`predictions` of label, score and box), so that a second `edge` can be
the cloud of the first. Box orders differ: AutoML x_min, x_max, y_min, y_max; TensorFlow y_min, x_min, y_max, x_max.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.errors import CloudNonsense
from edge.model.contract import Task
from edge.model.prediction import Classification, Detections
from edge.vision.geometry import clip_boxes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge.model.prediction import Prediction

_AUTOML_TO_XYXY = [0, 2, 1, 3]
_TENSORFLOW_TO_XYXY = [1, 0, 3, 2]
_XYXY = [0, 1, 2, 3]
_ROUNDING = 1e-3
_CORNERS = 4
_NO_CLASS = -1
_OWN_BOX = ("x_min", "y_min", "x_max", "y_max")

Rows = tuple["Sequence[str]", "Sequence[float]", "Sequence[Sequence[float]] | None", list[int]]


def read_response(
    value: Any, task: Task, labels: tuple[str, ...], renamed: Mapping[str, str]
) -> tuple[Prediction, tuple[str, ...]]:
    """The prediction, and the labels in it that the edge's model does not have (kept behind its own).

    Args:
        value: one element of ``predictions``, as JSON.
        task: what was asked.
        labels: of the edge's model, in its order; empty where it names only what it sees: then the index of what a
            detector found is -1, and no label is unknown.
        renamed: the online model's label to the edge's.

    Raises:
        CloudNonsense: it is none of the known shapes, of another task, names no class, or holds numbers that are
            none or, as scores, not within 0..1.
    """
    try:
        names, scores, boxes, order = _rows(value)
        if len(names) != len(scores) or (boxes is not None and len(boxes) != len(scores)):
            raise CloudNonsense(f"The online model answered {len(names)} labels for {len(scores)} scores.")
        told = [renamed.get(str(name), str(name)) for name in names]
        numbers = [_score(score) for score in scores]
        known = {label: index for index, label in enumerate(labels)}
        foreign = tuple(dict.fromkeys(label for label in told if label not in known))
        unknown = foreign if labels else ()  # a detector that names only what it sees has no list to be missing from
        every = {**known, **{label: len(labels) + index for index, label in enumerate(foreign)}}
        if task is Task.DETECTION:
            classes = [every[label] if labels else _NO_CLASS for label in told]
            return _detections(told, numbers, boxes, classes, order), unknown
        if boxes is not None:
            raise CloudNonsense("The online model answered with boxes; it is a detector.")
        classes = [every[label] for label in told]
        return _classification((*labels, *foreign), numbers, classes), unknown
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise CloudNonsense(
            f"The online model's answer makes no sense ({type(error).__name__}: {error}). Is it of another task?"
        ) from error


def _score(value: Any) -> float:
    """Within 0..1, rounding apart; written so that NaN is refused, too."""
    score = float(value)
    if not -_ROUNDING <= score <= 1 + _ROUNDING:
        raise CloudNonsense(f"The online model answered the score {value}; scores are 0..1.")
    return min(max(score, 0.0), 1.0)


def _classification(labels: tuple[str, ...], scores: Sequence[float], classes: Sequence[int]) -> Classification:
    """All labels, those the cloud left out with 0; of one that it names twice the better score."""
    if not classes:
        raise CloudNonsense("The online model's answer names no class.")
    every = np.zeros(len(labels), np.float32)
    np.maximum.at(every, np.asarray(classes, np.intp), np.asarray(scores, np.float32))
    return Classification(labels, every, multi_label=bool(sum(scores) > 1 + _ROUNDING))


def _detections(
    labels: Sequence[str],
    scores: Sequence[float],
    boxes: Sequence[Sequence[float]] | None,
    classes: Sequence[int],
    order: list[int],
) -> Detections:
    if boxes is None:
        raise CloudNonsense("The online model answered without boxes; it is no detector.")
    corners = np.asarray(boxes, np.float32).reshape(len(scores), _CORNERS)[:, order]  # boxes of other sizes raise
    if not np.isfinite(corners).all():
        raise CloudNonsense("The online model answered a box whose corners are no numbers.")
    return Detections(
        boxes=clip_boxes(corners),
        classes=np.asarray(classes, np.intp),
        scores=np.asarray(scores, np.float32),
        labels=tuple(labels),
        capacity=len(scores),
    )


def _rows(value: Any) -> Rows:
    """Labels, scores, boxes and their order of coordinates, whichever shape they come in."""
    if not isinstance(value, dict):
        raise CloudNonsense(f"The online model answered {type(value).__name__}, not an object.")
    for key, read in _SHAPES.items():
        if key in value:
            return read(value)
    raise CloudNonsense(f"The online model's answer is of no known shape; its keys: {', '.join(map(str, value))}.")


def _automl(value: Mapping[str, Any]) -> Rows:
    return value["displayNames"], value["confidences"], value.get("bboxes"), _AUTOML_TO_XYXY


def _tf_detection(value: Mapping[str, Any]) -> Rows:
    count = int(value.get("num_detections", len(value["detection_scores"])))
    names = value.get("detection_classes_as_text") or [f"class {int(one) - 1}" for one in value["detection_classes"]]
    return names[:count], value["detection_scores"][:count], value["detection_boxes"][:count], _TENSORFLOW_TO_XYXY


def _tf_classification(value: Mapping[str, Any]) -> Rows:
    return value["labels"], value["scores"], None, _XYXY


def _own(value: Mapping[str, Any]) -> Rows:
    found = value["predictions"]
    boxes = [[one["box"][edge] for edge in _OWN_BOX] for one in found if one.get("box") is not None]
    if value.get("task") == Task.CLASSIFICATION:
        return [one["label"] for one in found], [one["score"] for one in found], None, _XYXY
    return [one["label"] for one in found], [one["score"] for one in found], boxes, _XYXY


_SHAPES: Mapping[str, Callable[[Mapping[str, Any]], Rows]] = {
    "displayNames": _automl,
    "detection_scores": _tf_detection,
    "labels": _tf_classification,
    "predictions": _own,
}
