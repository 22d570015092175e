"""What a client of the soak knows and reports."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from soak.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from soak.replies import Reply

PATIENCE_S = 60.0
"""A good request that is not answered within it hangs: the deadline is 10 s."""

_ALLOWED = {501, 502, 503, 504}  # 501: `:classify`; 502: the online model, where it alone answers
_SERVER_FAULT = 500


@dataclass
class Load:
    """One kind of client.

    Attributes:
        address: of the server.
        random: the client's own source of chance.
        counts: what was asked, and the outcome, to their number.
        faults: what must not happen: the kind in a few words, and what was received.
    """

    address: tuple[str, int]
    random: Random
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[tuple[str, str]] = field(default_factory=list)

    @property
    def host(self) -> str:
        """What the ``Host`` header names."""
        host, port = self.address
        return f"{host}:{port}"

    async def connect(self) -> Connection:
        """A new connection; waits while the server takes no more."""
        while True:
            try:
                return await Connection.open(self.address)
            except OSError as error:
                self.counts["connection", type(error).__name__] += 1
                await asyncio.sleep(1)

    async def ask(self, what: str, connection: Connection, request: bytes) -> Reply | None:
        """Send a request and count its outcome; ``None`` if the connection ended first."""
        await connection.send(request)
        try:
            reply = await connection.reply(PATIENCE_S)
        except TimeoutError:
            self.fault(f"{what}: no reply within {PATIENCE_S:.0f} s")
            connection.abort()
            return None
        self.judge(what, reply)
        return reply

    def judge(self, what: str, reply: Reply | None) -> None:
        """Count an outcome; a fault of the server's is one of the run's."""
        self.counts[what, "cut off" if reply is None else str(reply.status)] += 1
        if reply is None or reply.status < _SERVER_FAULT or reply.status in _ALLOWED:
            return
        received = (reply.head + reply.body).decode("utf-8", "replace")
        self.fault(f"{what}: {reply.status}", received[:1_000])

    def fault(self, kind: str, detail: str = "") -> None:
        """Note what must not happen."""
        self.faults.append((kind, detail))

    def get(self, path: str) -> bytes:
        """A reading."""
        return f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode()

    def post(self, path: str, content_type: str, body: bytes) -> bytes:
        """A post."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


async def all_of(clients: Iterable[object]) -> None:
    """Run coroutines together; when one fails, the others end."""
    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(client)  # type: ignore[arg-type]
