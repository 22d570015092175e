"""The owner's tools: probes, Prometheus, the outbox's listing, the pages, sign-ins."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from soak.load import all_of

if TYPE_CHECKING:
    from soak.load import Load

_PATHS = (
    "/health/live",
    "/health/ready",
    "/metrics",
    "/fallback",
    "/models",
    "/outbox?limit=50",
    "/outbox?state=resolved&limit=10",
    "/v1/models/imagenet",
    "/v1/models/imagenet/metadata",
    "/wall",
    "/kiosk",
    "/static/wall.js",
    "/openapi.json",
)
_PAUSE_S = 0.1


async def run(load: Load) -> None:
    """One that reads everything, and one that looks at entries of the outbox."""
    await all_of([_read(load), _entries(load)])


async def _read(load: Load) -> None:
    connection = await load.connect()
    while True:
        if connection.closed or load.random.random() < 0.1:
            connection.abort()
            connection = await load.connect()
        path = load.random.choice(_PATHS)
        await load.ask("reading", connection, load.get(path))
        if load.random.random() < 0.02:
            form = b"key=edge_wrong&next=/wall"
            sign_in = load.post("/login", "application/x-www-form-urlencoded", form)
            await load.ask("sign-in", connection, sign_in)
        await asyncio.sleep(_PAUSE_S)


async def _entries(load: Load) -> None:
    connection = await load.connect()
    while True:
        await asyncio.sleep(2)
        if connection.closed:
            connection = await load.connect()
        reply = await load.ask("outbox", connection, load.get("/outbox?limit=20"))
        if reply is None or reply.status != 200:
            continue
        content = json.loads(reply.body)
        load.counts["outbox", "fault" if content["status"]["fault"] else "well"] += 1
        for entry in content["entries"][:3]:
            await load.ask("outbox entry", connection, load.get(f"/outbox/{entry['key']}"))
