"""Callers of the application in this process, message by message, so that each can stop, hang up or
be cut off.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import TYPE_CHECKING, Any

from builders.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastapi import FastAPI

PATIENCE_S = 30.0


class _Connection:
    def __init__(self, app: FastAPI, scope: dict[str, Any], gone: dict[str, Any]) -> None:
        self.sent: list[dict[str, Any]] = []
        self._gone = gone
        self._hung_up = False
        self._to_app: deque[dict[str, Any]] = deque()
        self._news = asyncio.Event()
        self.task = asyncio.create_task(
            app(scope | {"app": app, "state": {}}, self._receive, self._send)
        )

    async def _receive(self) -> dict[str, Any]:
        while not self._to_app:
            if self._hung_up:
                return self._gone
            self._news.clear()
            await self._news.wait()
        return self._to_app.popleft()

    async def _send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        self._news.set()

    def tell(self, message: dict[str, Any]) -> None:
        """Hand the application a message."""
        self._to_app.append(message)
        self._news.set()

    def hang_up(self) -> None:
        """The client is gone, once what it sent has been read."""
        self._hung_up = True
        self._news.set()

    async def until(self, condition) -> None:
        """Return once the condition holds."""
        await until(condition)

    async def ended(self) -> BaseException | None:
        """Wait until the application is done with this connection; returns what it raised."""
        await asyncio.wait_for(asyncio.wait({self.task}), PATIENCE_S)
        return asyncio.CancelledError() if self.task.cancelled() else self.task.exception()


def _headers(given: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [
        (name.lower().encode(), value.encode())
        for name, value in {"host": "localhost", **given}.items()
    ]


class Request(_Connection):
    """An HTTP request; its body is sent with `body`."""

    def __init__(
        self, app: FastAPI, path: str, headers: dict[str, str] | None = None, method: str = "POST"
    ) -> None:
        bare, _, query = path.partition("?")
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
            "scheme": "http",
            "path": bare, "raw_path": bare.encode(), "query_string": query.encode(),
            "root_path": "",
            "headers": _headers(headers or {}), "client": ("192.0.2.1", 4711), "server": ("edge",
            80),
        }  # fmt: skip
        super().__init__(app, scope, {"type": "http.disconnect"})

    def body(self, *chunks: bytes, more: bool = False) -> None:
        """Send the body, or with ``more`` a part of it."""
        for number, chunk in enumerate(chunks, 1):
            self.tell(
                {"type": "http.request", "body": chunk, "more_body": more or number < len(chunks)}
            )

    @property
    def status(self) -> int:
        return next(
            message["status"] for message in self.sent if message["type"] == "http.response.start"
        )

    @property
    def headers(self) -> dict[str, str]:
        start = next(message for message in self.sent if message["type"] == "http.response.start")
        return {name.decode().lower(): value.decode() for name, value in start["headers"]}

    @property
    def content(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


class Stream(_Connection):
    """A WebSocket; the handshake is sent at once."""

    def __init__(self, app: FastAPI, query: str = "", client: str = "192.0.2.1") -> None:
        scope = {
            "type": "websocket", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "ws",
            "path": "/stream",
            "raw_path": b"/stream", "query_string": query.encode(), "root_path": "",
            "headers": _headers({}),
            "client": (client, 4711), "server": ("edge", 80), "subprotocols": [],
            "extensions": {"websocket.http.response": {}},
        }  # fmt: skip
        super().__init__(app, scope, {"type": "websocket.disconnect", "code": 1006})
        self.tell({"type": "websocket.connect"})

    def frame(self, image: bytes) -> None:
        self.tell({"type": "websocket.receive", "bytes": image})

    @property
    def answers(self) -> list[dict[str, Any]]:
        return [json.loads(message["text"]) for message in self._of_kind("websocket.send")]

    @property
    def close_code(self) -> int | None:
        return next((message["code"] for message in self._of_kind("websocket.close")), None)

    @property
    def refused(self) -> int | None:
        """The status in the handshake's place."""
        return next(
            (message["status"] for message in self._of_kind("websocket.http.response.start")), None
        )

    async def opened(self) -> bool:
        """Whether it was accepted, once that is known."""
        await self.until(lambda: self.sent)
        return self.sent[0]["type"] == "websocket.accept"

    async def hear(self, number: int) -> list[dict[str, Any]]:
        """The answers, once there are so many."""
        await self.until(lambda: len(self.answers) >= number or self.task.done())
        assert len(self.answers) >= number
        return self.answers

    def _of_kind(self, kind: str) -> Iterable[dict[str, Any]]:
        return [message for message in self.sent if message["type"] == kind]
