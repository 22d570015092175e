"""Shares the event loop: connections whose bytes take long to parse continue one at a time."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Protocol

SLICE_S = 0.002
"""Seconds of CPU after which parsing one connection's bytes gives way to other work."""


class Slow(Protocol):
    """A connection that has kept bytes for later."""

    def go_on(self) -> None:
        """Parse for at most about ``SLICE_S``, and ask for another turn if bytes are left."""


class ParseQueue:
    """First come, first served; together they take at most half of the loop's time."""

    def __init__(self) -> None:
        self._queue: deque[Slow] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<ParseQueue {len(self._queue)} waiting>"

    def ask(self, connection: Slow) -> None:
        """Call the connection's ``go_on`` when its turn comes."""
        self._queue.append(connection)
        self._schedule(SLICE_S)

    def _schedule(self, delay: float) -> None:
        if self._timer is None and self._queue:
            self._timer = asyncio.get_running_loop().call_later(delay, self._next)

    def _next(self) -> None:
        self._timer = None
        began = time.thread_time()
        self._queue.popleft().go_on()
        self._schedule(time.thread_time() - began)
