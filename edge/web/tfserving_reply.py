"""Answers as TensorFlow Serving gives them for AutoML's SavedModels.

A SavedModel's outputs go out unchanged. A TFLite model answers in the very shape that the SavedModel of the same task
would, so that a client cannot tell which export is behind it.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.model.contract import PixelInput
from edge.model.prediction import Classification, Detections
from edge.web.tfserving_request import KEY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.model.contract import Contract
    from edge.repository.servable import Servable
    from edge.service import Answer
    from edge.web.tfserving_request import PredictRequest

DEFAULT_SIGNATURE = "serving_default"
_PREDICT = "tensorflow/serving/predict"


def reply(request: PredictRequest, answers: Sequence[Answer]) -> dict[str, Any]:
    """``predictions`` for rows, ``outputs`` for columns; the name is left out where there is but one output."""
    rows = [
        _outputs(answer) | ({} if instance.key is None else {KEY: instance.key})
        for instance, answer in zip(request.instances, answers, strict=True)
    ]
    single = len(rows[0]) == 1
    if request.by_column:
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        return {"outputs": next(iter(columns.values())) if single else columns}
    return {"predictions": [next(iter(row.values())) for row in rows] if single else rows}


def _outputs(answer: Answer) -> dict[str, Any]:
    """Output name to its value for one image, the key left to the caller."""
    if answer.outputs is not None:
        return {name: _as_json(name, value[0]) for name, value in answer.outputs.items() if name != KEY}
    if isinstance(answer.prediction, Classification):
        found = {"labels": list(answer.prediction.labels), "scores": answer.prediction.scores.tolist()}
    else:
        found = _detection_outputs(answer.prediction, answer.model.contract)
    signature = answer.model.contract.signature
    if signature is None:
        return found
    # The online model answers in a SavedModel's place: with that one's outputs, null for what it cannot tell.
    return {name: found.get(name) for name in signature.outputs if name != KEY}


def _detection_outputs(found: Detections, contract: Contract) -> dict[str, Any]:
    """Rows filled up to the model's capacity with zeros; classes from 1.

    TFLite's graph keeps only a row's best class, so that ``detection_multiclass_scores`` [rows, 1 + classes] has that
    one score, after the background's 0. ``image_info`` is the constant of AutoML's graphs for that input size.
    """
    missing = found.capacity - len(found.scores)
    classes = np.concatenate([found.classes + 1, np.zeros(missing, np.intp)])
    scores = np.concatenate([found.scores, np.zeros(missing, np.float32)])
    boxes = np.concatenate([found.boxes[:, [1, 0, 3, 2]], np.zeros((missing, 4), np.float32)])
    multiclass = np.zeros((found.capacity, 1 + len(contract.labels or ())), np.float32)
    known = (classes > 0) & (classes < multiclass.shape[1])
    multiclass[np.flatnonzero(known), classes[known]] = scores[known]
    spec = contract.input
    size = [spec.height, spec.width] if isinstance(spec, PixelInput) else [0, 0]
    return {
        "num_detections": float(len(found.scores)),
        "detection_boxes": boxes.tolist(),
        "detection_scores": scores.tolist(),
        "detection_classes": classes.astype(float).tolist(),
        "detection_classes_as_text": [*found.labels, *[""] * missing],
        "detection_multiclass_scores": multiclass.tolist(),
        "image_info": [*size, 1, 0, *size],
    }


def _as_json(name: str, value: Any) -> Any:
    """An output's value: numbers as they are, strings as text, or as base64 where the name ends in ``_bytes``."""
    if isinstance(value, np.ndarray):
        return [_as_json(name, element) for element in value] if value.dtype == object else value.tolist()
    if isinstance(value, bytes):
        if name.endswith("_bytes"):
            return {"b64": base64.b64encode(value).decode()}
        return value.decode("utf-8", "replace")
    return value.item() if isinstance(value, np.generic) else value


def status_reply(servable: Servable) -> dict[str, Any]:
    """The state of the version, as `GET /v1/models/{model}` tells it."""
    error_code, message = ("FAILED_PRECONDITION", str(servable.fault)) if servable.fault else ("OK", "")
    return {
        "model_version_status": [
            {
                "version": str(servable.version),
                "state": str(servable.state),
                "status": {"error_code": error_code, "error_message": message},
            }
        ]
    }


def metadata_reply(servable: Servable) -> dict[str, Any]:
    """The signature, as `GET /v1/models/{model}/metadata` tells it; a TFLite model shows its SavedModel's."""
    contract = servable.contract
    if contract.signature is not None:
        inputs, outputs, method = contract.signature.inputs, contract.signature.outputs, contract.signature.method
    else:
        inputs, outputs, method = _INPUTS, _tflite_outputs(servable), _PREDICT
    signature = {"inputs": _tensors(inputs), "outputs": _tensors(outputs), "method_name": method}
    return {
        "model_spec": {"name": servable.name, "signature_name": "", "version": str(servable.version)},
        "metadata": {"signature_def": {"signature_def": {signature_name(contract): signature}}},
    }


def signature_name(contract: Contract) -> str:
    """Name of the signature that serves."""
    return DEFAULT_SIGNATURE if isinstance(contract.input, PixelInput) else contract.input.signature


_INPUTS = {"image_bytes": ("DT_STRING", (-1,), "image_bytes:0"), KEY: ("DT_STRING", (-1,), "key:0")}


def _tflite_outputs(servable: Servable) -> dict[str, tuple[str, tuple[int, ...], str]]:
    classes = len(servable.contract.labels or ())
    shapes: dict[str, tuple[str, tuple[int, ...]]]
    if "boxes" not in servable.contract.outputs:
        shapes = {"labels": ("DT_STRING", (-1, classes)), "scores": ("DT_FLOAT", (-1, classes))}
    else:
        shapes = {
            "num_detections": ("DT_FLOAT", (-1,)),
            "detection_boxes": ("DT_FLOAT", (-1, -1, 4)),
            "detection_scores": ("DT_FLOAT", (-1, -1)),
            "detection_classes": ("DT_FLOAT", (-1, -1)),
            "detection_classes_as_text": ("DT_STRING", (-1, -1)),
            "detection_multiclass_scores": ("DT_FLOAT", (-1, -1, 1 + classes)),
            "image_info": ("DT_INT32", (-1, 6)),
        }
    shapes[KEY] = ("DT_STRING", (-1,))
    return {name: (dtype, shape, f"{name}:0") for name, (dtype, shape) in shapes.items()}


def _tensors(tensors: Mapping[str, tuple[str, tuple[int, ...], str]]) -> dict[str, Any]:
    return {
        name: {
            "dtype": dtype,
            "tensor_shape": {"dim": [{"size": str(size), "name": ""} for size in shape], "unknown_rank": False},
            "name": tensor,
        }
        for name, (dtype, shape, tensor) in tensors.items()
    }
