"""Raw outputs of a detector to `Detections`: only the rows it counted, boxes carried to the image and clipped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.model.prediction import Detections
from edge.vision.geometry import WHOLE_IMAGE, Region, clip_boxes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge.model.contract import Contract

    Outputs = Mapping[str, NDArray[Any]]

_YXYX_TO_XYXY = [1, 0, 3, 2]


def from_tensors(outputs: Outputs, contract: Contract, region: Region) -> Detections:
    """Read TFLite's ``boxes`` [1, M, 4] (ymin, xmin, ymax, xmax), ``classes`` [1, M], ``scores`` [1, M], ``count`` [1].

    Classes are 0-based without background. Rows behind the count are stale memory and are not read.
    """
    real = {role: tensor.real(outputs[role]) for role, tensor in contract.outputs.items()}
    boxes = real["boxes"].reshape(-1, 4)
    capacity = len(boxes)
    rows = _count(real["count"], capacity)
    classes = _indices(real["classes"].reshape(-1)[:rows])
    return Detections(
        boxes=clip_boxes(region.to_image(boxes[:rows, _YXYX_TO_XYXY])),
        classes=classes,
        scores=real["scores"].reshape(-1)[:rows],
        labels=_labels(classes, contract.labels or ()),
        capacity=capacity,
    )


def from_signature(outputs: Outputs, contract: Contract) -> Detections:
    """Read a SavedModel's ``detection_*`` outputs [1, M, ...]; its classes are 1-based, its rows named as text."""
    boxes = np.asarray(outputs["detection_boxes"][0], np.float32)
    capacity = len(boxes)
    rows = _count(outputs["num_detections"], capacity) if "num_detections" in outputs else capacity
    classes = _indices(outputs["detection_classes"][0][:rows]) - 1
    if contract.labels is not None or "detection_classes_as_text" not in outputs:
        labels = _labels(classes, contract.labels or ())
    else:
        labels = tuple(text.decode("utf-8", "replace") for text in outputs["detection_classes_as_text"][0][:rows])
    return Detections(
        boxes=clip_boxes(WHOLE_IMAGE.to_image(boxes[:rows, _YXYX_TO_XYXY])),
        classes=classes,
        scores=np.asarray(outputs["detection_scores"][0][:rows], np.float32),
        labels=labels,
        capacity=capacity,
    )


def _count(count: NDArray[Any], capacity: int) -> int:
    return round(float(np.nan_to_num(count.reshape(-1)[0], nan=0.0).clip(0, capacity)))


def _indices(classes: NDArray[Any]) -> NDArray[np.intp]:
    """Class numbers as indices; what is no number is no class of the model's: -1."""
    numbers = np.nan_to_num(classes.astype(np.float32), nan=-1.0, posinf=-1.0, neginf=-1.0)
    return np.rint(numbers).astype(np.intp)


def _labels(classes: NDArray[np.intp], labels: tuple[str, ...]) -> tuple[str, ...]:
    """A label a row. A class outside the labels keeps its number as its name: shown, never mistaken for another."""
    return tuple(labels[i] if 0 <= i < len(labels) else f"class {i}" for i in classes)
