"""A connection that sends the bytes it is given and waits for replies. Costs little, as it must."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, Self, cast

from soak.replies import NotHttp, Replies

if TYPE_CHECKING:
    from soak.replies import Reply

_RESET = struct.pack("ii", 1, 0)


class Connection(asyncio.Protocol):
    """One connection to the server.

    Attributes:
        closed: the server has closed it, or `abort` has.
        fault: bytes that the server sent and that are no HTTP; ``None`` if there were none.
    """

    def __init__(self) -> None:
        self.closed = False
        self.fault: str | None = None
        self._replies = Replies()
        self._arrived: deque[Reply] = deque()
        self._news: asyncio.Future[None] | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()

    @classmethod
    async def open(cls, address: tuple[str, int]) -> Self:
        """Connect; raises ``OSError`` if the server does not accept."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(cls, *address)
        return connection

    @property
    def idle(self) -> bool:
        """Nothing has arrived that was not asked for."""
        return not self._arrived and not self._replies.pending

    @property
    def surplus(self) -> bytes:
        """What has arrived that was not asked for."""
        return b"".join(reply.head + reply.body for reply in self._arrived) + self._replies.pending

    @property
    def rest(self) -> bytearray:
        """Bytes that have arrived since the connection left HTTP; the reader removes them."""
        return self._replies.rest

    async def send(self, data: bytes, *, bodiless: bool = False) -> None:
        """Send bytes; returns when the transport has room for more.

        Args:
            bodiless: they are a HEAD request.
        """
        self._replies.bodiless = bodiless
        if not self.closed:
            self._transport.write(data)
            await self._may_write.wait()

    async def reply(self, seconds: float) -> Reply | None:
        """The next reply; ``None`` if the connection ended without one.

        Raises:
            TimeoutError: neither came within ``seconds``.
        """
        async with asyncio.timeout(seconds):
            while not self._arrived and not self.closed:
                await self.news()
        return self._arrived.popleft() if self._arrived else None

    async def news(self) -> None:
        """Return when anything has arrived, or the connection has ended."""
        if self.closed:
            return
        self._news = asyncio.get_running_loop().create_future()
        await self._news

    async def until_closed(self, seconds: float) -> None:
        """Return when the server has closed; raises ``TimeoutError`` if it does not in time."""
        async with asyncio.timeout(seconds):
            while not self.closed:
                await self.news()

    def end_sending(self) -> None:
        """Say that nothing more will be sent."""
        if not self.closed and self._transport.can_write_eof():
            self._transport.write_eof()

    def stop_reading(self) -> None:
        """Leave what the server sends in the kernel's buffers."""
        if not self.closed:
            self._transport.pause_reading()

    def abort(self) -> None:
        """End it with a reset, which leaves no port waiting."""
        if not self.closed:
            kernel_socket = self._transport.get_extra_info("socket")
            kernel_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()
            self.closed = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._arrived += self._replies.feed(data)
        except NotHttp as error:
            self.fault = str(error)
            self.abort()
        self._wake()

    def eof_received(self) -> None:
        return None  # the transport closes itself

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._may_write.set()
        self._wake()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
