"""The wall's routes: server-sent events (WHATWG HTML, 9.2), pictures, and the clearing."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Response
from starlette.responses import StreamingResponse

from edge.api_key import Scope
from edge.errors import EdgeError, Refusal
from edge.web.dialects.dialect import Dialect
from edge.web.error_mapping import json_bytes, json_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Send
    from starlette.types import Scope as AsgiScope

    from edge.dataplane.service import InferenceService
    from edge.web.pages.wall import Seen, Wall

MAX_WALLS = 16
_BATCH_S = 0.15  # answers within it are sent together
_HEALTH_S = 1.0
_COUNTS_S = 5.0
_MAX_ANSWERS = 40  # per event; a wall shows no more
_MAX_EVENT_BYTES = 1 << 20
"""Of the answers in an event. A wall that reads slowly holds one event, and gets the next one with
what is newest then: no queue grows behind it."""
_RETRY_MS = 1000
_BINARY = {"type": "string", "format": "binary"}
_MAX_DIGITS = 18  # of a picture's number; Python refuses to parse thousands


class TooManyWalls(Refusal):
    """The maximum number of walls is open."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "too_many_walls"


class PictureGone(EdgeError):
    """The wall no longer keeps the picture, or never did."""

    status = HTTPStatus.NOT_FOUND
    code = "picture_gone"


def wall_dialect(wall: Wall, service: InferenceService) -> Dialect:
    """`GET /wall/events`, `GET /wall/pictures/{number}.jpg`, `POST /wall/clear`."""
    router = APIRouter()

    @router.get(
        "/wall/events",
        summary="Answers, counts and health as server-sent events",
        response_class=Response,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def events() -> Response:
        return _OpenWall(wall, service)

    @router.get(
        "/wall/pictures/{number}.jpg",
        summary="The small picture of an answer on the wall",
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {"schema": _BINARY}}}},
    )
    async def picture(number: str) -> Response:
        known = number.isascii() and number.isdecimal() and len(number) <= _MAX_DIGITS
        small = await wall.picture(int(number)) if known else None
        if small is None:
            raise PictureGone(f"Picture {number[:_MAX_DIGITS]} is no longer kept.")
        return Response(small, media_type="image/jpeg", headers={"Cache-Control": "no-store"})

    @router.post("/wall/clear", summary="Remove all pictures and answers from the wall")
    async def clear() -> Response:
        wall.clear()
        return json_response({"cleared": True})

    return Dialect("wall", {"/wall/": Scope.VIEW, "/wall/clear": Scope.ADMIN}, router)


class _OpenWall(StreamingResponse):
    """The events of one wall, which counts as open from before the first byte until the end."""

    def __init__(self, wall: Wall, service: InferenceService) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__((), headers=headers, media_type="text/event-stream")
        self._wall = wall
        self._service = service

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if self._wall.watchers >= MAX_WALLS:
            raise TooManyWalls(f"{MAX_WALLS} walls are open already. Close one.")
        with self._wall.watch() as news:
            self.body_iterator = _events(self._wall, self._service, news)
            await super().__call__(scope, receive, send)


async def _events(
    wall: Wall, service: InferenceService, news: asyncio.Event
) -> AsyncIterator[bytes]:
    yield b"retry: %d\n\n" % _RETRY_MS
    number, cleared, next_health, next_counts = 0, wall.cleared, 0.0, 0.0
    alerting, alerts_version = service.alerting, -1
    while not service.stopping:
        news.clear()
        if wall.cleared != cleared:
            cleared = wall.cleared
            yield _event("clear", b"{}")
        if seen := wall.since(number):
            number = seen[-1].number
            yield _event("answers", _newest(seen))
        if alerting is not None and alerting.version != alerts_version:
            alerts_version = alerting.version
            yield _event("alerts", json_bytes(alerting.wall_json()))
        now = time.monotonic()
        if now >= next_health:
            next_health = now + _HEALTH_S
            yield _event("health", json_bytes(health_json(service)))
        if now >= next_counts:
            next_counts = now + _COUNTS_S
            yield _event("counts", json_bytes(wall.last_hour()))
        with suppress(TimeoutError):
            async with asyncio.timeout(_HEALTH_S):
                await news.wait()
                await asyncio.sleep(_BATCH_S)


def _newest(seen: list[Seen]) -> bytes:
    """The newest answers as a JSON list, oldest first, within the bounds of one event."""
    answers: deque[bytes] = deque()
    size = 0
    for one in reversed(seen[-_MAX_ANSWERS:]):
        answer = one.as_json()
        size += len(answer)
        if size > _MAX_EVENT_BYTES:
            break
        answers.appendleft(answer)
    return b"[" + b",".join(answers) + b"]"


def _event(name: str, content: bytes) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), content)


def health_json(service: InferenceService) -> dict[str, Any]:
    """Models, workers and queue at a glance, and the link and the outbox if configured."""
    pool = service.pool
    cloud = None if service.cloud is None else service.cloud.status().as_json()
    return {
        "models": [asdict(status) for status in service.repository.statuses()],
        "workers": {"all": pool.workers, "busy": pool.busy},
        "queue": {"size": pool.queue_size, "waiting": pool.waiting},
        "stopping": service.stopping,
        "link": cloud and cloud["link"],
        "outbox": cloud and cloud["outbox"],
        **_sinks_json(service),
    }


def _sinks_json(service: InferenceService) -> dict[str, Any]:
    """Where alerts go, and whether they get through; nothing without rules."""
    if service.alerting is None:
        return {}
    statuses = [sink.status() for sink in service.alerting.sinks]
    return {"sinks": {status.name: status.as_json() for status in statuses}}
