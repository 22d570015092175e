"""Uvicorn's WebSocket protocol with bounds on frames that cost more to parse than to send."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from edge.token_bucket import TokenBucket
from edge.web.transport import limits
from edge.web.transport.counted_messages import CountedMessages
from edge.web.transport.parse_queue import SLICE_S
from edge.web.transport.progress import WriteProgress
from edge.web.transport.refusals import malformed, reply

if TYPE_CHECKING:
    import asyncio

    from uvicorn import Config
    from uvicorn._types import ASGIReceiveEvent
    from uvicorn.server import ServerState
    from websockets.frames import Frame
    from websockets.http11 import Request

    from edge.dataplane.admission import Admission
    from edge.web.transport.places import Places

_SLICE = 16 * 1024
_NOT_UTF_8 = 1007  # RFC 6455, 7.4.1, as the next
_POLICY_VIOLATION = 1008


class BoundedWebSocket(CountedMessages):
    """One WebSocket, from its handshake on.

    Bytes are parsed in slices, and only while the application takes the messages.

    Args:
        places: which it enters, and leaves at its end.
        admission: counts the bytes of unfinished messages.
        message_s: seconds that a message may take to arrive.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        places: Places,
        admission: Admission,
        message_s: float,
    ) -> None:
        super().__init__(
            config, server_state, app_state, _loop, admission=admission, message_s=message_s
        )
        self._places = places
        self._unread: list[bytes] = []
        self._awaits_turn = False
        self._fragments = 0
        self._tiny_frames = TokenBucket(limits.TINY_FRAMES_BURST, limits.TINY_FRAMES_PER_S)
        self._is_ended = False
        self._discarded = 0
        self._progress = WriteProgress()

    # The connection's life

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a place; a stream is never closed in favour of another connection."""
        super().connection_made(transport)
        self._places.enter(self, self.client[0] if self.client else "")
        self._places.work(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the place."""
        self._places.leave(self)
        self._unread.clear()
        super().connection_lost(exc)

    def cut(self) -> None:
        """Close at once, whatever is still to send."""
        self.transport.abort()

    def check(self, now: float) -> None:
        """Close if the client has read nothing for too long."""
        if self._progress.is_stalled(self.transport, now):
            self._places.count("unread_reply")
            self.transport.abort()

    # Bytes in

    def data_received(self, data: bytes) -> None:
        """Parse the bytes now, or keep them until the application has taken earlier messages."""
        if self._is_ended:
            self._discarded += len(data)
            if self._discarded > limits.LINGER_BYTES:
                self.transport.abort()
            return
        if not self.handshake_initiated:
            self._shake_hands(data)
            return
        self._unread.append(data)
        if self.read_paused or self._awaits_turn:
            self.transport.pause_reading()
        else:
            self._parse()

    def go_on(self) -> None:
        """Parse what was kept, and read on if nothing is left of it."""
        self._awaits_turn = False
        if self.transport.is_closing() or self._is_ended:
            return
        self._parse()
        if not self._unread and not self.read_paused:
            self.transport.resume_reading()

    async def receive(self) -> ASGIReceiveEvent:
        """The next message, for the application."""
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            if not self._awaits_turn:
                self.go_on()
        return message

    def _shake_hands(self, head: bytes) -> None:
        super().data_received(head)
        if not self.handshake_initiated:  # `websockets` reads heads more strictly than llhttp
            self._refuse_handshake("it cannot be read as a handshake of WebSocket")

    def handle_connect(self, event: Request) -> None:
        """The handshake's head."""
        if self.conn.accept(event).status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            super().handle_connect(event)
        else:
            self.handshake_initiated = True
            self._refuse_handshake(f"{self.conn.handshake_exc}")

    def _refuse_handshake(self, reason: str) -> None:
        error = malformed(reason)
        self._places.count(error.code)
        self._is_ended = True
        headers = [(b"sec-websocket-version", b"13"), *self.default_headers]
        self.transport.write(reply(error, headers))
        self.transport.close()

    def _parse(self) -> None:
        unread = memoryview(b"".join(self._unread))
        self._unread.clear()
        began: float | None = None
        at, end = 0, len(unread)
        while at < end and not self._is_ended:
            if self.read_paused:
                break
            if began is None:
                began = time.thread_time()
            elif time.thread_time() - began > SLICE_S:
                self._awaits_turn = True
                self._places.parse_queue.ask(self)
                break
            super().data_received(bytes(unread[at : at + _SLICE]))
            at += _SLICE
        if at < end and not self._is_ended:
            self._unread.append(bytes(unread[at:]))
            self.transport.pause_reading()

    # Frames

    def handle_text(self, event: Frame) -> None:
        """The first frame of a text message."""
        self._fragments = 1
        if self._take(event):
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """The first frame of a binary message."""
        self._fragments = 1
        if self._take(event):
            super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        """A further frame of a message."""
        self._fragments += 1
        if self._take(event):
            super().handle_cont(event)

    def handle_pong(self, event: Frame) -> None:
        """A pong, whether asked for or not."""
        if self._take(event):
            super().handle_pong(event)

    def handle_ping(self) -> None:
        """A ping; `websockets` has prepared the pong."""
        if self._take(None):
            super().handle_ping()

    def send_receive_event_to_app(self) -> None:
        """Hand a complete message over; text that is not UTF-8 ends the WebSocket (RFC 6455, 8.1).

        Uvicorn would log the client's fault with a stack trace.
        """
        if self.curr_msg_data_type == "text" and not _is_utf_8(b"".join(self.frames)):
            self._fail(_NOT_UTF_8, "the text is not UTF-8")
            return
        super().send_receive_event_to_app()

    def _take(self, frame: Frame | None) -> bool:
        """Whether the frame is within the bounds; else the WebSocket ends."""
        if self._is_ended:
            return False
        if self._fragments > limits.MAX_FRAGMENTS:
            self._end(f"a message may have {limits.MAX_FRAGMENTS} frames")
            return False
        is_tiny = frame is None or len(frame.data) < limits.TINY_FRAME_BYTES
        if is_tiny and not self._tiny_frames.take(self._places.clock()):
            self._end(
                f"more than {limits.TINY_FRAMES_PER_S} frames a second are "
                f"below {limits.TINY_FRAME_BYTES} bytes"
            )
            return False
        return True

    def _end(self, reason: str) -> None:
        """Send the close frame; then discard for a moment, since a reset could undo it."""
        self._is_ended = True
        self._unread.clear()
        self._places.count("too_many_frames")
        if self.close_sent:  # the application has closed it already
            self.transport.abort()
            return
        self.stop_keepalive()
        self.conn.fail(_POLICY_VIOLATION, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait(
            {"type": "websocket.disconnect", "code": _POLICY_VIOLATION, "reason": reason}
        )
        self.close_timer = self.loop.call_later(limits.LINGER_S, self.transport.abort)
        self.transport.resume_reading()


def _is_utf_8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
