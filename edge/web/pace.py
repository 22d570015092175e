"""How fast a body must arrive: enough bytes in every few seconds, or its connection is stalled.

The bound is for a caller who holds a place without sending. A camera over bad Wi-Fi is well above
it: TCP repeats a lost packet after 0.2, 0.4, 0.8 and 1.6 s, so that a live connection brings
something within 3 s; and at 1 KiB/s even a small image would miss the default deadline.
"""

from __future__ import annotations

GAP_S = 5.0
"""Longest time in which a body may bring less than `MIN_BYTES`."""

MIN_BYTES = 5 << 10
"""1 KiB/s over `GAP_S`."""


class Pace:
    """The progress of one body.

    Attributes:
        limit: on the clock of ``now``, by which more must have arrived.
    """

    def __init__(self, now: float) -> None:
        self.limit = now + GAP_S
        self._since = 0

    def add(self, size: int, now: float) -> bool:
        """Note that bytes have arrived; returns whether the limit has moved."""
        self._since += size
        if self._since < MIN_BYTES:
            return False
        self._since = 0
        self.limit = now + GAP_S
        return True
