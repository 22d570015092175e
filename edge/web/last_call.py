"""Answers the requests that are still unanswered when the time to stop is over.

The server then cancels their tasks. Without this, each would get 500 and the log a stack trace.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from edge.dataplane.admission import STOPPING
from edge.errors import ShuttingDown
from edge.web.error_mapping import error_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from edge.dataplane.service import InferenceService

_SERVICE_RESTART = 1012  # WebSocket close code, of IANA's registry


class LastCall:
    """The ASGI middleware: a request that is cancelled while stopping gets 503 `shutting_down`."""

    def __init__(self, app: ASGIApp, *, service: InferenceService) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        has_begun = False

        async def send_on(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except asyncio.CancelledError:
            if not self._service.stopping:
                raise
            if scope["type"] == "websocket":
                with suppress(Exception):  # it may be closed already
                    await send({"type": "websocket.close", "code": _SERVICE_RESTART})
            elif not has_begun:
                response = error_response(HTTPConnection(scope), ShuttingDown(STOPPING))
                await response(scope, receive, send)
