"""Reads an online model's response for one image into a `Prediction` in the edge's labels. Pure.

The keys distinguish three shapes:

* AutoML's: Vertex' `prediction_v1` schemas with parallel `displayNames`, `confidences`, `bboxes`;
  box order x_min, x_max, y_min, y_max.
* TensorFlow Serving's: `scores` and `labels`, or `detection_*`, from an exported SavedModel in a
  custom container; box order y_min, x_min, y_max, x_max.
* This service's own: `predictions` of label, score and box, so that a second `edge` can be the
  cloud of the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.errors import CloudNonsense
from edge.model.tasks.registry import TASKS
from edge.model.tasks.task import CloudRows, WrongCloudAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge.model.tasks.task import Prediction, Task

_AUTOML_TO_XYXY = (0, 2, 1, 3)
_TENSORFLOW_TO_XYXY = (1, 0, 3, 2)
_XYXY = (0, 1, 2, 3)
_ROUNDING = 1e-3
_CORNERS = 4
_OWN_BOX = ("x_min", "y_min", "x_max", "y_max")


@dataclass(frozen=True, slots=True)
class _Rows:
    """Labels, scores and boxes as they came, and the order of a box's coordinates."""

    labels: Sequence[str]
    scores: Sequence[float]
    boxes: Sequence[Sequence[float]] | None
    order: Sequence[int] = _XYXY


def read_response(
    value: Any, task: Task, labels: tuple[str, ...], renamed: Mapping[str, str]
) -> tuple[Prediction, tuple[str, ...]]:
    """The prediction, and the labels in it that the edge's model does not have, after its own.

    Args:
        value: one element of ``predictions``, as JSON.
        task: what was requested.
        labels: of the edge's model, in its order; empty if it names only what it sees: then the
            index of each detected object is -1, and no label is unknown.
        renamed: the online model's label to the edge's.

    Raises:
        CloudNonsense: an unknown shape, another task, no class, a malformed number, or a score
            outside 0..1.
    """
    try:
        rows = _rows(value)
        return _predict(rows, task, labels, renamed)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise CloudNonsense(
            f"The online model's answer makes no sense ({type(error).__name__}: {error}). "
            "Does its endpoint serve another task?"
        ) from error


def _predict(
    rows: _Rows, task: Task, edge_labels: tuple[str, ...], renamed: Mapping[str, str]
) -> tuple[Prediction, tuple[str, ...]]:
    counts = {len(rows.labels), len(rows.scores)}
    if rows.boxes is not None:
        counts.add(len(rows.boxes))
    if len(counts) > 1:
        raise CloudNonsense(
            f"The online model answered {len(rows.labels)} labels for {len(rows.scores)} scores."
        )
    labels = [renamed.get(str(label), str(label)) for label in rows.labels]
    known = set(edge_labels)
    foreign = tuple(dict.fromkeys(label for label in labels if label not in known))
    cloud_rows = CloudRows(
        labels=labels,
        scores=[_score(score) for score in rows.scores],
        boxes=None if rows.boxes is None else _in_order(rows.boxes, rows.order),
        edge_labels=edge_labels,
        foreign_labels=foreign,
    )
    try:
        prediction = task.read_cloud(cloud_rows)
    except WrongCloudAnswer as error:
        raise CloudNonsense(str(error)) from error
    # A model that names only what it sees has no list of labels to be missing from.
    return prediction, foreign if edge_labels else ()


def _in_order(boxes: Sequence[Sequence[float]], order: Sequence[int]) -> list[list[float]]:
    """Boxes as x_min, y_min, x_max, y_max; raises ``ValueError`` if one has not four numbers."""
    for box in boxes:
        if len(box) != _CORNERS:
            raise ValueError(f"a box has {len(box)} numbers, not {_CORNERS}")
    return [[float(box[position]) for position in order] for box in boxes]


def _score(value: Any) -> float:
    """A score clipped to 0..1; refuses one beyond rounding. The comparison also refuses NaN."""
    score = float(value)
    if not -_ROUNDING <= score <= 1 + _ROUNDING:
        raise CloudNonsense(f"The online model answered the score {value}; scores are 0..1.")
    return min(max(score, 0.0), 1.0)


def _rows(value: Any) -> _Rows:
    """The rows of a response in any of the known shapes."""
    if not isinstance(value, dict):
        raise CloudNonsense(f"The online model answered {type(value).__name__}, not an object.")
    for key, read in _SHAPES.items():
        if key in value:
            return read(value)
    keys = ", ".join(map(str, value))
    raise CloudNonsense(f"The online model's answer has an unknown shape; its keys: {keys}.")


def _automl(value: Mapping[str, Any]) -> _Rows:
    return _Rows(value["displayNames"], value["confidences"], value.get("bboxes"), _AUTOML_TO_XYXY)


def _tf_serving_detection(value: Mapping[str, Any]) -> _Rows:
    count = int(value.get("num_detections", len(value["detection_scores"])))
    labels = value.get("detection_classes_as_text")
    if not labels:
        labels = [f"class {int(one) - 1}" for one in value["detection_classes"]]
    return _Rows(
        labels[:count],
        value["detection_scores"][:count],
        value["detection_boxes"][:count],
        _TENSORFLOW_TO_XYXY,
    )


def _tf_serving_classification(value: Mapping[str, Any]) -> _Rows:
    return _Rows(value["labels"], value["scores"], None)


def _own(value: Mapping[str, Any]) -> _Rows:
    """An answer of this service, as the camera route gives it."""
    found = value["predictions"]
    labels = [one["label"] for one in found]
    scores = [one["score"] for one in found]
    task = TASKS.get(str(value.get("task")))
    if task is not None and not task.has_boxes:
        return _Rows(labels, scores, None)
    boxes = [one["box"] for one in found if one.get("box") is not None]
    return _Rows(labels, scores, [[box[side] for side in _OWN_BOX] for box in boxes])


_SHAPES: Mapping[str, Callable[[Mapping[str, Any]], _Rows]] = {
    "displayNames": _automl,
    "detection_scores": _tf_serving_detection,
    "labels": _tf_serving_classification,
    "predictions": _own,
}
