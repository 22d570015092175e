"""The circuit breaker: when the cloud is left alone, and when it is tried again. Pure: the clock is an argument.

    CLOSED ---- failures in a row, or one that cost a caller its time ----> OPEN
    OPEN ------ backoff over and the probe got through -------------------> HALF_OPEN
    OPEN ------ the probe failed -----------------------------------------> OPEN, twice as long
    HALF_OPEN - one call, beside the edge's answer, succeeded ------------> CLOSED
    HALF_OPEN - it failed ------------------------------------------------> OPEN, twice as long

The backoff ends with a cheap probe, made by nobody's request.

A call that had less time than answers usually take says nothing of the link when it runs out of it: one hasty caller
must not take the cloud from all others. It counts as any failure does, and does not open the breaker alone.
"""

from __future__ import annotations

import math
from enum import StrEnum

from edge.backoff import Backoff

_WEIGHT = 0.2
"""Of the latest answer's time in what is usual."""


class BreakerState(StrEnum):
    """Whether calls go through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """See the module. Times are seconds on any clock that does not go back."""

    def __init__(self, failures: int = 3, backoff: Backoff | None = None) -> None:
        self.state = BreakerState.CLOSED
        self.failures = failures
        self.backoff = backoff or Backoff()
        self._in_a_row = 0
        self._opened = 0
        self._until = 0.0
        self._trying = False
        self._usual_s: float | None = None
        self._generation = 0

    def __repr__(self) -> str:
        return f"<Breaker {self.state}, {self._in_a_row} failures in a row, opened {self._opened} times>"

    @property
    def generation(self) -> int:
        """Grows with every opening: what a call of an earlier one finds out is out of date."""
        return self._generation

    @property
    def closed(self) -> bool:
        """Whether any call may go through."""
        return self.state is BreakerState.CLOSED

    @property
    def probe_free(self) -> bool:
        """Whether the one call of the half-open state is still to be made."""
        return self.state is BreakerState.HALF_OPEN and not self._trying

    def take_probe(self) -> bool:
        """Take the half-open state's one call; whether it was free."""
        if not self.probe_free:
            return False
        self._trying = True
        return True

    def probe_due(self, now: float) -> bool:
        """Whether the link should be probed."""
        return self.state is BreakerState.OPEN and now >= self._until

    def wait_s(self, now: float) -> float:
        """Seconds until a probe is due; 0 where none is waited for."""
        return max(self._until - now, 0.0) if self.state is BreakerState.OPEN else 0.0

    def probed(self, now: float, chance: float, *, reached: bool) -> None:
        """The outcome of a probe."""
        if self.state is not BreakerState.OPEN:
            return
        if reached:
            self.state, self._trying = BreakerState.HALF_OPEN, False
        else:
            self._open(now, chance)

    def succeeded(self, took_s: float | None = None) -> None:
        """A call was answered. Ends every doubt, except that an open breaker stays so: the answer is an old one's.

        Args:
            took_s: seconds until the answer; ``None`` where a refusal came, which may be faster.
        """
        if took_s is not None:
            self._usual_s = (
                took_s
                if self._usual_s is None
                else self._usual_s + (took_s - self._usual_s) * _WEIGHT
            )
        if self.state is BreakerState.OPEN:
            return
        self.state, self._in_a_row, self._opened, self._trying = BreakerState.CLOSED, 0, 0, False

    def failed(self, now: float, chance: float, *, costly: bool, had_s: float = math.inf) -> None:
        """A call failed.

        Args:
            costly: it ran into its deadline, or nobody was there: the next one would as well.
            had_s: seconds that it was given.
        """
        if self.state is BreakerState.OPEN:
            return
        self._in_a_row += 1
        hasty = self._usual_s is not None and had_s < self._usual_s
        if (
            (costly and not hasty)
            or self.state is BreakerState.HALF_OPEN
            or self._in_a_row >= self.failures
        ):
            self._open(now, chance)

    def given_up(self) -> None:
        """The half-open state's call was not made or says nothing of the link; another one may be."""
        self._trying = False

    def _open(self, now: float, chance: float) -> None:
        self._opened += 1
        self._generation += 1
        self._in_a_row = 0
        self.state, self._trying = BreakerState.OPEN, False
        self._until = now + self.backoff.seconds(self._opened, chance)
