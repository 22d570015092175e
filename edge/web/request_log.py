"""Around every request: its id in and out, one count, one log line.

Plain ASGI, since it is on the hot path: a middleware that builds a `Request` and a `Response` costs more than all it
would do here.
"""

from __future__ import annotations

import logging
import os
import re
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

from edge import logs
from edge.errors import EdgeError
from edge.metrics import OK
from edge.web.error_mapping import CODE_HEADER

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from edge.dataplane.answer import Answer, InferRequest
    from edge.metrics import Metrics
    from edge.web.dialects.dialect import DialectTable

_log = logging.getLogger("edge.requests")

_ID_IN = b"x-request-id"
_ID_OUT = b"X-Request-ID"
_ID = re.compile(rb"[A-Za-z0-9._:+/=@-]{1,128}")
_CODE = CODE_HEADER.lower().encode()

_MAX_PATH = 200
_BAD = 400
_INTERNAL = 500

HTTP_ERROR = "http_error"
"""The outcome of a reply that is an error without being one of `edge.errors`."""


class _Facts:
    """What is learnt of a request on its way."""

    __slots__ = ("model",)

    def __init__(self) -> None:
        self.model = ""


_facts: ContextVar[_Facts | None] = ContextVar("facts", default=None)


class ModelOfRequest:
    """An observer that tells the request which model its frame was for, for its log line and its count."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def observe(self, image: bytes, request: InferRequest, outcome: Answer | EdgeError) -> None:
        """See `edge.dataplane.service.Observer`."""
        del image
        if (facts := _facts.get()) is None:
            return
        if isinstance(outcome, EdgeError):
            facts.model = self._metrics.label(request.model)
        else:
            facts.model = outcome.model.name


class Observe:
    """The ASGI middleware.

    Args:
        log: whether a line is written for each request.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, log: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, and say what became of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        identity = _request_id(scope)
        facts = _Facts()
        _facts.set(facts)
        logs.request_id.set(identity.decode())
        status, outcome = _INTERNAL, "internal"

        async def send_on(message: Message) -> None:
            nonlocal status, outcome
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"] = [*message["headers"], (_ID_OUT, identity)]
                outcome = OK if status < _BAD else _code(headers)
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        finally:
            seconds = time.perf_counter() - began
            door = _door(scope)
            model = facts.model or self._named(scope)
            self._metrics.replied(door, model, outcome, seconds)
            if self._log and _log.isEnabledFor(logging.INFO):
                _log.info(
                    "request",
                    extra=logs.facts(
                        method=scope["method"][:16],
                        path=_path(scope),
                        status=status,
                        model=model,
                        outcome=outcome,
                        ms=round(seconds * 1000, 2),
                    ),
                )

    def _named(self, scope: Scope) -> str:
        """The label of a model that the path named though no frame came so far as to reach it."""
        name = (scope.get("path_params") or {}).get("model")
        return "" if name is None else self._metrics.label(name)


def _request_id(scope: Scope) -> bytes:
    """The caller's, where it is one; else a new one."""
    for name, value in scope["headers"]:
        if name == _ID_IN and _ID.fullmatch(value):
            return bytes(value)
    return os.urandom(8).hex().encode()


def _door(scope: Scope) -> str:
    """The name of the dialect that claims the path."""
    dialects: DialectTable = scope["app"].state.dialects
    return dialects.find(scope["path"]).dialect.name


def _code(headers: list[tuple[bytes, bytes]]) -> str:
    for name, value in headers:
        if name.lower() == _CODE:
            return value.decode()
    return HTTP_ERROR


def _path(scope: Scope) -> str:
    """As it was sent, percent signs and all, so that nobody writes log lines of their own; not the query."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0][:_MAX_PATH].decode("ascii", "backslashreplace")
