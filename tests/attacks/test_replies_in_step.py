"""In an overload, refused bodies are discarded to their end: each reply belongs to its request.

A hundred connections send frames whole, in pieces, in chunks, two at a time, and bodies that are
made of requests. Every reply must name the request that was sent, so that no byte of a body was
taken for a head, and none of a head for a body.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import pytest
from serving.pictures import encoded, picture

if TYPE_CHECKING:
    from serving.process import Server

pytestmark = pytest.mark.slow

CONNECTIONS, ROUNDS = 100, 5
ANSWER_S = 60
FRAME = encoded(picture(size=(640, 480)), "PNG")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_ID = re.compile(rb"\r\nx-request-id: *([^\r]+)\r\n", re.IGNORECASE)


def posted(name: str, body: bytes) -> bytes:
    head = (
        "POST /predict HTTP/1.1\r\nHost: localhost\r\n"
        f"X-Request-ID: {name}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def pieces_of(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


def whole(name: str) -> tuple[list[bytes], list[str]]:
    return [posted(name, FRAME)], [name]


def in_pieces(name: str) -> tuple[list[bytes], list[str]]:
    return pieces_of(posted(name, FRAME), 20_000), [name]


def two_at_a_time(name: str) -> tuple[list[bytes], list[str]]:
    second = f"{name}-second"
    return [posted(name, FRAME) + posted(second, FRAME)], [name, second]


def in_chunks(name: str) -> tuple[list[bytes], list[str]]:
    head = (
        "POST /predict HTTP/1.1\r\nHost: localhost\r\n"
        f"X-Request-ID: {name}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces_of(FRAME, 20_000)]
    return [head.encode(), *chunks, b"0\r\n\r\n"], [name]


def of_requests(name: str) -> tuple[list[bytes], list[str]]:
    hidden = b"GET /models HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: hidden\r\n\r\n"
    return [posted(name, hidden * 400)], [name]


def no_frame(name: str) -> tuple[list[bytes], list[str]]:
    head = f"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: {name}\r\n\r\n"
    return [head.encode()], [name]


KINDS = (whole, in_pieces, two_at_a_time, in_chunks, of_requests, no_frame)


async def read_reply(reader: asyncio.StreamReader) -> tuple[int, str]:
    """The status and the id of the next reply."""
    head = await reader.readuntil(b"\r\n\r\n")
    length, name = _LENGTH.search(head), _ID.search(head)
    assert length, head
    assert name, head
    await reader.readexactly(int(length[1]))
    return int(head[9:12]), name[1].decode()


async def converse(address: tuple[str, int], number: int, statuses: Counter[int]) -> None:
    chance = Random(number)
    reader, writer = await asyncio.open_connection(*address)
    for round_ in range(ROUNDS):
        parts, names = chance.choice(KINDS)(f"r{number}-{round_}")
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0)
        for name in names:
            status, replied = await asyncio.wait_for(read_reply(reader), ANSWER_S)
            assert replied == name
            statuses[status] += 1
    writer.close()


async def crowd(address: tuple[str, int]) -> Counter[int]:
    statuses: Counter[int] = Counter()
    await asyncio.gather(*(converse(address, one, statuses) for one in range(CONNECTIONS)))
    return statuses


def test_every_reply_of_an_overload_belongs_to_its_request(server: Server) -> None:
    statuses = asyncio.run(crowd(server.address))
    assert {200, 503} <= set(statuses) <= {200, 400, 413, 415, 503}
    assert statuses[503] > CONNECTIONS
