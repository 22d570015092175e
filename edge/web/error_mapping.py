"""Errors to responses, for every door: one handler maps the whole tree of `edge.errors`."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from edge import logs
from edge.errors import EdgeError, Refusal

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import HTTPConnection, Request
    from starlette.types import ExceptionHandler

    from edge.web.dialects.dialect import DialectTable

_log = logging.getLogger(__name__)

CODE_HEADER = "X-Edge-Error"
"""Carries an error's code at every door, also where the door's own error shape has no place for it."""

_CLIENT_GONE = 499  # nginx's number; nobody reads the reply


class NotFound(EdgeError):
    """No such path."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class MethodNotAllowed(EdgeError):
    """The path knows other methods."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "method_not_allowed"


class Internal(EdgeError):
    """A fault of the service's own."""


def json_response(
    content: Any, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response:
    """A JSON response; compact, and with NaN and Infinity bare where a model answers with them, as TF Serving does."""
    return Response(json_bytes(content), status, headers, media_type="application/json")


def json_bytes(content: Any) -> bytes:
    """The body of `json_response`."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    try:
        return body.encode()
    except (
        UnicodeEncodeError
    ):  # half a surrogate pair, which JSON can say ("\ud800") and UTF-8 cannot
        return json.dumps(content, separators=(",", ":")).encode()


def error_response(connection: HTTPConnection, error: EdgeError) -> Response:
    """The error in the form and with the status of the dialect that was asked; native where none claims the path."""
    headers = {CODE_HEADER: error.code}
    if isinstance(error, Refusal) and error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    dialects: DialectTable = connection.app.state.dialects
    dialect = dialects.find(connection.url.path).dialect
    return json_response(dialect.error_body(error), dialect.error_status(error), headers)


def install_handlers(app: FastAPI) -> None:
    """Let the app answer every error, known or not, in the door's shape."""

    async def known(request: Request, error: Exception) -> Response:
        assert isinstance(error, EdgeError)
        return error_response(request, error)

    async def not_found(request: Request, _: Exception) -> Response:
        return error_response(
            request, NotFound(f"Nothing is at {request.url.path}. GET /docs lists what is.")
        )

    async def method_not_allowed(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        reply = error_response(
            request, MethodNotAllowed(f"{request.url.path} does not take {request.method}.")
        )
        reply.headers.update(error.headers or {})  # Allow names the methods that it takes
        return reply

    async def gone(_: Request, __: Exception) -> Response:
        return Response(status_code=_CLIENT_GONE, headers={CODE_HEADER: "client_gone"})

    async def unknown(request: Request, error: Exception) -> Response:
        _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        response = error_response(
            request, Internal("The service failed on this request; its log says more.")
        )
        if (
            identity := logs.request_id.get()
        ) is not None:  # this reply passes by `edge.web.request_log`
            response.headers["X-Request-ID"] = identity
        return response

    handlers: dict[Any, ExceptionHandler] = {
        EdgeError: known,
        HTTPStatus.NOT_FOUND: not_found,
        HTTPStatus.METHOD_NOT_ALLOWED: method_not_allowed,
        ClientDisconnect: gone,
        Exception: unknown,
    }
    for key, handler in handlers.items():
        app.add_exception_handler(key, handler)
