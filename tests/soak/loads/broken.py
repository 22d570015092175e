"""Bad input: the shots of the fuzz, bodies that are cut off, half heads, silent connections."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from soak.entrances import OPEN
from soak.load import all_of
from soak.shot import Pen

if TYPE_CHECKING:
    from soak.load import Load
    from soak.shot import Shot

_REPLY_S = 0.5
_PAUSE_S = 0.05
_CLIENTS = 3
_HALVES = 4


async def run(load: Load) -> None:
    """Some clients that send bad requests, and some that do not finish theirs."""
    senders = (_send_bad(load) for _ in range(_CLIENTS))
    halves = (_send_half(load) for _ in range(_HALVES))
    await all_of([*senders, *halves])


async def _send_bad(load: Load) -> None:
    names = list(OPEN)
    weights = [weight for _, weight in OPEN.values()]
    number = 0
    while True:
        number += 1
        (name,) = load.random.choices(names, weights)
        make, _ = OPEN[name]
        pen = Pen(load.random, load.host, name, f"bad.{number}", model="imagenet")
        await _send(load, make(pen))
        await asyncio.sleep(_PAUSE_S * load.random.random() * 2)


async def _send(load: Load, shot: Shot) -> None:
    connection = await load.connect()
    try:
        await connection.send(shot.data, bodiless=shot.bodiless)
        reply = await connection.reply(_REPLY_S)
        load.judge(f"bad {shot.entrance}", reply)
        if reply is not None and reply.status == 101:
            for message in (*shot.messages, shot.tail):
                await connection.send(message)
            await asyncio.sleep(_REPLY_S)
    except TimeoutError:
        load.counts[f"bad {shot.entrance}", "silent"] += 1
    finally:
        connection.abort()


async def _send_half(load: Load) -> None:
    """A request that stops in the middle of its head or its body, and waits, and is cut."""
    while True:
        body = load.random.randbytes(load.random.randrange(1, 200_000))
        request = load.post("/predict", "image/jpeg", body)
        head_end = request.index(b"\r\n\r\n")
        upto = load.random.choice((0, head_end, head_end + 4, len(request)))
        connection = await load.connect()
        try:
            await connection.send(request[: load.random.randrange(upto + 1)])
            reply = await connection.reply(load.random.uniform(0, 5))
            load.judge("half request", reply)
        except TimeoutError:
            load.counts["half request", "cut off by the client"] += 1
        finally:
            connection.abort()
