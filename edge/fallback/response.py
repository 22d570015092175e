"""Reads an online model's response for one image into a `Prediction` in the edge's labels. Pure.

The keys distinguish three shapes:

* AutoML's: Vertex' `prediction_v1` schemas with parallel `displayNames`, `confidences`, `bboxes`;
  box order x_min, x_max, y_min, y_max.
* TensorFlow Serving's: `scores` and `labels`, or `detection_*`, from an exported SavedModel in a
  custom container; box order y_min, x_min, y_max, x_max.
* This service's own: `predictions` of label, score and box, so that a second `edge` can be the
  cloud of the first.

An answer is taken whole or not at all. Whatever no such endpoint would say (a label that is not
text, a box in pixels, a score that is a word) is `CloudNonsense`, so that the edge's answer stands;
nothing is converted, cut or guessed until it fits.
"""

from __future__ import annotations

import math
import unicodedata
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
_OVERSHOOT = 0.5
"""How far a raw detector's box may leave the image: real ones go from -0.34 to 1.38, and a box that
is partly outside is right where it is inside. Pixels are far beyond."""
_CORNERS = 4
_OWN_BOX = ("x_min", "y_min", "x_max", "y_max")

MAX_ROWS = 32_768
"""Rows of one answer; ImageNet, the largest set of labels in use, has 21,841 classes."""
MAX_LABEL_CHARS = 1_024
"""Characters of a label; ImageNet's longest has 121."""
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode's categories of control characters, lone surrogates, and line and paragraph breaks."""
_MAX_QUOTED_CHARS = 80


@dataclass(frozen=True, slots=True)
class _Rows:
    """Labels, scores and boxes as they came: JSON of any kind.

    Attributes:
        order: of a box's coordinates.
        overshoot: how far a box may leave the image, as a share of its side.
    """

    labels: Any
    scores: Any
    boxes: Any = None
    order: Sequence[int] = _XYXY
    overshoot: float = _ROUNDING


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
        CloudNonsense: an unknown shape, another task, no class, lists that are not parallel, more
            than `MAX_ROWS` rows, a label that is not readable text of up to `MAX_LABEL_CHARS`
            characters, a score that is not a number of 0..1, or a box that is not on the image.
    """
    try:
        rows = _rows(value)
        return _predict(rows, task, labels, renamed)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise CloudNonsense(
            f"The online model's answer makes no sense ({type(error).__name__}: {_quoted(error)}). "
            "Does its endpoint serve another task?"
        ) from error


def _predict(
    rows: _Rows, task: Task, edge_labels: tuple[str, ...], renamed: Mapping[str, str]
) -> tuple[Prediction, tuple[str, ...]]:
    labels = [_label(label) for label in _list(rows.labels, "labels")]
    scores = [_score(score) for score in _list(rows.scores, "scores")]
    boxes = None
    if rows.boxes is not None:
        boxes = [_box(box, rows) for box in _list(rows.boxes, "boxes")]
    counts = {len(labels), len(scores), len(scores) if boxes is None else len(boxes)}
    if len(counts) > 1:
        words = "" if boxes is None else f" and {len(boxes)} boxes"
        raise CloudNonsense(
            f"The online model answered {len(labels)} labels for {len(scores)} scores{words}."
        )
    labels = [renamed.get(label, label) for label in labels]
    known = set(edge_labels)
    foreign = tuple(dict.fromkeys(label for label in labels if label not in known))
    cloud_rows = CloudRows(
        labels=labels,
        scores=scores,
        boxes=boxes,
        edge_labels=edge_labels,
        foreign_labels=foreign,
    )
    try:
        prediction = task.read_cloud(cloud_rows)
    except WrongCloudAnswer as error:
        raise CloudNonsense(str(error)) from error
    # A model that names only what it sees has no list of labels to be missing from.
    return prediction, foreign if edge_labels else ()


def _list(value: Any, what: str) -> Sequence[Any]:
    """A list of bounded length; a text or an object is none, though Python can iterate over it."""
    if not isinstance(value, list):
        raise CloudNonsense(f"The online model's {what} are {_quoted(value)}, not a list.")
    if len(value) > MAX_ROWS:
        raise CloudNonsense(
            f"The online model answered {len(value)} {what}; the maximum is {MAX_ROWS}."
        )
    return value


def _label(value: Any) -> str:
    """A label that people can read.

    ``{"b64": ...}`` is none: TensorFlow Serving's REST API writes it only for outputs whose name
    ends in ``_bytes``, and no output that is read here has such a name.
    """
    if not isinstance(value, str):
        raise CloudNonsense(f"The online model answered the label {_quoted(value)}, not a text.")
    if not value.strip() or len(value) > MAX_LABEL_CHARS:
        raise CloudNonsense(
            f"The online model answered a label of {len(value)} characters; "
            f"it must have 1 to {MAX_LABEL_CHARS}, and not only blanks."
        )
    if not value.isprintable() and any(
        unicodedata.category(char) in _UNPRINTABLE for char in value
    ):
        raise CloudNonsense(
            f"The online model answered a label with control characters: {_quoted(value)}."
        )
    return value


def _number(value: Any, what: str) -> float:
    """A finite number as JSON has it; true and "0.5" are none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise CloudNonsense(f"The online model answered the {what} {_quoted(value)}, not a number.")
    return float(value)


