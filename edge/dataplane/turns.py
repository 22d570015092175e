"""Shares the slots fairly during an overload: the connection that has waited longest goes first.

Without turns, a free slot goes to whichever request arrives next; with four times as many cameras
as slots, some wait for seconds. So every connection must wait ``wait_s``, the same for all, between
two admissions. It grows while nearly all slots are taken and shrinks while some stay free, so that
it settles where each of n connections gets one n-th of the frames, and slots stay free for those
whose turn has come. A refusal states the time left, so that a client that honours Retry-After
returns when its turn comes; retrying earlier gains nothing.

A turn belongs to a connection, so opening more of them wins no more than their own turns. A client
that opens a connection for each frame never has a turn; one admission in eight is open to these.
Nothing is tracked until a request is refused, nor after some seconds without refusals.
"""

from __future__ import annotations

import math
import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

Caller = tuple[str, int]
"""Address and port of a connection."""

MAX_CALLERS = 16_384
"""Maximum number of connections tracked, in 4 MB; further ones have no turn."""
MAX_WAIT_S = 30.0
"""Longest time between two turns, and longest Retry-After but for its jitter."""
OVERLOAD_S = 5.0
"""Seconds without a refusal after which an overload is over; longer than the second or two that a
client waits when Retry-After asks it to."""
_MIN_WAIT_S = 0.01
_STEP = 0.03
"""Relative change of the wait at each admission: a hundred of them change it twentyfold."""
_USED_PART = 4
"""During an overload a quarter of the slots is in use: enough to keep the workers busy, while the
rest stay free for connections whose turn has come."""
_FORGOTTEN_S = 10.0
"""Seconds after its turn at which an idle connection is forgotten."""
_OPEN_EVERY = 8
"""Every eighth admission is open to connections without a turn."""


class Turns:
    """The turns of one admission. Used from one event loop.

    Attributes:
        overloaded: a request was refused lately; without that nobody need ask for a turn.
        wait_s: seconds between two admissions of one connection.
    """

    def __init__(
        self, slots: int, workers: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start without overload.

        Args:
            slots: requests in flight at once.
            workers: of them, those that are computed at once; 0 for no turns.
            clock: for tests; seconds that never go back.
        """
        self.overloaded = False
        self.wait_s = 0.0
        self._workers = workers
        self._target = max(workers + 1, slots // _USED_PART)
        self._is_used = workers > 0 and slots > workers + 1
        self._clock = clock
        self._last_refusal = 0.0
        self._since: dict[Caller, float] = {}  # the longest waiting first
        self._given = 0
        """Admissions since the last that was open to all."""

    def __repr__(self) -> str:
        return f"<Turns every {self.wait_s:.3f} s, {len(self._since)} connections>"

    def may_arrive(self, caller: Caller | None, in_flight: int) -> bool:
        """Whether it is this connection's turn, so that it is worth reading its body.

        Args:
            caller: the connection; ``None`` if the request came over none, which waits for no turn.
            in_flight: requests that are admitted now.
        """
        now = self._clock()
        if now - self._last_refusal > OVERLOAD_S:
            self._end()
            return True
        return in_flight < self._workers or self._is_due(caller, now)

    def may_enter(self, caller: Caller | None, in_flight: int) -> bool:
        """Whether it is this connection's turn; if so, it is taken.

        Called in an overload while a slot is free; arguments as of `may_arrive`.
        """
        if not self.may_arrive(caller, in_flight):
            return False
        if self.overloaded:
            self._note_admission(caller, self._clock(), in_flight)
        return True

    def refuse(self, caller: Caller | None) -> int:
        """Note that a connection was refused; returns the seconds after which to ask again."""
        if not self._is_used:
            return 1
        now = self._clock()
        self.overloaded = True
        self._last_refusal = now
        since = now if caller is None else self._remember(caller, now)
        left_s = self.wait_s - (now - since)
        # Spread over half as much again: those refused together must not come back together.
        jittered_s = left_s * (1 + random.random() / 2)  # noqa: S311 -- jitter
        return max(1, math.ceil(jittered_s))

    def _is_due(self, caller: Caller | None, now: float) -> bool:
        if caller is None or not self.wait_s:
            return True
        since = self._since.get(caller)
        if since is not None:
            return now - since >= self.wait_s
        return self._given >= _OPEN_EVERY

    def _note_admission(self, caller: Caller | None, now: float, in_flight: int) -> None:
        is_open = caller is not None and caller not in self._since and self._given >= _OPEN_EVERY
        self._given = 1 if is_open else self._given + 1
        if in_flight >= self._target:
            self.wait_s = min(max(self.wait_s, _MIN_WAIT_S) * (1 + _STEP), MAX_WAIT_S)
        else:
            wait_s = self.wait_s * (1 - _STEP)
            self.wait_s = wait_s if wait_s >= _MIN_WAIT_S else 0.0
        if caller is not None:
            self._since.pop(caller, None)
            self._remember(caller, now)

    def _remember(self, caller: Caller, now: float) -> float:
        """Since when the connection waits: from now on if it is new."""
        known = self._since.get(caller)
        if known is not None:
            return known
        self._forget_gone(now)
        if len(self._since) < MAX_CALLERS:
            self._since[caller] = now
        return now

    def _forget_gone(self, now: float) -> None:
        oldest_s = now - 2 * self.wait_s - _FORGOTTEN_S
        while self._since:
            caller, since = next(iter(self._since.items()))
            if since >= oldest_s:
                return
            del self._since[caller]

    def _end(self) -> None:
        self.overloaded = False
        self.wait_s = 0.0
        self._since.clear()
