"""The body of a TensorFlow Serving `:predict` request: row or column format, to images with their keys."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from edge.errors import BadRequest
from edge.export.families.automl_saved_model import IMAGE_INPUTS

KEY = "key"


@dataclass(frozen=True, slots=True)
class Instance:
    """One image, and the key to echo beside its answer, if it has one."""

    image: bytes
    key: str | None


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """A parsed body.

    Attributes:
        by_column: the request came as ``inputs``, and the reply goes out as ``outputs``.
        signature: as named in the request; ``None`` or empty means the default one.
    """

    instances: list[Instance]
    by_column: bool
    signature: str | None


def parse(body: bytes) -> PredictRequest:
    """Parse a body.

    Raises:
        BadRequest: not JSON, neither or both of ``instances`` and ``inputs``, an unknown input, or an image that is not
            ``{"b64": ...}``; says where.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"JSON Parse error: {error}.") from error
    if not isinstance(content, dict):
        raise BadRequest('The body must be a JSON object such as {"instances": [{"image_bytes": {"b64": "..."}}]}.')
    signature = content.get("signature_name")
    if signature is not None and not isinstance(signature, str):
        raise BadRequest("signature_name must be a string.")
    if ("instances" in content) == ("inputs" in content):
        raise BadRequest('The body must have either "instances" (row format) or "inputs" (column format).')
    if "instances" in content:
        return PredictRequest(_rows(content["instances"]), by_column=False, signature=signature)
    return PredictRequest(_columns(content["inputs"]), by_column=True, signature=signature)


def _rows(instances: Any) -> list[Instance]:
    if not isinstance(instances, list) or not instances:
        raise BadRequest('"instances" must be a list with at least one instance.')
    return [_row(instance, f"instances[{index}]") for index, instance in enumerate(instances)]


def _row(instance: Any, where: str) -> Instance:
    if not isinstance(instance, dict):
        raise BadRequest(f'{where} must be an object such as {{"image_bytes": {{"b64": "..."}}, "key": "1"}}.')
    if set(instance) == {"b64"}:  # one input alone may go without its name
        return Instance(_bytes(instance, where), None)
    name = _image_name(instance, where)
    key = _text(instance[KEY], f"{where}.{KEY}") if KEY in instance else None
    return Instance(_bytes(instance[name], f"{where}.{name}"), key)


def _columns(inputs: Any) -> list[Instance]:
    if not isinstance(inputs, dict) or set(inputs) == {"b64"}:
        inputs = {IMAGE_INPUTS[0]: inputs}
    name = _image_name(inputs, "inputs")
    images = _as_list(inputs[name])
    if not images:
        raise BadRequest(f"inputs.{name} must have at least one image.")
    decoded = [_bytes(image, f"inputs.{name}[{index}]") for index, image in enumerate(images)]
    if KEY not in inputs:
        return [Instance(image, None) for image in decoded]
    keys = [_text(key, f"inputs.{KEY}[{index}]") for index, key in enumerate(_as_list(inputs[KEY]))]
    if len(keys) != len(images):
        raise BadRequest(f"inputs.{name} has {len(images)} elements, inputs.{KEY} {len(keys)}; they must be as many.")
    return [Instance(image, key) for image, key in zip(decoded, keys, strict=True)]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _image_name(inputs: dict[str, Any], where: str) -> str:
    unknown = sorted(set(inputs) - {*IMAGE_INPUTS, KEY})
    if unknown:
        raise BadRequest(f"{where} has the unknown input {unknown[0]!r}. Known: {', '.join((*IMAGE_INPUTS, KEY))}.")
    named = [name for name in IMAGE_INPUTS if name in inputs]
    if len(named) != 1:
        raise BadRequest(f"{where} must have one of {' and '.join(IMAGE_INPUTS)}.")
    return named[0]


def _bytes(value: Any, where: str) -> bytes:
    if not isinstance(value, dict) or set(value) != {"b64"} or not isinstance(value["b64"], str):
        raise BadRequest(f'{where} must be {{"b64": "<base64 of the image file>"}}.')
    # As lenient as TensorFlow Serving's decoder: line breaks, and padding that was left out; and the URL-safe alphabet.
    text = "".join(value["b64"].split()).replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"{where}.b64 is not base64: {error}.") from error


def _text(value: Any, where: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return _bytes(value, where).decode("utf-8", "replace")
    raise BadRequest(f'{where} must be a string, such as "1".')
