"""Gives every request an id, counts it, and writes one log line for it.

Plain ASGI, since this is on the hot path: a middleware that builds a `Request` and a `Response`
would cost more than all of the work here.
"""

from __future__ import annotations

import logging
import random
import re
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

from edge import logs
from edge.errors import EdgeError
from edge.metrics import OK
from edge.web.error_mapping import CODE_HEADER
from edge.web.root_path import route_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from edge.dataplane.answer import Answer, InferRequest
    from edge.metrics import Metrics
    from edge.web.dialects.dialect import DialectTable

_log = logging.getLogger("edge.requests")

_ID_IN = b"x-request-id"
_ID_OUT = b"X-Request-ID"
_ID = re.compile(rb"[A-Za-z0-9._:+/=@-]{1,128}")
_CODE = CODE_HEADER.lower().encode()

_PROBES = "/health/"
_MAX_PATH = 200
_BAD = 400
_INTERNAL = 500

HTTP_ERROR = "http_error"
"""Outcome of an error reply that comes from none of the errors in `edge.errors`."""


class _Facts:
    """Facts about a request that are learnt while it is answered."""

    __slots__ = ("model",)

    def __init__(self) -> None:
        self.model = ""


_facts: ContextVar[_Facts | None] = ContextVar("facts", default=None)


class ModelOfRequest:
    """An observer that notes which model a frame was for, for the request's log line and count."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def observe(self, image: bytes, request: InferRequest, outcome: Answer | EdgeError) -> None:
        """Note the model on the current request."""
        del image
        if (facts := _facts.get()) is None:
            return
        if isinstance(outcome, EdgeError):
            facts.model = self._metrics.label(request.model)
        else:
            facts.model = outcome.model.name


class RequestLog:
    """The ASGI middleware.

    Args:
        log: whether to write a line for each request.
        notice: header that every reply carries, if any.
    """

    def __init__(
        self, app: ASGIApp, *, metrics: Metrics, log: bool, notice: Sequence[tuple[bytes, bytes]]
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._log = log
        self._headers = notice

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, then count and log its outcome."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        identity = given_request_id(scope) or new_request_id()
        facts = _Facts()
        _facts.set(facts)
        logs.request_id.set(identity.decode())
        status, outcome = _INTERNAL, "internal"

        async def send_on(message: Message) -> None:
            nonlocal status, outcome
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"] = [
                    *message["headers"],
                    (_ID_OUT, identity),
                    *self._headers,
                ]
                outcome = OK if status < _BAD else _code(headers)
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        finally:
            seconds = time.perf_counter() - began
            door = _door(scope)
            model = facts.model or self._named(scope)
            self._metrics.replied(door, model, outcome, seconds)
            if self._log and _log.isEnabledFor(level := _level(scope, status)):
                _log.log(
                    level,
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
        """The label of the model in the path, for a request that failed before its frame."""
        name = (scope.get("path_params") or {}).get("model")
        return "" if name is None else self._metrics.label(name)


def _level(scope: Scope, status: int) -> int:
    """Debug for a health check that went well: Docker and others ask four times a minute."""
    is_probe = scope["path"].startswith(_PROBES)
    return logging.DEBUG if is_probe and status < _BAD else logging.INFO


def given_request_id(scope: Scope) -> bytes | None:
    """The caller's id, if it gives one that is well-formed."""
    for name, value in scope["headers"]:
        if name == _ID_IN and _ID.fullmatch(value):
            return bytes(value)
    return None


def new_request_id() -> bytes:
    """A random id. It tells requests apart and keeps no secret."""
    return b"%016x" % random.getrandbits(64)


def _door(scope: Scope) -> str:
    """The name of the dialect that claims the path."""
    dialects: DialectTable = scope["app"].state.dialects
    return dialects.find(route_path(scope)).dialect.name


def _code(headers: list[tuple[bytes, bytes]]) -> str:
    for name, value in headers:
        if name.lower() == _CODE:
            return value.decode()
    return HTTP_ERROR


def _path(scope: Scope) -> str:
    """The path as sent, percent-encoded so that no caller can forge log lines; no query."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0][:_MAX_PATH].decode("ascii", "backslashreplace")
