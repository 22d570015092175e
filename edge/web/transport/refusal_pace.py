"""Slows down connections that ask again at once after a refusal.

A client that honours Retry-After, or pauses at all, never notices. Without a pace, two hundred
cameras that do not would have 13,000 requests a second refused on two cores, and half of the frames
that could be computed would not be.
"""

from __future__ import annotations

import asyncio
import math
from typing import Protocol

PACE_S = 0.05
"""Seconds from one refusal of a connection until its next request is looked at."""

MAX_HELD_BYTES = 16 << 20
"""Bytes that may wait for it on all connections; what comes beyond is looked at right away."""

_STEP_S = 0.01
"""Waits end together at multiples of this: many refusals in a row cost less than single ones."""


class Paced(Protocol):
    """A connection that has kept bytes for later."""

    def go_on(self) -> None:
        """Look at them."""


class RefusalPace:
    """The requests that wait because their connections were refused a moment ago."""

    def __init__(self) -> None:
        self._held_bytes = 0

    def __repr__(self) -> str:
        return f"<RefusalPace {self._held_bytes} bytes held>"

    def delay(self, connection: Paced, size: int, refused_at: float, now: float) -> bool:
        """Have ``go_on`` called when the connection may ask again; false if it may already.

        Args:
            size: bytes that it keeps until then.
            refused_at: steady seconds, like ``now``; its last refusal.
        """
        may_ask_at = refused_at + PACE_S
        if now >= may_ask_at or self._held_bytes + size > MAX_HELD_BYTES:
            return False
        self._held_bytes += size
        ends_at = math.ceil(may_ask_at / _STEP_S) * _STEP_S
        asyncio.get_running_loop().call_later(ends_at - now, self._end, connection, size)
        return True

    def _end(self, connection: Paced, size: int) -> None:
        self._held_bytes -= size
        connection.go_on()
