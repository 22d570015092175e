"""Maps errors to responses in every dialect: one handler covers the tree of `edge.errors`."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match

from edge import logs
from edge.errors import BadRequest, EdgeError, Refusal
from edge.web.access.cors import SCOPE_KEY as CORS_SCOPE_KEY
from edge.web.content_encoding import ACCEPTED, UnsupportedEncoding
from edge.web.root_path import root_path, route_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI
    from starlette.requests import HTTPConnection, Request
    from starlette.types import ExceptionHandler

    from edge.web.dialects.dialect import DialectTable

_log = logging.getLogger(__name__)

CODE_HEADER = "X-Edge-Error"
"""Carries an error's code in every dialect, even if its own error format has no field for it."""

_CLIENT_GONE = 499  # nginx's status for a client that closed the connection


class NotFound(EdgeError):
    """No such path."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class MethodNotAllowed(EdgeError):
    """The path exists, but not for this method."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "method_not_allowed"


class Internal(EdgeError):
    """An unexpected fault of the service itself."""


def json_response(
    content: Any, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response:
    """A compact JSON response; a model's NaN and Infinity stay bare, as in TensorFlow Serving."""
    return Response(json_bytes(content), status, headers, media_type="application/json")


def json_bytes(content: Any) -> bytes:
    """The body of `json_response`."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    try:
        return body.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair: JSON can express it ("\ud800"), UTF-8 cannot.
        return json.dumps(content, separators=(",", ":")).encode()


def error_response(connection: HTTPConnection, error: EdgeError) -> Response:
    """The error in the format and with the status of the dialect that claims the path."""
    headers = {CODE_HEADER: error.code}
    if isinstance(error, Refusal) and error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, UnsupportedEncoding):
        headers["Accept-Encoding"] = ACCEPTED
    dialects: DialectTable = connection.app.state.dialects
    dialect = dialects.find(route_path(connection.scope)).dialect
    return json_response(dialect.error_body(error), dialect.error_status(error), headers)


def client_gone_response() -> Response:
    """What is logged and counted for a caller who has left; nobody reads it."""
    return Response(status_code=_CLIENT_GONE, headers={CODE_HEADER: "client_gone"})


async def _on_not_found(request: Request, _: Exception) -> Response:
    """No route has the path: a small page for a browser, the error for programs."""
    nothing = NotFound(
        f"Nothing is at {request.scope['path']}. "
        f"GET {root_path(request.scope)}/docs lists all paths."
    )
    reply = error_response(request, nothing)
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        page: Response = request.app.state.not_found_page(request)
        page.headers[CODE_HEADER] = nothing.code
        return page
    reply.headers["Vary"] = "Accept"
    return reply


def install_handlers(app: FastAPI) -> None:
    """Let the app answer every error, expected or not, in the format of its dialect."""

    async def on_edge_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, EdgeError)
        return error_response(request, error)

    async def on_method_not_allowed(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        reply = error_response(
            request, MethodNotAllowed(f"{request.scope['path']} does not take {request.method}.")
        )
        reply.headers["Allow"] = _allowed_methods(request, error.headers or {})
        return reply

    async def on_wrong_parameter(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return error_response(request, BadRequest(_faults_in_words(error)))

    async def on_client_disconnect(_: Request, __: Exception) -> Response:
        return client_gone_response()

    async def on_unexpected_error(request: Request, error: Exception) -> Response:
        _log.error("%s %s failed", request.method, request.scope["path"], exc_info=error)
        response = error_response(
            request, Internal("The service failed on this request; see its log.")
        )
        # This reply passes through no middleware of ours.
        for name, value in request.scope.get(CORS_SCOPE_KEY, ()):
            response.raw_headers.append((name, value))
        if (request_id := logs.request_id.get()) is not None:
            response.headers["X-Request-ID"] = request_id
        return response

    handlers: dict[Any, ExceptionHandler] = {
        EdgeError: on_edge_error,
        HTTPStatus.NOT_FOUND: _on_not_found,
        HTTPStatus.METHOD_NOT_ALLOWED: on_method_not_allowed,
        RequestValidationError: on_wrong_parameter,
        ClientDisconnect: on_client_disconnect,
        Exception: on_unexpected_error,
    }
    for key, handler in handlers.items():
        app.add_exception_handler(key, handler)


def _allowed_methods(request: Request, headers: Mapping[str, str]) -> str:
    """The methods of all routes of a path; what takes GET takes HEAD.

    Args:
        headers: the framework's, whose Allow knows only the first route that matches.
    """
    allowed = set(headers.get("Allow", "").split(", ")) - {""}
    dialects: DialectTable = request.app.state.dialects
    routes = dialects.find(route_path(request.scope)).dialect.router.routes
    matching = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    for route in matching:
        if getattr(route, "path", "") == getattr(matching[0], "path", ""):
            allowed |= getattr(route, "methods", None) or set()
    if "GET" in allowed:
        allowed.add("HEAD")
    return ", ".join(sorted(allowed))


def _faults_in_words(error: RequestValidationError) -> str:
    """What is wrong with each parameter, without its value."""
    faults = [f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors()]
    return "; ".join(faults) + "."
