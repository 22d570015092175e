"""How a sink is doing: for `GET /alerts`, the metrics and the log, which hears of changes only."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from edge.alerts.alert import iso_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.alerts.alert import Alert

_log = logging.getLogger(__name__)

_DROPS_LOGGED_S = 60.0
"""Dropped alerts are logged together once in this time: a full queue drops many."""


class SinkState(StrEnum):
    """Whether alerts get through."""

    IDLE = "idle"
    """Nothing was tried yet."""
    UP = "up"
    """The last attempt succeeded."""
    DOWN = "down"
    """The last attempt failed; it is repeated."""


@dataclass(frozen=True, slots=True)
class SinkStatus:
    """A sink at a glance.

    Attributes:
        name: ``webhook`` or ``mqtt``.
        fault: why alerts do not get through, fit for anyone; ``None`` if they do.
        queued: alerts that wait.
        delivered: alerts that the receiver has taken, since the start.
        dropped: alerts that were given up, since the start.
        delivered_at: when the last one was taken, in seconds since 1970; ``None`` if none was.
    """

    name: str
    state: SinkState
    fault: str | None
    queued: int
    delivered: int
    dropped: int
    delivered_at: float | None

    def as_json(self) -> dict[str, Any]:
        """As `GET /alerts` shows it."""
        at = self.delivered_at
        return {
            "state": self.state,
            "fault": self.fault,
            "queued": self.queued,
            "delivered": self.delivered,
            "dropped": self.dropped,
            "last_delivered": None if at is None else iso_time(at),
        }


class SinkHealth:
    """Counts, and logs when a sink fails and when it works again.

    Args:
        name: ``webhook`` or ``mqtt``.
        words: what the log calls the receiver, such as ``the webhook``.
        clock: seconds since 1970.
        steady: seconds of a clock that nobody sets.
    """

    def __init__(
        self,
        name: str,
        words: str,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._words = words
        self._clock = clock
        self._steady = steady
        self._state = SinkState.IDLE
        self._fault: str | None = None
        self._failing_since: float | None = None
        self._delivered = 0
        self._dropped = 0
        self._delivered_at: float | None = None
        self._drops_logged = 0
        self._drops_logged_at: float | None = None

    def worked(self) -> None:
        """An attempt succeeded."""
        if self._failing_since is not None:
            away_s = self._steady() - self._failing_since
            _log.info("alerts reach %s again, after %.0f s", self._words, away_s)
        self._state, self._fault, self._failing_since = SinkState.UP, None, None

    def delivered(self) -> None:
        """The receiver has taken an alert."""
        self._delivered += 1
        self._delivered_at = self._clock()
        self.worked()

    def failed(self, fault: str, queued: int) -> None:
        """An attempt failed. Logged when it is the first, or fails in another way."""
        if self._state is not SinkState.DOWN:
            self._failing_since = self._steady()
        if self._state is not SinkState.DOWN or fault != self._fault:
            _log.warning(
                "alerts do not reach %s: %s. %d are waiting; it is tried again and again",
                self._words,
                fault,
                queued,
            )
        self._state, self._fault = SinkState.DOWN, fault

    def dropped(self, alert: Alert, why: str) -> None:
        """An alert was given up. Logged at once, then as a sum once a minute."""
        self._dropped += 1
        now = self._steady()
        last = self._drops_logged_at
        if last is not None and now - last < _DROPS_LOGGED_S:
            return
        count = self._dropped - self._drops_logged
        self._drops_logged, self._drops_logged_at = self._dropped, now
        _log.warning(
            'gave up delivering %d alerts to %s, the last of rule "%s", camera "%s": %s',
            count,
            self._words,
            alert.rule.name,
            alert.camera,
            why,
        )

    def status(self, queued: int) -> SinkStatus:
        """The status now."""
        return SinkStatus(
            self.name,
            self._state,
            self._fault,
            queued,
            self._delivered,
            self._dropped,
            self._delivered_at,
        )
