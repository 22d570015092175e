"""Exponential backoff: seconds until the next attempt. Pure: randomness is an argument."""

from __future__ import annotations

from dataclasses import dataclass

_MAX_DOUBLINGS = 30
"""Keeps ``2 ** times`` small; every backoff has reached its maximum long before."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """A wait that doubles with each failure, shortened at random by up to a share of it.

    Attributes:
        first_s: seconds after the first failure.
        max_s: longest wait, in seconds.
        jitter: share of the wait, 0..1, that chance may cut off, so that all devices of a factory
            do not come back at the same moment.
    """

    first_s: float = 1.0
    max_s: float = 60.0
    jitter: float = 0.5

    def seconds(self, times: int, chance: float) -> float:
        """Seconds to wait after failure number ``times`` (1, 2, ...).

        Args:
            times: failures in a row, 1 or more.
            chance: random number in [0, 1).
        """
        doublings = min(times - 1, _MAX_DOUBLINGS)
        full_s = min(self.first_s * 2.0**doublings, self.max_s)
        return full_s * (1 - self.jitter * chance)
