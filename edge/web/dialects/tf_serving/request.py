"""Parses the body of a TensorFlow Serving `:predict` request into images with their keys."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, replace
from typing import Any

import pybase64

from edge.errors import BadRequest
from edge.export.families.automl_saved_model import IMAGE_INPUTS
from edge.web.dialects.tf_serving.bounded_json import parse_json
from edge.web.dialects.tf_serving.lone_image import take_lone_image
from edge.web.form import MAX_IMAGES

KEY = "key"

_MAX_KEY = 1024
"""Characters of a key, which comes back with its answer."""

_MAX_SHOWN = 64
"""Characters of a caller's word in a message."""

_ALPHABET = bytes.maketrans(b"-_", b"+/")
_BLANKS = b" \t\r\n\v\f"
"""As lenient as TensorFlow Serving's decoder: line breaks, missing padding, URL-safe alphabet."""

_DATA_URL = re.compile(rb"\s*data:[^,]{0,200};\s*base64\s*,", re.IGNORECASE)
"""How a page's data URL (RFC 2397) begins, as a canvas and a `FileReader` give it."""

_BASE64_BLOCK = 1 << 20
"""Characters decoded at once, a multiple of 4: other threads run in between."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One image, and the key to echo with its answer, if any."""

    image: bytes
    key: str | None


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """A parsed body.

    Attributes:
        by_column: the request has ``inputs``, and the reply has ``outputs``.
        signature: name in the request; ``None`` or empty means the default signature.
    """

    instances: list[Instance]
    by_column: bool
    signature: str | None


def parse(body: bytes) -> PredictRequest:
    """Parse a body.

    Raises:
        BadRequest: not JSON within the bounds of `parse_json`, neither or both of ``instances`` and
            ``inputs``, more than `MAX_IMAGES` images, an unknown input, or an image that is not
            ``{"b64": ...}``; the message says where.
    """
    taken = take_lone_image(body)
    if taken is not None:
        rest, image = taken
        try:
            return _with_image(_parse(rest), image)
        except BadRequest:
            pass  # places in the message are to be those of the whole body
    return _parse(body)


def _with_image(request: PredictRequest, image: bytes) -> PredictRequest:
    (instance,) = request.instances
    return replace(request, instances=[replace(instance, image=image)])


def _parse(body: bytes) -> PredictRequest:
    content = parse_json(body)
    if not isinstance(content, dict):
        raise BadRequest(
            "The body must be a JSON object such as "
            '{"instances": [{"image_bytes": {"b64": "..."}}]}.'
        )
    signature = content.get("signature_name")
    if signature is not None and not isinstance(signature, str):
        raise BadRequest("signature_name must be a string.")
    if ("instances" in content) == ("inputs" in content):
        raise BadRequest(
            'The body must have either "instances" (row format) or "inputs" (column format).'
        )
    if "instances" in content:
        return PredictRequest(_rows(content["instances"]), by_column=False, signature=signature)
    return PredictRequest(_columns(content["inputs"]), by_column=True, signature=signature)


def _rows(instances: Any) -> list[Instance]:
    if not isinstance(instances, list) or not instances:
        raise BadRequest('"instances" must be a list with at least one instance.')
    _check_number(len(instances), '"instances"')
    return [_row(instance, f"instances[{index}]") for index, instance in enumerate(instances)]


def _row(instance: Any, where: str) -> Instance:
    if not isinstance(instance, dict):
        raise BadRequest(
            f'{where} must be an object such as {{"image_bytes": {{"b64": "..."}}, "key": "1"}}.'
        )
    if set(instance) == {"b64"}:  # a single input needs no name
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
    _check_number(len(images), f"inputs.{name}")
    decoded = [_bytes(image, f"inputs.{name}[{index}]") for index, image in enumerate(images)]
    if KEY not in inputs:
        return [Instance(image, None) for image in decoded]
    given = _as_list(inputs[KEY])
    if len(given) != len(images):
        raise BadRequest(
            f"inputs.{name} has {len(images)} elements, inputs.{KEY} has {len(given)}; the numbers "
            "must be equal."
        )
    keys = [_text(key, f"inputs.{KEY}[{index}]") for index, key in enumerate(given)]
    return [Instance(image, key) for image, key in zip(decoded, keys, strict=True)]


def _check_number(images: int, where: str) -> None:
    if images > MAX_IMAGES:
        raise BadRequest(
            f"{where} has {images:,} images; at most {MAX_IMAGES} are taken in one request."
        )


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _image_name(inputs: dict[str, Any], where: str) -> str:
    unknown = sorted(set(inputs) - {*IMAGE_INPUTS, KEY})
    if unknown:
        raise BadRequest(
            f"{where} has the unknown input {unknown[0][:_MAX_SHOWN]!r}. "
            f"Known: {', '.join((*IMAGE_INPUTS, KEY))}."
        )
    named = [name for name in IMAGE_INPUTS if name in inputs]
    if len(named) != 1:
        raise BadRequest(f"{where} must have one of {' and '.join(IMAGE_INPUTS)}.")
    return named[0]


def _bytes(value: Any, where: str) -> bytes:
    if not isinstance(value, dict) or set(value) != {"b64"} or not isinstance(value["b64"], str):
        raise BadRequest(f'{where} must be {{"b64": "<base64 of the image file>"}}.')
    decoded = _decode_plain(value["b64"])
    if decoded is not None:
        return decoded
    try:
        text = value["b64"].encode("ascii")
    except UnicodeEncodeError:
        raise BadRequest(f"{where}.b64 is not base64: it has other characters.") from None
    if (url := _DATA_URL.match(text)) is not None:
        text = text[url.end() :]
    elif text[:_MAX_SHOWN].lower().lstrip().startswith(b"data:"):
        raise BadRequest(f"{where}.b64 is a data URL whose content is not base64.")
    text = text.translate(_ALPHABET, _BLANKS)
    text += b"=" * (-len(text) % 4)
    if len(text) <= _BASE64_BLOCK:
        return _decode(text, where)
    if b"=" in text[:-2]:  # each block may end with padding, the whole only once
        raise BadRequest(f"{where}.b64 is not base64: there is padding before its end.")
    blocks = range(0, len(text), _BASE64_BLOCK)
    return b"".join(_decode(text[start : start + _BASE64_BLOCK], where) for start in blocks)


def _decode_plain(text: str | bytes) -> bytes | None:
    """Decode base64 at 20 times the speed of the standard library; ``None`` if that refuses.

    It takes no line breaks, and only whole padding. What it refuses, the standard library judges,
    in whose words a client reads of a fault.
    """
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError:
        return None


def _decode(text: bytes, where: str) -> bytes:
    decoded = _decode_plain(text)
    if decoded is not None:
        return decoded
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"{where}.b64 is not base64: {error}.") from error


def _text(value: Any, where: str) -> str:
    if isinstance(value, dict):
        value = _bytes(value, where).decode("utf-8", "replace")
    if not isinstance(value, str):
        raise BadRequest(f'{where} must be a string, such as "1".')
    if len(value) > _MAX_KEY:
        raise BadRequest(f"{where} has {len(value):,} characters; at most {_MAX_KEY:,}.")
    return value
