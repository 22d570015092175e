"""Exponential backoff with jitter. Pure: the random number is an argument."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double with each failure, shortened at random by up to ``jitter`` of their length.

    Attributes:
        first_s: seconds after the first failure.
        max_s: maximum, in seconds.
        jitter: share, 0..1, so that a factory's devices do not all come back at once.
    """

    first_s: float = 1.0
    max_s: float = 60.0
    jitter: float = 0.5

    def seconds(self, times: int, chance: float) -> float:
        """Seconds to wait after failure number ``times`` (1, 2, ...).

        ``chance`` is random in [0, 1).
        """
        full = min(self.first_s * 2.0 ** min(times - 1, 30), self.max_s)
        return full * (1 - self.jitter * chance)
