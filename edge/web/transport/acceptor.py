"""Accepts connections within the limit, and refuses the others with a reply."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from edge.web.transport import limits
from edge.web.transport.refusals import reply, too_many_connections

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from edge.web.transport.http_protocol import BoundedHttp
    from edge.web.transport.places import Places

_ACCEPTS_A_TURN = 32  # then the loop looks after the connections that it has
_REST_S = 0.1  # without descriptors the listener would be readable again at once
_MAX_REFUSED = 32  # refused sockets that linger; each needs a descriptor
_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_DRAIN_BYTES = 64 * 1024
_MIN_HANDSHAKE_S = 1.0  # for a client whose first byte came at the last moment
_FIRST_OF_METHOD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""What a line of HTTP begins with. TLS begins with a record's type, 22 for a handshake."""


class Acceptor:
    """Stands in for `asyncio.Server`, with the methods that uvicorn calls.

    `loop.create_server` accepts whatever has queued before anything is known of it, lets a TLS
    handshake take a minute, and drops connections without a word when descriptors run out.

    Args:
        make_protocol: a new protocol for each connection.
        context: for TLS; ``None`` for plain HTTP.
        plain_app: ASGI application that answers plain HTTP on the port of TLS.
    """

    def __init__(
        self,
        listener: socket.socket,
        make_protocol: Callable[[], BoundedHttp],
        places: Places,
        context: ssl.SSLContext | None,
        plain_app: Any = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._make_protocol = make_protocol
        self._places = places
        self._tls: dict[str, Any] = {}
        if context is not None:
            self._tls = {"ssl": context}
        self._plain_app = plain_app
        self._reply = reply(too_many_connections(places.limit))
        self._opening: set[asyncio.Task[None]] = set()
        self._is_closed = False
        self._refused: dict[socket.socket, asyncio.TimerHandle] = {}
        self._rest: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        self._listen()

    def __repr__(self) -> str:
        return f"<Acceptor {len(self._opening)} opening, {len(self._refused)} refused>"

    def close(self) -> None:
        """Accept nothing more; connections that are open stay open.

        Those that are about to open are not cancelled: uvloop would close them without a word to
        their protocol, which may have a request by then.
        """
        if self._rest is not None:
            self._rest.cancel()
        self._loop.remove_reader(self._listener)
        self._is_closed = True
        for refused in list(self._refused):
            self._hang_up(refused)

    async def wait_closed(self) -> None:
        """Nothing is left to wait for after `close`."""

    def _listen(self) -> None:
        self._rest = None
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(_ACCEPTS_A_TURN):
            try:
                accepted, address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _OUT_OF_FILES:
                    self._pause()
                    return
                continue  # the client has gone already
            accepted.setblocking(False)
            if self._places.make_room(address[0]):
                self._open(accepted, address[0])
            else:
                self._refuse(accepted)

    def _pause(self) -> None:
        """Free a descriptor, and accept again a little later."""
        self._places.count("no_descriptor")
        self._places.shed()
        self._loop.remove_reader(self._listener)
        self._rest = self._loop.call_later(_REST_S, self._listen)

    def _open(self, accepted: socket.socket, address: str) -> None:
        protocol = self._make_protocol()
        self._places.enter(protocol, address)
        protocol.opening = self._loop.create_task(self._connect(accepted, protocol))
        self._opening.add(protocol.opening)
        protocol.opening.add_done_callback(self._opening.discard)

    async def _connect(self, accepted: socket.socket, protocol: BoundedHttp) -> None:
        try:
            how = await self._encryption(accepted, protocol) if self._tls else {}
            await self._loop.connect_accepted_socket(lambda: protocol, accepted, **how)
        except (OSError, asyncio.CancelledError):  # no TLS, not in time, or displaced
            if protocol.is_made:  # cancelled in the moment in which it was
                protocol.connection_lost(None)
            self._places.leave(protocol)
            accepted.close()
        else:
            if self._is_closed:  # its request, if one has come already, is answered
                protocol.shutdown()
        finally:
            protocol.opening = None

    async def _encryption(self, accepted: socket.socket, protocol: BoundedHttp) -> dict[str, Any]:
        """Wait for the first byte, and choose by it between TLS and plain HTTP.

        Until then the connection holds no buffer and no state of TLS.

        Returns:
            How the transport is made.

        Raises:
            OSError: the client has gone, or sends nothing in time.
        """
        began = self._places.clock()
        first = await self._first_byte(accepted)
        if self._plain_app is not None and first in _FIRST_OF_METHOD:
            protocol.answer_with(self._plain_app, began)
            return {}
        left = limits.HEAD_S - (self._places.clock() - began)
        return {**self._tls, "ssl_handshake_timeout": max(left, _MIN_HANDSHAKE_S)}

    async def _first_byte(self, accepted: socket.socket) -> bytes:
        """The first byte that the client sends, which stays in the socket's buffer."""
        readable = asyncio.Event()
        self._loop.add_reader(accepted, readable.set)
        try:
            async with asyncio.timeout(limits.HEAD_S):
                await readable.wait()
        except TimeoutError:
            self._places.count("silent")
            raise
        finally:
            self._loop.remove_reader(accepted)
        first = accepted.recv(1, socket.MSG_PEEK)
        if not first:
            raise ConnectionResetError
        return first

    def _refuse(self, accepted: socket.socket) -> None:
        """Reply and close; over TLS a reply would cost a handshake."""
        if self._tls:
            accepted.close()
            return
        with suppress(OSError):
            accepted.send(self._reply)
            accepted.shutdown(socket.SHUT_WR)
        while len(self._refused) >= _MAX_REFUSED:
            self._hang_up(next(iter(self._refused)))
        timer = self._loop.call_later(limits.LINGER_S, self._hang_up, accepted)
        self._refused[accepted] = timer

    def _hang_up(self, refused: socket.socket) -> None:
        """Close a refused connection; unread bytes would reset it and could undo the reply."""
        self._refused.pop(refused).cancel()
        with suppress(OSError):
            refused.recv(_DRAIN_BYTES)
        refused.close()
