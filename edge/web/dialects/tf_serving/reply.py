"""Formats answers as TensorFlow Serving does for AutoML's SavedModels.

A SavedModel's outputs are returned unchanged. A TFLite model answers in the shape of a SavedModel
of the same task, so that a client cannot tell the exports apart.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.model.contract import PixelInput
from edge.web.dialects.tf_serving.request import KEY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.dataplane.answer import Answer
    from edge.model.contract import Contract
    from edge.repository.version import ModelVersion
    from edge.web.dialects.tf_serving.request import PredictRequest

DEFAULT_SIGNATURE = "serving_default"
_PREDICT = "tensorflow/serving/predict"


def reply(request: PredictRequest, answers: Sequence[Answer], contract: Contract) -> dict[str, Any]:
    """``predictions`` for rows, ``outputs`` for columns; a single output goes without its name."""
    rows = [
        _outputs(answer, contract) | ({} if instance.key is None else {KEY: instance.key})
        for instance, answer in zip(request.instances, answers, strict=True)
    ]
    single = len(rows[0]) == 1
    if request.by_column:
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        return {"outputs": next(iter(columns.values())) if single else columns}
    return {"predictions": [next(iter(row.values())) for row in rows] if single else rows}


def _outputs(answer: Answer, contract: Contract) -> dict[str, Any]:
    """Output name to value for one image, without the key."""
    if answer.outputs is not None:
        return {
            name: _as_json(name, value[0]) for name, value in answer.outputs.items() if name != KEY
        }
    spec = contract.input
    input_size = (spec.height, spec.width) if isinstance(spec, PixelInput) else (0, 0)
    found = answer.prediction.task.tf_serving_outputs(
        answer.prediction, contract.classes, input_size
    )
    if contract.signature is None:
        return found
    # The online model answered for a SavedModel: the same outputs, null for those it lacks.
    return {name: found.get(name) for name in contract.signature.outputs if name != KEY}


def _as_json(name: str, value: Any) -> Any:
    """An output's value as JSON: strings as text, or as base64 if the name ends in ``_bytes``."""
    if isinstance(value, np.ndarray):
        return (
            [_as_json(name, element) for element in value]
            if value.dtype == object
            else value.tolist()
        )
    if isinstance(value, bytes):
        if name.endswith("_bytes"):
            return {"b64": base64.b64encode(value).decode()}
        return value.decode("utf-8", "replace")
    return value.item() if isinstance(value, np.generic) else value


def status_reply(version: ModelVersion) -> dict[str, Any]:
    """The state of the version, as `GET /v1/models/{model}` returns it."""
    error_code, message = (
        ("FAILED_PRECONDITION", str(version.fault)) if version.fault else ("OK", "")
    )
    return {
        "model_version_status": [
            {
                "version": str(version.version),
                "state": str(version.state),
                "status": {"error_code": error_code, "error_message": message},
            }
        ]
    }


def metadata_reply(version: ModelVersion) -> dict[str, Any]:
    """The signature, as `GET /v1/models/{model}/metadata` returns it; also for TFLite models."""
    contract = version.contract
    if contract.signature is not None:
        inputs, outputs, method = (
            contract.signature.inputs,
            contract.signature.outputs,
            contract.signature.method,
        )
    else:
        inputs, outputs, method = _INPUTS, _tflite_outputs(contract), _PREDICT
    signature = {"inputs": _tensors(inputs), "outputs": _tensors(outputs), "method_name": method}
    return {
        "model_spec": {"name": version.name, "signature_name": "", "version": str(version.version)},
        "metadata": {"signature_def": {"signature_def": {signature_name(contract): signature}}},
    }


def signature_name(contract: Contract) -> str:
    """Name of the signature in use."""
    return DEFAULT_SIGNATURE if isinstance(contract.input, PixelInput) else contract.input.signature


_INPUTS = {"image_bytes": ("DT_STRING", (-1,), "image_bytes:0"), KEY: ("DT_STRING", (-1,), "key:0")}


def _tflite_outputs(contract: Contract) -> dict[str, tuple[str, tuple[int, ...], str]]:
    tensors = {**contract.task.tf_serving_signature(contract.classes), KEY: ("DT_STRING", (-1,))}
    return {name: (dtype, shape, f"{name}:0") for name, (dtype, shape) in tensors.items()}


def _tensors(tensors: Mapping[str, tuple[str, tuple[int, ...], str]]) -> dict[str, Any]:
    return {
        name: {
            "dtype": dtype,
            "tensor_shape": {
                "dim": [{"size": str(size), "name": ""} for size in shape],
                "unknown_rank": False,
            },
            "name": tensor,
        }
        for name, (dtype, shape, tensor) in tensors.items()
    }
