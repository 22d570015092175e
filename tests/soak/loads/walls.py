"""Walls that open and close: readers of the events, and some that do not read."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from soak.load import all_of

if TYPE_CHECKING:
    from soak.connection import Connection
    from soak.load import Load

WALLS = 5
_NUMBER = re.compile(rb'"number":(\d+)')


async def run(load: Load) -> None:
    """Five walls that come and go, and a client that fetches pictures and clears the wall."""
    latest = [0]
    await all_of([*(_wall(load, latest) for _ in range(WALLS)), _pictures(load, latest)])


async def _wall(load: Load, latest: list[int]) -> None:
    while True:
        connection = await load.connect()
        try:
            reply = await load.ask("wall opened", connection, load.get("/wall/events"))
            seconds = load.random.uniform(0.1, 15)
            if reply is None or reply.status != 200:
                await asyncio.sleep(1)
            elif load.random.random() < 0.2:
                connection.stop_reading()
                await asyncio.sleep(seconds)
            else:
                await _watch(load, connection, seconds, latest)
        finally:
            connection.abort()
        await asyncio.sleep(load.random.uniform(0, 2))


async def _watch(load: Load, connection: Connection, seconds: float, latest: list[int]) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not connection.closed:
                if numbers := _NUMBER.findall(connection.rest):
                    latest[0] = max(latest[0], int(numbers[-1]))
                    load.counts["wall event", "answers"] += 1
                connection.rest.clear()
                await connection.news()
    except TimeoutError:
        return
    load.counts["wall", "ended by the server"] += 1


async def _pictures(load: Load, latest: list[int]) -> None:
    connection = await load.connect()
    while True:
        await asyncio.sleep(load.random.uniform(0, 0.4))
        if connection.closed:
            connection = await load.connect()
        if load.random.random() < 0.01:
            await load.ask("wall cleared", connection, load.post("/wall/clear", "text/plain", b""))
        number = max(0, latest[0] - load.random.randrange(20))
        await load.ask("wall picture", connection, load.get(f"/wall/pictures/{number}.jpg"))
