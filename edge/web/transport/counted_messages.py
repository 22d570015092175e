"""Uvicorn's WebSocket protocol, which counts a message's bytes while they arrive.

Uvicorn gathers a whole message before the application sees it. Without this, unfinished messages
would hold memory that no bound counts, for as long as their client likes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from edge.errors import Overloaded
from edge.web.pace import GAP_S, MIN_BYTES, Pace

if TYPE_CHECKING:
    import asyncio

    from edge.dataplane.admission import Admission
    from edge.dataplane.arriving import ArrivingBody

STALLED = 4408
"""Close code of a message that stops arriving: 408, Request Timeout, as for an idle stream."""
_TRY_AGAIN_LATER = 1013  # IANA's WebSocket Close Code Number registry
_MAX_REASON = 120  # bytes; RFC 6455 has room for 123


class CountedMessages(WebSocketsSansIOProtocol):
    """A connection whose unfinished message counts as held, and must arrive in time.

    Args:
        admission: counts the bytes.
        message_s: seconds that a message may take to arrive; it must also keep to `Pace`.
    """

    def __init__(
        self, *arguments: Any, admission: Admission, message_s: float, **named: Any
    ) -> None:
        super().__init__(*arguments, **named)
        self._admission = admission
        self._message_s = message_s
        self._message: ArrivingBody | None = None
        self._pace = Pace(0.0)
        self._timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Pass the bytes on, then count what they leave unfinished."""
        super().data_received(data)
        unfinished = len(self.conn.reader.buffer) + (self.conn.current_size or 0)
        if not unfinished or self.transport.is_closing():
            self._end_message()
            return
        try:
            self._count(unfinished, len(data))
        except Overloaded as error:
            self._fail(_TRY_AGAIN_LATER, error.message)

    def send_receive_event_to_app(self) -> None:
        """Hand a complete message over; from then on the application counts it."""
        self._end_message()
        super().send_receive_event_to_app()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count nothing any more."""
        self._end_message()
        super().connection_lost(exc)

    def _count(self, unfinished: int, arrived: int) -> None:
        now = time.monotonic()
        if self._message is None:
            self._message = self._admission.begin_body(self._give_way)
            self._pace = Pace(now)
            self._watch()
        self._pace.add(arrived, now)
        if unfinished > self._message.held:
            self._message.hold(unfinished - self._message.held)

    def _limit(self, message: ArrivingBody) -> float:
        return min(message.began + self._message_s, self._pace.limit)

    def _watch(self) -> None:
        """Call `_check` when the message must have gone on."""
        assert self._message is not None
        seconds = self._limit(self._message) - time.monotonic()
        self._timer = self.loop.call_later(max(seconds, 0.0), self._check)

    def _check(self) -> None:
        assert self._message is not None
        if time.monotonic() < self._limit(self._message):
            self._watch()
            return
        self._fail(
            STALLED,
            f"a frame has {self._message_s:g} s, and must bring {MIN_BYTES} bytes in {GAP_S:g} s",
        )

    def _give_way(self) -> None:
        self._fail(_TRY_AGAIN_LATER, "the frame arrived slowly; others needed its memory")

    def _end_message(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._message is not None:
            self._admission.end_body(self._message)
            self._message = None

    def _fail(self, code: int, reason: str) -> None:
        """Close the connection and drop what has arrived."""
        self._end_message()
        self.frames = []
        if not self.handshake_complete or self.close_sent:
            self.transport.abort()
            return
        self.conn.fail(code, reason[:_MAX_REASON])
        self.handle_parser_exception()
