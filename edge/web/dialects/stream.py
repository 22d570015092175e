"""The stream door: frames in and answers out over one WebSocket; under load the newest frame wins.

Every binary message of the client is one encoded image. Frames are counted from 0 in the order they
are sent, so that both sides know a frame's number without a header. Each text message of the server
is a JSON object: ``frame``, the number; ``dropped``, the number of frames right before it that were
replaced and get no answer; and the answer or ``error`` as at `POST /predict`. One frame is computed
and one waits; a newer frame replaces the waiting one, so that no slow link or model builds a
backlog.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from edge.api_key import Scope
from edge.dataplane.answer import InferRequest, answer_json, error_json
from edge.errors import EdgeError, Overloaded, Refusal
from edge.web.access.client import client_of
from edge.web.dialects.dialect import Dialect
from edge.web.dialects.query import camera_name, read_query
from edge.web.error_mapping import error_response, json_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.dataplane.service import InferenceService
    from edge.settings import Settings

_PARAMETERS = ("model", "camera")
_NUMBERS = itertools.count()
"""Numbers the streams that name no camera, to tell them apart."""

IDLE = 4408
"""Close code of an idle stream: 408, Request Timeout, in the range for applications."""
_NOT_BINARY = 1003  # RFC 6455: unacceptable type of data


class TooManyStreams(Refusal):
    """The service, or the caller's address, has its maximum number of streams open."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "too_many_streams"


class StreamLimit:
    """Limits the open streams, in total and from each address."""

    def __init__(self, in_all: int, per_client: int) -> None:
        self.in_all = in_all
        self.per_client = per_client
        self._open: Counter[str] = Counter()

    def __repr__(self) -> str:
        total = f"{self._open.total()}/{self.in_all}"
        return f"<StreamLimit {total} streams, at most {self.per_client} from one address>"

    @contextmanager
    def take(self, client: str) -> Iterator[None]:
        """Count one stream while the context lasts; raises ``TooManyStreams``."""
        if self._open.total() >= self.in_all:
            raise TooManyStreams(
                f"{self.in_all} streams are open already, the maximum of this service."
            )
        if self._open[client] >= self.per_client:
            raise TooManyStreams(
                f"{client} has {self.per_client} streams open already, the maximum for one address."
            )
        self._open[client] += 1
        try:
            yield
        finally:
            self._open[client] -= 1
            if not self._open[client]:
                del self._open[client]


def stream_dialect(service: InferenceService, settings: Settings) -> Dialect:
    """`WS /stream`. A refusal is an HTTP error instead of the handshake."""
    router = APIRouter()
    limit = StreamLimit(settings.max_streams, settings.max_streams_per_client)

    @router.websocket("/stream")
    async def stream(socket: WebSocket) -> None:
        try:
            infer_request = _infer_request(socket)
            service.repository.find(infer_request.model)
            with limit.take(socket.client.host if socket.client else ""):
                await socket.accept()
                await _Stream(socket, service, settings, infer_request).run()
        except EdgeError as error:
            await socket.send_denial_response(error_response(socket, error))

    return Dialect("stream", {"/stream": Scope.PREDICT}, router)


def _infer_request(socket: WebSocket) -> InferRequest:
    query = read_query(socket, _PARAMETERS)
    camera = camera_name(query)
    return InferRequest(
        deadline=0,
        model=query.get("model"),
        camera=camera,
        client=client_of(socket),
        sender=f"camera {camera}" if camera else f"stream {next(_NUMBERS)}",
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    """A waiting frame: its image, or the error that refused it."""

    number: int
    image: bytes
    refusal: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Close:
    """Why the server closes a stream: the close code and the reason."""

    code: int
    reason: str


class _Stream:
    """One connection: a task that receives, a task that answers, and one waiting frame between."""

    def __init__(
        self,
        socket: WebSocket,
        service: InferenceService,
        settings: Settings,
        infer_request: InferRequest,
    ) -> None:
        self._socket = socket
        self._service = service
        self._infer_request = infer_request
        self._idle_s = settings.stream_idle_s
        self._deadline_s = settings.deadline_ms / 1000
        self._waiting: _Frame | None = None
        self._arrived = asyncio.Event()

    async def run(self) -> None:
        """Receive and answer until either side ends the connection."""
        tasks = [asyncio.create_task(self._receive_all()), asyncio.create_task(self._answer_all())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            self._discard_waiting()
            for outcome in outcomes:
                if isinstance(outcome, Exception) and not isinstance(outcome, WebSocketDisconnect):
                    raise outcome
        # Not earlier: an answer that is sent after the close would be an error of ours.
        close, _ = outcomes
        if isinstance(close, _Close):
            await self._close(close)

    async def _receive_all(self) -> _Close | None:
        """Take in frames; returns when the client has gone (``None``), or how to close on it."""
        frame = 0
        while True:
            try:
                async with asyncio.timeout(self._idle_s):
                    message = await self._socket.receive()
            except TimeoutError:
                return _Close(IDLE, f"no frame for {self._idle_s:g} s")
            if message["type"] == "websocket.disconnect":
                return None
            image = message.get("bytes")
            if image is None:
                return _Close(_NOT_BINARY, "a frame is a binary message")
            self._discard_waiting()
            self._waiting = self._hold(frame, image)
            self._arrived.set()
            frame += 1
            del message, image  # else the frame would stay in memory until the next one arrives

    def _hold(self, number: int, image: bytes) -> _Frame:
        """The frame with its bytes counted as held, or with an error if they exceed the limit."""
        try:
            self._service.admission.hold(len(image))
        except Overloaded as error:
            return _Frame(number, b"", error_json(error))
        return _Frame(number, image)

    def _discard_waiting(self) -> None:
        """Discard the waiting frame, if any, and release its bytes."""
        if self._waiting is not None:
            self._service.admission.release(len(self._waiting.image))
            self._waiting = None

    async def _answer_all(self) -> None:
        expected = 0
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            assert self._waiting is not None
            frame, self._waiting = self._waiting, None
            answer = frame.refusal or await self._answer(frame.image)
            message = json_bytes(
                {"frame": frame.number, "dropped": frame.number - expected, **answer}
            )
            expected = frame.number + 1
            del frame, answer  # a client that reads slowly must not keep an image in memory
            await self._socket.send_text(message.decode())

    async def _answer(self, image: bytes) -> dict[str, Any]:
        deadline = time.monotonic() + self._deadline_s
        infer_request = replace(self._infer_request, deadline=deadline)
        try:
            with self._service.admit(self._socket.client):
                return answer_json(await self._service.infer(image, infer_request))
        except EdgeError as error:
            return error_json(error)
        finally:
            self._service.admission.release(len(image))

    async def _close(self, close: _Close) -> None:
        with suppress(RuntimeError, WebSocketDisconnect):  # the client closed it first
            await self._socket.close(close.code, close.reason)
