"""The camera door: post an image, get its predictions.

The hot path of the service: a route parses the `Request` itself and returns a ready `Response`,
because FastAPI's dependencies and response models cost more than the rest of the HTTP work.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import APIRouter, Request, Response

from edge.api_key import Scope
from edge.dataplane.answer import InferRequest, answer_json, error_json
from edge.errors import BadRequest, EdgeError
from edge.model.rules import Mode, parse_modes
from edge.web.access.client import client_of
from edge.web.body import caller_gone, receive
from edge.web.dialects.dialect import Dialect, FrameRoute
from edge.web.dialects.query import MAX_CAMERA_NAME, camera_name, read_query, shown
from edge.web.direct_route import DirectRoute
from edge.web.error_mapping import json_bytes, json_response
from edge.web.form import find_images
from edge.web.schema import AnswerSchema, ErrorSchema, ManySchema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.dataplane.answer import Answer
    from edge.dataplane.service import InferenceService
    from edge.settings import Settings

N = TypeVar("N", int, float)

_MAX_DEADLINE_MS = 600_000

_PARAMETERS: dict[str, tuple[dict[str, Any], str]] = {
    "model": ({"type": "string"}, "Name of the model; the default model if not given."),
    "top_k": ({"type": "integer", "minimum": 1}, "Maximum number of predictions, 1 or more."),
    "threshold": (
        {"type": "number", "minimum": 0, "maximum": 1},
        "Minimum score of a prediction, 0..1.",
    ),
    "deadline_ms": (
        {"type": "integer", "minimum": 1, "maximum": _MAX_DEADLINE_MS},
        "Maximum time for the answer in milliseconds, 1..600000.",
    ),
    "fallback": (
        {"type": "string"},
        "When to ask the online model, if the owner allows it: off, shadow, ...",
    ),
    "camera": (
        {"type": "string", "maxLength": MAX_CAMERA_NAME},
        "Name of the camera, for the wall and the outbox; up to 64 characters.",
    ),
}

_DOCUMENTATION: dict[str, Any] = {
    "parameters": [
        {"name": name, "in": "query", "description": words, "schema": schema}
        for name, (schema, words) in _PARAMETERS.items()
    ],
    "requestBody": {
        "required": True,
        "content": {
            "image/*": {"schema": {"type": "string", "format": "binary"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "image": {
                            "type": "array",
                            "items": {"type": "string", "contentMediaType": "image/jpeg"},
                        }
                    },
                }
            },
        },
    },
}


def camera_dialect(service: InferenceService, settings: Settings) -> Dialect:
    """`POST /predict` and `POST /predict/{model}`."""
    router = APIRouter(route_class=DirectRoute)
    responses: dict[int | str, dict[str, Any]] = {
        200: {"model": AnswerSchema | ManySchema},
        **{status: {"model": ErrorSchema} for status in (400, 404, 408, 413, 415, 500, 503, 504)},
    }

    async def predict(request: Request) -> Response:
        """The body is the image, or a multipart form with one or several."""
        arrived = time.monotonic()
        infer_request = _infer_request(request, service, settings, arrived)
        async with receive(request, service, settings, infer_request.deadline) as body:
            images = await find_images(request.headers.get("content-type", ""), body)
            if images is None:
                return json_response(answer_json(await service.infer(body, infer_request)))
            del body  # its images are copies: only one of the two stays in memory
            if len(images) == 1:
                return json_response(answer_json(await service.infer(images[0], infer_request)))
            answers = await service.infer_many(images, infer_request)
            return await asyncio.to_thread(_many_response, answers)

    def check(request: Request) -> object:
        return _infer_request(request, service, settings, arrived=0.0)

    paths = ("/predict", "/predict/{model}")
    for path in paths:
        router.add_api_route(
            path,
            predict,
            methods=["POST"],
            summary="Predictions for an image",
            operation_id="predict" + ("_with_model" if "{" in path else ""),
            responses=responses,
            openapi_extra=_DOCUMENTATION
            if "{" not in path
            else {**_DOCUMENTATION, "parameters": [_PATH_MODEL, *_DOCUMENTATION["parameters"][1:]]},
        )
    scopes = {"/predict": Scope.PREDICT, "/predict/": Scope.PREDICT}
    frame_routes = tuple(FrameRoute(path, predict, check) for path in paths)
    return Dialect("camera", scopes, router, frame_routes=frame_routes)


_PATH_MODEL = {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}


def _many_response(answers: list[Answer | EdgeError]) -> Response:
    """The answers of several images, on a thread: 256 of them with ``top_k=1000`` take 1 s.

    One after another, because Python's JSON writer lets no other thread run before its end.
    """
    content = b",".join(json_bytes(_outcome_json(answer)) for answer in answers)
    return Response(b'{"answers":[' + content + b"]}", media_type="application/json")


def _outcome_json(outcome: Answer | EdgeError) -> dict[str, Any]:
    return error_json(outcome) if isinstance(outcome, EdgeError) else answer_json(outcome)


def _infer_request(
    request: Request, service: InferenceService, settings: Settings, arrived: float
) -> InferRequest:
    query = read_query(request, _PARAMETERS)
    camera = camera_name(query)
    deadline_ms = _number(query, "deadline_ms", int, 1, _MAX_DEADLINE_MS) or settings.deadline_ms
    return InferRequest(
        deadline=arrived + deadline_ms / 1000,
        model=_model(request.path_params.get("model"), query.get("model")),
        top_k=_number(query, "top_k", int, 1, None),
        threshold=_number(query, "threshold", float, 0, 1),
        modes=_modes(query.get("fallback"), service.allowed_modes),
        camera=camera,
        client=client_of(request),
        sender=f"camera {camera}" if camera else "",
        caller_gone=partial(caller_gone, request),
    )


def _model(in_path: str | None, in_query: str | None) -> str | None:
    if in_path is not None and in_query not in {None, in_path}:
        raise BadRequest(
            f"The path names the model {shown(in_path)!r}, the query {shown(str(in_query))!r}. "
            "Name one."
        )
    return in_query if in_path is None else in_path


def _modes(text: str | None, allowed: frozenset[frozenset[Mode]]) -> frozenset[Mode] | None:
    """The modes that a request asks for, in any order."""
    if text is None:
        return None
    try:
        modes = parse_modes(text)
    except ValueError as error:
        raise BadRequest(f"fallback={shown(text)}: {shown(str(error))}.") from error
    if modes not in allowed:
        names = sorted(",".join(sorted(allowed_modes)) or Mode.OFF for allowed_modes in allowed)
        raise BadRequest(
            f"fallback={shown(text)} is not allowed here. Allowed: {' '.join(names) or 'none'}."
        )
    return modes


def _number(
    query: Mapping[str, str], name: str, kind: type[N], minimum: N, maximum: N | None
) -> N | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        number = kind(text)
    except ValueError:
        number = None
    # The comparison is negated because every comparison with NaN is false.
    too_small = number is None or not number >= minimum
    if number is None or too_small or (maximum is not None and number > maximum):
        bounds = f"{minimum} or more" if maximum is None else f"from {minimum} to {maximum}"
        noun = "a whole number" if kind is int else "a number"
        raise BadRequest(f"{name}={shown(text)} is not {noun} {bounds}.")
    return number
