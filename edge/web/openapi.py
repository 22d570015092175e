"""What every operation of the API may answer beside its success: the errors, in its dialect.

FastAPI documents a 422 of its own for parameters that it checks; here those are 400, as any other
fault of a request.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI

_ALWAYS = (400, 401, 403, 408, 414, 421, 431, 500, 503)
"""A malformed request or one that does not arrive, the keys, a foreign page or host, a fault of the
service itself, and no place left."""
_FRAME = (404, 413, 415, 502, 504)
_STATUSES: dict[str, tuple[int, ...]] = {
    "/predict": _FRAME,
    "/predict/{model}": _FRAME,
    "/phone/picture": _FRAME,
    "/v1/models/{model}": (404,),
    "/v1/models/{model}/metadata": (404,),
    "/v1/models/{model}:predict": (*_FRAME, 501),
    "/v1/models/{model}/versions/{version}": (404,),
    "/v1/models/{model}/versions/{version}/metadata": (404,),
    "/v1/models/{model}/versions/{version}:predict": (*_FRAME, 501),
    "/outbox/{key}": (404,),
    "/corrections": (404, 409, 413, 415, 504),
    "/wall/events": (429,),
    "/wall/pictures/{number}.jpg": (404,),
    "/wall/answers/{number}": (404,),
    "/wall/frames/{number}": (404,),
    "/wall/annotated/{number}.jpg": (404, 413, 415),
    "/wall/phone.svg": (404,),
}
"""Path to the errors that its operations may answer, beside `_ALWAYS`."""

_TEXT_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}},
}
"""TensorFlow Serving's."""
_NATIVE_ERROR = {"$ref": "#/components/schemas/ErrorSchema"}


def document_errors(app: FastAPI) -> None:
    """Let the app's schema name the errors of every operation."""
    plain_schema = app.openapi

    def schema() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain_schema()
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    _add_errors(path, operation["responses"])
            schemas = document["components"]["schemas"]
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = schema  # type: ignore[method-assign]  # as FastAPI's documentation does


def _add_errors(path: str, responses: dict[str, Any]) -> None:
    responses.pop("422", None)
    error = _TEXT_ERROR if path.startswith("/v1/") else _NATIVE_ERROR
    for status in (*_ALWAYS, *_STATUSES.get(path, ())):
        responses.setdefault(
            str(status),
            {
                "description": HTTPStatus(status).phrase,
                "content": {"application/json": {"schema": error}},
            },
        )
