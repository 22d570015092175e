"""The stream door: frames in over one WebSocket, answers out, the newest frame first under pressure.

Every binary message of the client is one encoded image. Frames are counted from 0 in the order they are sent, so that
both sides know a frame's number and no header is needed. Each text message of the server is a JSON object: ``frame``,
the number; ``dropped``, how many frames right before it gave way to it and get no answer; and the answer or
``error`` as at `POST /predict`. One frame is computed, one waits; a newer one takes the waiting one's place, so that no
link and no model, however slow, builds a backlog.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from edge.errors import BadRequest, EdgeError, Overloaded, Refusal
from edge.service import Query
from edge.web.camera import camera_name
from edge.web.origin import check_origin
from edge.web.replies import error_response, json_bytes
from edge.web.schema import answer_json, error_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.service import InferenceService
    from edge.settings import Settings

_PARAMETERS = ("model", "camera")

IDLE = 4408
"""Close code of a stream that sent nothing for too long (408, Request Timeout, in the range for applications)."""
_NOT_BINARY = 1003  # RFC 6455: a type of data that cannot be taken


class TooManyStreams(Refusal):
    """As many streams are open as the service, or the caller's address, may have."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "too_many_streams"


class Places:
    """How many streams are open, in all and from each address, within bounds."""

    def __init__(self, in_all: int, per_client: int) -> None:
        self.in_all = in_all
        self.per_client = per_client
        self._open: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<Places {self._open.total()}/{self.in_all} streams, at most {self.per_client} from one address>"

    @contextmanager
    def take(self, client: str) -> Iterator[None]:
        """Hold a place for one stream; raises ``TooManyStreams``."""
        if self._open.total() >= self.in_all:
            raise TooManyStreams(f"{self.in_all} streams are open already, as many as this service takes.")
        if self._open[client] >= self.per_client:
            raise TooManyStreams(f"{client} has {self.per_client} streams open already, as many as one address may.")
        self._open[client] += 1
        try:
            yield
        finally:
            self._open[client] -= 1
            if not self._open[client]:
                del self._open[client]


def stream_door(service: InferenceService, settings: Settings) -> APIRouter:
    """`WS /stream`. A refusal is an HTTP error in the place of the handshake."""
    router = APIRouter(tags=["stream"])
    places = Places(settings.max_streams, settings.max_streams_per_client)

    @router.websocket("/stream")
    async def stream(socket: WebSocket) -> None:
        try:
            query = _query(socket)
            service.repository.find(query.model)
            with places.take(socket.client.host if socket.client else ""):
                await socket.accept()
                await _Stream(socket, service, settings, query).run()
        except EdgeError as error:
            await socket.send_denial_response(error_response(socket, error))

    return router


def _query(socket: WebSocket) -> Query:
    check_origin(socket)
    given = socket.query_params
    for name in given:
        if name not in _PARAMETERS:
            raise BadRequest(f"There is no query parameter {name!r}. Known: {', '.join(_PARAMETERS)}.")
    return Query(deadline=0, model=given.get("model"), camera=camera_name(given))


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame that waits: its image, or why it was not taken."""

    number: int
    image: bytes
    refusal: dict[str, Any] | None = None


class _Stream:
    """One connection: a task that receives, one that answers, and the one frame that waits between them."""

    def __init__(self, socket: WebSocket, service: InferenceService, settings: Settings, query: Query) -> None:
        self._socket = socket
        self._service = service
        self._query = query
        self._idle_s = settings.stream_idle_s
        self._deadline_s = settings.deadline_ms / 1000
        self._waiting: _Frame | None = None
        self._arrived = asyncio.Event()

    async def run(self) -> None:
        """Answer until either side has gone."""
        tasks = {asyncio.create_task(self._receive_all()), asyncio.create_task(self._answer_all())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            all_ended = await asyncio.gather(*tasks, return_exceptions=True)
            self._lay_down()
            for ended in all_ended:
                if isinstance(ended, Exception) and not isinstance(ended, WebSocketDisconnect):
                    raise ended

    async def _receive_all(self) -> None:
        frame = 0
        while True:
            try:
                async with asyncio.timeout(self._idle_s):
                    message = await self._socket.receive()
            except TimeoutError:
                return await self._close(IDLE, f"no frame for {self._idle_s:g} s")
            if message["type"] == "websocket.disconnect":
                return None
            image = message.get("bytes")
            if image is None:
                return await self._close(_NOT_BINARY, "a frame is a binary message")
            self._lay_down()
            self._waiting = self._take_up(frame, image)
            self._arrived.set()
            frame += 1
            del message, image  # else the last frame would stay in memory until the next one comes

    def _take_up(self, number: int, image: bytes) -> _Frame:
        """The frame, its bytes counted as held; without them where they are too many."""
        try:
            self._service.hold(len(image))
        except Overloaded as error:
            return _Frame(number, b"", error_json(error))
        return _Frame(number, image)

    def _lay_down(self) -> None:
        """Give the waiting frame up, if there is one."""
        if self._waiting is not None:
            self._service.release(len(self._waiting.image))
            self._waiting = None

    async def _answer_all(self) -> None:
        expected = 0
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            assert self._waiting is not None
            frame, self._waiting = self._waiting, None
            answer = frame.refusal or await self._answer(frame.image)
            message = json_bytes({"frame": frame.number, "dropped": frame.number - expected, **answer})
            expected = frame.number + 1
            del frame, answer  # a client that reads slowly keeps no image in memory
            await self._socket.send_text(message.decode())

    async def _answer(self, image: bytes) -> dict[str, Any]:
        query = replace(self._query, deadline=time.monotonic() + self._deadline_s)
        try:
            with self._service.admit():
                return answer_json(await self._service.infer(image, query))
        except EdgeError as error:
            return error_json(error)
        finally:
            self._service.release(len(image))

    async def _close(self, code: int, reason: str) -> None:
        with suppress(RuntimeError, WebSocketDisconnect):  # the client was faster
            await self._socket.close(code, reason)
