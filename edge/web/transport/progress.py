"""Whether a client reads what is sent to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.web.transport import limits

if TYPE_CHECKING:
    import asyncio


class WriteProgress:
    """Watches the write buffer of one connection, looked at about once a second.

    While its client reads nothing the buffer never shrinks; once it is full uvicorn writes nothing
    more into it.
    """

    __slots__ = ("_left", "_since")

    def __init__(self) -> None:
        self._left = 0
        self._since = 0.0

    def is_stalled(self, transport: asyncio.Transport, now: float) -> bool:
        """Whether bytes have waited for ``WRITE_S`` and none of them has gone."""
        left = transport.get_write_buffer_size()
        if left < self._left or self._left == 0:
            self._since = now
        self._left = left
        return left > 0 and now - self._since > limits.WRITE_S
