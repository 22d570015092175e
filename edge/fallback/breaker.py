"""The circuit breaker: when calls to the cloud are suspended, and when it is tried again.

    CLOSED ---- failures in a row, or one that cost a caller its time ----> OPEN
    OPEN ------ backoff over and the probe got through -------------------> HALF_OPEN
    OPEN ------ the probe failed -----------------------------------------> OPEN, twice as long
    HALF_OPEN - one call, in the background, succeeded -------------------> CLOSED
    HALF_OPEN - it failed ------------------------------------------------> OPEN, twice as long

Pure: the clock is an argument. The backoff ends with a cheap probe that no caller waits for.

A call that had less time than answers usually take says nothing about the link when it runs out of
time: one impatient caller must not cut the others off from the cloud. Such a call counts as a
failure in a row, but does not open the breaker by itself.
"""

from __future__ import annotations

import math
from enum import StrEnum

from edge.backoff import Backoff

_LATENCY_WEIGHT = 0.2
"""Weight of the latest response in the moving average of response times."""


class BreakerState(StrEnum):
    """Whether calls go through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """A circuit breaker. Times are seconds on any clock that does not go back.

    Attributes:
        state: whether calls go through.
        failures: failures in a row that open it.
        backoff: how long it stays open.
    """

    def __init__(self, failures: int = 3, backoff: Backoff | None = None) -> None:
        self.state = BreakerState.CLOSED
        self.failures = failures
        self.backoff = backoff or Backoff()
        self._failures_in_a_row = 0
        self._times_opened = 0
        self._probe_at = 0.0
        self._probe_taken = False
        self._typical_s: float | None = None
        self._generation = 0

    def __repr__(self) -> str:
        failures = f"{self._failures_in_a_row} failures in a row"
        return f"<Breaker {self.state}, {failures}, opened {self._times_opened} times>"

    @property
    def generation(self) -> int:
        """Grows with every opening; the outcome of a call from an earlier one is out of date."""
        return self._generation

    @property
    def closed(self) -> bool:
        """Whether any call may go through."""
        return self.state is BreakerState.CLOSED

    @property
    def probe_free(self) -> bool:
        """Whether the one call of the half-open state is still to be made."""
        return self.state is BreakerState.HALF_OPEN and not self._probe_taken

    def take_probe(self) -> bool:
        """Take the one call of the half-open state; returns whether it was free."""
        if not self.probe_free:
            return False
        self._probe_taken = True
        return True

    def release_probe(self) -> None:
        """The half-open state's call was not made or says nothing about the link: allow another."""
        self._probe_taken = False

    def probe_due(self, now: float) -> bool:
        """Whether the link should be probed."""
        return self.state is BreakerState.OPEN and now >= self._probe_at

    def wait_s(self, now: float) -> float:
        """Seconds until a probe is due; 0 if none is awaited."""
        return max(self._probe_at - now, 0.0) if self.state is BreakerState.OPEN else 0.0

    def record_probe(self, now: float, chance: float, *, reached: bool) -> None:
        """Learn the outcome of a probe; ignored unless the breaker is open.

        Args:
            chance: random number in [0, 1) for the backoff.
            reached: whether the cloud could be connected to.
        """
        if self.state is not BreakerState.OPEN:
            return
        if reached:
            self.state = BreakerState.HALF_OPEN
            self._probe_taken = False
        else:
            self._open(now, chance)

    def record_success(self, took_s: float | None = None) -> None:
        """A call was answered: close, unless open, since then the answer belongs to an old call.

        Args:
            took_s: seconds until the answer; ``None`` for a refusal, which may come faster.
        """
        if took_s is not None:
            self._update_typical_time(took_s)
        if self.state is BreakerState.OPEN:
            return
        self.state = BreakerState.CLOSED
        self._failures_in_a_row = 0
        self._times_opened = 0
        self._probe_taken = False

    def record_failure(
        self, now: float, chance: float, *, costly: bool, had_s: float = math.inf
    ) -> None:
        """A call failed.

        Args:
            chance: random number in [0, 1) for the backoff.
            costly: it ran into its deadline, or found no server: the next one would as well.
            had_s: seconds that it was given.
        """
        if self.state is BreakerState.OPEN:
            return
        self._failures_in_a_row += 1
        impatient = self._typical_s is not None and had_s < self._typical_s
        alone_enough = costly and not impatient
        probe_failed = self.state is BreakerState.HALF_OPEN
        if alone_enough or probe_failed or self._failures_in_a_row >= self.failures:
            self._open(now, chance)

    def _update_typical_time(self, took_s: float) -> None:
        if self._typical_s is None:
            self._typical_s = took_s
        else:
            self._typical_s += (took_s - self._typical_s) * _LATENCY_WEIGHT

    def _open(self, now: float, chance: float) -> None:
        self.state = BreakerState.OPEN
        self._probe_taken = False
        self._failures_in_a_row = 0
        self._times_opened += 1
        self._generation += 1
        self._probe_at = now + self.backoff.seconds(self._times_opened, chance)
