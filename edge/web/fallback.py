"""What stands behind the edge: the link to the online model, what it cost, and the outbox with its results."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Response

from edge.errors import RequestError
from edge.outbox.describe import entry_json
from edge.outbox.entry import State  # noqa: TC001 -- FastAPI reads it
from edge.web.replies import json_response

if TYPE_CHECKING:
    from edge.assisted import AssistedService


class EntryNotFound(RequestError):
    """No entry of the outbox has that key."""

    status = RequestError.status.NOT_FOUND
    code = "entry_not_found"


def fallback_door(service: AssistedService) -> APIRouter:
    """`GET /fallback`, and with an outbox `GET /outbox` and `GET /outbox/{key}`."""
    router = APIRouter(tags=["fallback"])

    @router.get("/fallback", summary="The link to the online model, its budget, and the outbox")
    async def status() -> Response:
        return json_response(service.status())

    outbox = service.assistance.outbox
    if outbox is None:
        return router

    @router.get("/outbox", summary="Frames that wait for the online model, and its results")
    async def entries(
        state: State | None = None,
        after: Annotated[int, Query(ge=0, description="Only entries with a higher sequence.")] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        found = await asyncio.wrap_future(
            outbox.call(lambda store: store.entries(state=state, after=after, limit=limit))
        )
        return json_response({"status": outbox.status(), "entries": [entry_json(entry) for entry in found]})

    @router.get("/outbox/{key}", summary="One frame and what became of it")
    async def one(key: str) -> Response:
        entry = await asyncio.wrap_future(outbox.call(lambda store: store.get(key)))
        if entry is None:
            raise EntryNotFound(f"The outbox holds no entry {key!r}.")
        return json_response(entry_json(entry))

    return router