def _score(value: Any) -> float:
    """A score clipped to 0..1, which forgives rounding and nothing more."""
    score = _number(value, "score")
    if not -_ROUNDING <= score <= 1 + _ROUNDING:
        raise CloudNonsense(f"The online model answered the score {score:g}; scores are 0..1.")
    return min(max(score, 0.0), 1.0)


def _box(value: Any, rows: _Rows) -> list[float]:
    """A box as x_min, y_min, x_max, y_max, clipped to the image.

    A box in pixels, or one whose sides are exchanged, would be some other place on the image.
    """
    corners = [_number(side, "coordinate") for side in _list(value, "corners")]
    if len(corners) != _CORNERS:
        raise CloudNonsense(
            f"The online model answered a box of {len(corners)} numbers; it has {_CORNERS}."
        )
    least, most = -rows.overshoot, 1 + rows.overshoot
    if not all(least <= corner <= most for corner in corners):
        raise CloudNonsense(
            f"The online model answered the box {_quoted(value)}; its numbers are relative to the "
            "image, 0..1, not pixels."
        )
    x_min, y_min, x_max, y_max = (corners[position] for position in rows.order)
    if x_min > x_max or y_min > y_max:
        raise CloudNonsense(
            f"The online model answered the box {_quoted(value)}, whose maximum is below its "
            "minimum."
        )
    return [min(max(corner, 0.0), 1.0) for corner in (x_min, y_min, x_max, y_max)]


def _quoted(value: Any) -> str:
    """What came, for a message: short and in printable ASCII, whatever it is."""
    words = ascii(value)
    return words if len(words) <= _MAX_QUOTED_CHARS else f"{words[:_MAX_QUOTED_CHARS]}..."


def _rows(value: Any) -> _Rows:
    """The rows of a response in any of the known shapes."""
    if not isinstance(value, dict):
        raise CloudNonsense(f"The online model answered {type(value).__name__}, not an object.")
    for key, read in _SHAPES.items():
        if key in value:
            return read(value)
    keys = _quoted(list(value))
    raise CloudNonsense(f"The online model's answer has an unknown shape; its keys: {keys}.")


def _automl(value: Mapping[str, Any]) -> _Rows:
    return _Rows(value["displayNames"], value["confidences"], value.get("bboxes"), _AUTOML_TO_XYXY)


def _tf_serving_detection(value: Mapping[str, Any]) -> _Rows:
    """Rows beyond ``num_detections`` are padding and not read."""
    scores = _list(value["detection_scores"], "scores")
    count = _whole(value.get("num_detections", len(scores)), 0, len(scores))
    labels = value.get("detection_classes_as_text")
    if not labels:
        numbers = _list(value["detection_classes"], "classes")[:count]
        # Class 0 is the background, which is no object.
        labels = [f"class {_whole(number, 1, MAX_ROWS) - 1}" for number in numbers]
    return _Rows(
        _list(labels, "labels")[:count],
        scores[:count],
        _list(value["detection_boxes"], "boxes")[:count],
        _TENSORFLOW_TO_XYXY,
        _OVERSHOOT,
    )


def _whole(value: Any, least: int, most: int) -> int:
    """A whole number within bounds, as TensorFlow Serving gives one: often as a float."""
    number = _number(value, "count or class")
    if number != int(number) or not least <= number <= most:
        raise CloudNonsense(
            f"The online model answered the count or class {number:g}; "
            f"it is a whole number from {least} to {most}."
        )
    return int(number)


def _tf_serving_classification(value: Mapping[str, Any]) -> _Rows:
    return _Rows(value["labels"], value["scores"])


def _own(value: Mapping[str, Any]) -> _Rows:
    """An answer of this service, as the camera route gives it."""
    found = _list(value["predictions"], "predictions")
    labels = [one["label"] for one in found]
    scores = [one["score"] for one in found]
    task = TASKS.get(str(value.get("task")))
    if task is not None and not task.has_boxes:
        return _Rows(labels, scores)
    boxes = [one["box"] for one in found if one.get("box") is not None]
    return _Rows(labels, scores, [[box[side] for side in _OWN_BOX] for box in boxes])


_SHAPES: Mapping[str, Callable[[Mapping[str, Any]], _Rows]] = {
    "displayNames": _automl,
    "detection_scores": _tf_serving_detection,
    "labels": _tf_serving_classification,
    "predictions": _own,
}
