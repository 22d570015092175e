"""TensorFlow Serving's REST door, as in the AutoML container on port 8501.

Grammar, shapes and statuses follow TensorFlow Serving's `api_rest.md`, including paths that ignore
case. A client written for Google's container works after changing its host.
"""

from __future__ import annotations

import asyncio
import re
import time
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from fastapi import APIRouter, Request, Response

from edge.api_key import Scope
from edge.dataplane.answer import InferRequest
from edge.errors import BadRequest, BodyTooLarge, EdgeError, ModelNotFound, RequestError
from edge.web.access.client import client_of
from edge.web.body import caller_gone, receive
from edge.web.content_encoding import UnsupportedEncoding
from edge.web.dialects.dialect import Dialect, FrameRoute
from edge.web.dialects.tf_serving.reply import metadata_reply, reply, signature_name, status_reply
from edge.web.dialects.tf_serving.request import PredictRequest, parse
from edge.web.error_mapping import json_response
from edge.web.form import MAX_IMAGES
from edge.web.root_path import raw_route_path

if TYPE_CHECKING:
    from edge.dataplane.answer import Answer
    from edge.dataplane.service import InferenceService
    from edge.repository.version import ModelVersion
    from edge.settings import Settings

_PATH = re.compile(
    r"/v1/models/(?P<model>[^/]+?)(?:/(?:versions/(?P<version>[0-9]{1,19})|labels/(?P<label>[^/:]+)))?"
    r"(?P<verb>:predict|:classify|:regress|/metadata)?",
    re.IGNORECASE,
)
"""A version is a 64-bit integer: up to 19 digits."""

_DOCUMENTED = (
    ("/v1/models/{model}", ""),
    ("/v1/models/{model}/versions/{version}", " of one version"),
)
"""The usual paths, and how the titles of their operations end."""

_TWIN = "_without_key"

_ON_LOOP_BYTES = 256 << 10
"""Smaller bodies are parsed on the event loop: it takes under 1 ms, and a thread costs 0.2 ms."""

_FEW = 8
"""Answers whose reply is written on the event loop."""


def _error_body(error: EdgeError) -> dict[str, Any]:
    return {"error": error.message}


def _error_status(error: EdgeError) -> HTTPStatus:
    """TensorFlow Serving has one status for any error in a request's content: 400."""
    if isinstance(error, RequestError) and not isinstance(
        error, BodyTooLarge | UnsupportedEncoding
    ):
        known = {HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_TIMEOUT}
        return error.status if error.status in known else HTTPStatus.BAD_REQUEST
    return error.status


class NotServed(EdgeError):
    """`:classify` and `:regress` take tf.Example, which no image export does."""

    status = HTTPStatus.NOT_IMPLEMENTED
    code = "not_served"


def tf_serving_dialect(service: InferenceService, settings: Settings) -> Dialect:
    """`POST /v1/models/{model}:predict` and `GET /v1/models/{model}[/metadata]`.

    Each also with `/versions/{version}` after the model.
    """
    router = APIRouter()
    parsing = asyncio.Lock()

    def find_version(request: Request) -> tuple[str, int | None, ModelVersion]:
        """The model and the number in the path, and the version that they mean."""
        name, number, verb = _target(request)
        if verb != ":predict":
            raise _no_verb(request, verb)
        return name, number, service.repository.find(name, number)

    async def predict(request: Request) -> Response:
        """Row (`instances`) or column (`inputs`) format; images as `{"b64": ...}` with a `key`."""
        arrived = time.monotonic()
        name, number, version = find_version(request)
        infer_request = InferRequest(
            deadline=arrived + settings.deadline_ms / 1000,
            model=name,
            version=number,
            client=client_of(request),
            caller_gone=partial(caller_gone, request),
        )
        async with receive(request, service, settings, infer_request.deadline) as body:
            parsed = await _parse(body, parsing)
            del body  # its images are copies: only one of the two stays in memory
            _check_signature(parsed.signature, version)
            images = [instance.image for instance in parsed.instances]
            answers = _require_all(await service.infer_many(images, infer_request))
            return await _respond(parsed, answers, version)

    async def describe(request: Request) -> Response:
        """The version's state, or with `/metadata` its signature."""
        name, number, verb = _target(request)
        version = service.repository.find(name, number)
        if verb is None:
            return json_response(status_reply(version))
        if verb == "/metadata":
            return json_response(metadata_reply(version))
        raise _no_verb(request, verb)

    _document(router, predict, describe)
    for anything in ("/v1/{path:path}", "/V1/{path:path}"):
        router.add_api_route(anything, predict, methods=["POST"], include_in_schema=False)
        router.add_api_route(anything, describe, methods=["GET"], include_in_schema=False)
    scopes = {"/v1/": Scope.PREDICT}
    frame_routes = tuple(
        FrameRoute(f"{path}:predict", predict, find_version) for path, _ in _DOCUMENTED
    )
    return Dialect("TensorFlow Serving", scopes, router, _error_body, _error_status, frame_routes)


