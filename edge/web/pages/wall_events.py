"""What an open wall is sent: server-sent events (WHATWG HTML, 9.2).

``frames`` are the newest of the cameras, ``answers`` the changes of their answers, ``cameras`` the
state of every camera, ``clear`` a clearing, ``alerts`` (only if there are rules), ``health`` and
``counts`` what their names say.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from edge.web.error_mapping import json_bytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from edge.dataplane.service import InferenceService
    from edge.web.pages.wall import Wall
    from edge.web.pages.wall_camera import Seen

_BATCH_S = 0.2  # frames within it are sent together
_HEALTH_S = 1.0
_COUNTS_S = 5.0
_MAX_ANSWERS = 40  # per event of the feed
_MAX_EVENT_BYTES = 1 << 20
"""Of the answers in an event. A wall that reads slowly holds one event, and gets the next one with
what is newest then: no queue grows behind it."""
_RETRY_MS = 1000


async def wall_events(
    wall: Wall, service: InferenceService, news: asyncio.Event
) -> AsyncIterator[bytes]:
    """The events of one wall, until the service stops."""
    yield b"retry: %d\n\n" % _RETRY_MS
    shown, fed, cleared, next_health, next_counts = 0, 0, wall.cleared, 0.0, 0.0
    alerting, alerts_version = service.alerting, -1
    while not service.stopping:
        news.clear()
        if wall.cleared != cleared:
            cleared = wall.cleared
            yield _event("clear", b"{}")
        if alerting is not None and alerting.version != alerts_version:
            alerts_version = alerting.version
            yield _event("alerts", json_bytes(alerting.wall_json()))
        now = time.monotonic()
        if now >= next_health:
            next_health = now + _HEALTH_S
            yield _event("cameras", json_bytes(wall.statuses()))
            yield _event("health", json_bytes(health_json(service)))
        wall.show_newest()
        if frames := wall.shown_since(shown):
            event, shown = _first(wall, frames)
            del frames  # a wall that reads slowly holds no pictures
            yield event
        if entries := wall.fed_since(fed):
            fed = entries[-1].order
            event = _newest(wall, entries[-_MAX_ANSWERS:])
            del entries
            yield event
        if now >= next_counts:
            next_counts = now + _COUNTS_S
            yield _event("counts", json_bytes(wall.last_hour()))
        if wall.shown_since(shown):
            continue  # they did not fit into one event
        with suppress(TimeoutError):
            async with asyncio.timeout(_HEALTH_S):
                await news.wait()
                await asyncio.sleep(_BATCH_S)


def _first(wall: Wall, frames: list[tuple[int, Seen]]) -> tuple[bytes, int]:
    """An event of the first frames, and the order of its last: the rest needs another event."""
    answers: list[bytes] = []
    size, last = 0, 0
    for order, one in frames:
        answer = wall.written(one)
        size += len(answer)
        if answers and size > _MAX_EVENT_BYTES:
            break
        answers.append(answer)
        last = order
    return _event("frames", b"[" + b",".join(answers) + b"]"), last


def _newest(wall: Wall, frames: list[Seen]) -> bytes:
    """An event of the newest frames, oldest first; older ones that do not fit are left out."""
    answers: deque[bytes] = deque()
    size = 0
    for one in reversed(frames):
        answer = wall.written(one)
        size += len(answer)
        if size > _MAX_EVENT_BYTES:
            break
        answers.appendleft(answer)
    return _event("answers", b"[" + b",".join(answers) + b"]")


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
    return {"sinks": service.alerting.sinks_json()}
