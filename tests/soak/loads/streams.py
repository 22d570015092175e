"""Cameras on WebSockets: they come, send for a while, and go in every way there is."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from serving.pictures import encoded, picture

from soak.load import PATIENCE_S, all_of
from soak.websocket import (
    BINARY,
    CLOSE,
    NORMAL_END,
    TEXT,
    frame,
    handshake_headers,
    take_frames,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soak.connection import Connection
    from soak.load import Load

STREAMS = 4  # fewer than one address may have open
_CODES = {"overloaded", "deadline_exceeded", "unsupported_image", "corrupt_image"}


async def run(load: Load) -> None:
    """Four cameras that reconnect again and again."""
    pictures = [encoded(picture(name, (640, 480)), "JPEG") for name in ("coffee", "astronaut")]
    pictures.append(b"no picture")
    await all_of(_reconnect(load, number, pictures) for number in range(STREAMS))


async def _reconnect(load: Load, number: int, pictures: Sequence[bytes]) -> None:
    while True:
        connection = await load.connect()
        try:
            await _stream(load, number, connection, pictures)
        except TimeoutError:
            load.fault("stream: nothing came", f"for {PATIENCE_S:.0f} s")
        finally:
            connection.abort()
        await asyncio.sleep(load.random.uniform(0, 0.5))


async def _stream(
    load: Load, number: int, connection: Connection, pictures: Sequence[bytes]
) -> None:
    lines = [f"GET /stream?camera=stream-{number} HTTP/1.1", f"Host: {load.host}"]
    lines += [
        f"{name.decode()}: {value.decode()}" for name, value in handshake_headers(load.random)
    ]
    await connection.send("\r\n".join([*lines, "", ""]).encode())
    reply = await connection.reply(PATIENCE_S)
    load.judge("stream opened", reply)
    if reply is None or reply.status != 101:
        await asyncio.sleep(1)
        return
    waits = load.random.random() < 0.7  # else it sends without waiting for answers
    last = -1
    for _ in range(load.random.randint(1, 60)):
        await connection.send(_masked(load, BINARY, load.random.choice(pictures)))
        if not waits:
            await asyncio.sleep(0.02)
            continue
        for message in await _answers(connection):
            last = _check(load, message, last)
        if connection.closed:
            load.counts["stream", "ended by the server"] += 1
            return
    await _leave(load, connection)


def _masked(load: Load, opcode: int, payload: bytes) -> bytes:
    return frame(opcode, payload, load.random.randbytes(4))


async def _answers(connection: Connection) -> list[bytes]:
    """The next texts; none if the stream ended."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            texts = [text for opcode, text in take_frames(connection.rest) if opcode == TEXT]
            if texts or connection.closed:
                return texts
            await connection.news()


def _check(load: Load, message: bytes, last: int) -> int:
    """An answer's number follows the last; returns it."""
    answer = json.loads(message)
    code = answer["error"]["code"] if "error" in answer else ""
    load.counts["stream frame", code or "answered"] += 1
    if answer["frame"] <= last or (code and code not in _CODES):
        load.fault("stream: an odd answer", f"after frame {last}: {message[:500]!r}")
    return int(answer["frame"])


async def _leave(load: Load, connection: Connection) -> None:
    how = load.random.random()
    if how < 0.4:
        await connection.send(_masked(load, CLOSE, NORMAL_END))
        await connection.until_closed(PATIENCE_S)
    elif how < 0.6:
        await connection.send(_masked(load, TEXT, b"a frame?"))
        await connection.until_closed(PATIENCE_S)
    elif how < 0.8:
        await connection.send(_masked(load, BINARY, bytes(1_000))[:500])  # cut in its middle
