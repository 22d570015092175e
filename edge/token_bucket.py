"""A token bucket: allows a burst, and a rate after it."""

from __future__ import annotations


class TokenBucket:
    """Full at first. Not thread-safe.

    Args:
        burst: how many at once, 1 or more.
        rate: how many a second.
    """

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, burst: float, rate: float) -> None:
        self._burst = burst
        self._rate = rate
        self._tokens = burst
        self._at: float | None = None

    def left(self, now: float) -> float:
        """Tokens at this time, in seconds of any clock."""
        if self._at is None:
            return self._tokens
        return min(self._tokens + (now - self._at) * self._rate, self._burst)

    def take(self, now: float) -> bool:
        """Take a token; false if none is left."""
        left = self.left(now)
        if left < 1:
            return False
        self._tokens, self._at = left - 1, now
        return True