async def _parse(body: bytes, parsing: asyncio.Lock) -> PredictRequest:
    """Parse a body; a large one on a thread, and one of these at a time.

    While it is parsed it takes up to four times its size.
    """
    if len(body) <= _ON_LOOP_BYTES:
        return parse(body)
    async with parsing:
        return await asyncio.to_thread(parse, body)


async def _respond(
    request: PredictRequest, answers: list[Answer], version: ModelVersion
) -> Response:
    """The reply; that of many images on a thread, since each names every class of its model."""

    def respond() -> Response:
        return json_response(reply(request, answers, version.contract))

    return respond() if len(answers) <= _FEW else await asyncio.to_thread(respond)


def _document(router: APIRouter, predict: Any, describe: Any) -> None:
    """Add the usual paths to the documentation; every other path leads to the same functions."""
    body = {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _PREDICT_SCHEMA}},
        }
    }
    for path, title in _DOCUMENTED:
        names = re.findall(r"{(\w+)}", path)
        parameters = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
        ]
        extra = {"parameters": parameters}
        identity = "_".join(names)
        router.add_api_route(
            f"{path}:predict", predict, methods=["POST"], summary=f"Predictions{title}",
            operation_id=f"tf_serving_predict_{identity}", openapi_extra={**extra, **body},
        )  # fmt: skip
        for ending, words in (("/metadata", "Signature"), ("", "State")):
            router.add_api_route(
                path + ending, describe, methods=["GET"], summary=f"{words}{title}",
                operation_id=f"tf_serving_{words.lower()}_{identity}", openapi_extra=extra,
            )  # fmt: skip


_PREDICT_SCHEMA = {
    "type": "object",
    "properties": {
        "signature_name": {"type": "string"},
        "instances": {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_IMAGES,
            "items": {
                "type": "object",
                "properties": {
                    "image_bytes": {"type": "object", "properties": {"b64": {"type": "string"}}},
                    "key": {"type": "string"},
                },
            },
        },
        "inputs": {"type": "object"},
    },
}


def _target(request: Request) -> tuple[str, int | None, str | None]:
    """Model, version number and verb of the path."""
    match = _PATH.fullmatch(raw_route_path(request.scope))
    if match is None:
        raise BadRequest(f"Malformed request: {request.method} {request.scope['path']}")
    if match["label"] is not None:
        raise ModelNotFound(
            f"No version of {unquote(match['model'])} has the label {unquote(match['label'])}."
        )
    version = int(match["version"]) if match["version"] else None
    return unquote(match["model"]), version, match["verb"].lower() if match["verb"] else None


def _no_verb(request: Request, verb: str | None) -> EdgeError:
    if verb in {":classify", ":regress"}:
        return NotServed(f"{verb[1:]} takes tf.Example, which no image export does. Use :predict.")
    return BadRequest(f"Malformed request: {request.method} {request.scope['path']}")


def _check_signature(name: str | None, version: ModelVersion) -> None:
    serving = signature_name(version.contract)
    if name and name.removesuffix(_TWIN) != serving.removesuffix(_TWIN):
        raise BadRequest(
            f'Serving signature name: "{name}" not found in signature def. It has "{serving}".'
        )


def _require_all(answers: list[Answer | EdgeError]) -> list[Answer]:
    """The answers of a batch; the first error fails the whole request, as in TensorFlow Serving."""
    good = []
    for index, answer in enumerate(answers):
        if isinstance(answer, EdgeError):
            answer.message = (
                f"instances[{index}]: {answer.message}" if len(answers) > 1 else answer.message
            )
            try:
                raise answer
            finally:
                del answer, answers  # the error refers to this frame; a cycle would keep the images
        good.append(answer)
    return good
