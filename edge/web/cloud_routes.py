"""The cloud behind the edge: the link to the online model, its budget, and the outbox."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Response

from edge.api_key import Scope
from edge.errors import RequestError
from edge.outbox.describe import entry_json
from edge.outbox.entry import EntryState  # noqa: TC001 -- FastAPI reads it
from edge.web.dialects.dialect import Dialect
from edge.web.error_mapping import json_response

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.dataplane.cloud_parts import CloudParts
    from edge.outbox.entry import Entry


_MAX_SEQUENCE = 2**63 - 1


class EntryNotFound(RequestError):
    """The outbox has no entry with this key."""

    status = HTTPStatus.NOT_FOUND
    code = "entry_not_found"


def cloud_dialect(cloud: CloudParts) -> Dialect:
    """`GET /fallback`, and with an outbox `GET /outbox` and `GET /outbox/{key}`."""
    router = APIRouter()
    scopes: dict[str, Scope | None] = {"/fallback": Scope.VIEW}

    @router.get("/fallback", summary="The link to the online model, its budget, and the outbox")
    async def status() -> Response:
        return json_response(cloud.status().as_json())

    outbox = cloud.outbox
    if outbox is None:
        return Dialect("fallback", scopes, router)

    @router.get("/outbox", summary="Frames waiting for the online model, and its results")
    async def entries(
        state: EntryState | None = None,
        after: Annotated[
            int, Query(ge=0, le=_MAX_SEQUENCE, description="Only entries with a higher sequence.")
        ] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        found = await asyncio.wrap_future(
            outbox.call(lambda store: store.entries(state=state, after=after, limit=limit))
        )
        # The JSON of a thousand entries takes longer than a frame.
        return await asyncio.to_thread(_listing, outbox.status().as_json(), found)

    @router.get("/outbox/{key}", summary="One frame and its result")
    async def one(key: str) -> Response:
        entry = await asyncio.wrap_future(outbox.call(lambda store: store.get(key)))
        if entry is None:
            raise EntryNotFound(f"The outbox has no entry {key!r}.")
        return json_response(entry_json(entry))

    scopes |= {"/outbox": Scope.VIEW, "/outbox/": Scope.VIEW}
    return Dialect("fallback", scopes, router)


def _listing(status: Mapping[str, Any], entries: Sequence[Entry]) -> Response:
    return json_response({"status": status, "entries": [entry_json(entry) for entry in entries]})
