"""Alerts that wait for a sink: bounded, oldest first, and shared fairly between clients."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.alerts.alert import Alert

MAX_QUEUED = 256
"""Alerts that wait while a receiver is away; about 1 kB each."""

MAX_AGE_S = 24 * 3600.0
"""Age at which an alert that still waits is dropped: it is no news any more."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An alert in the queue.

    Attributes:
        alert: the alert.
        since: when it was queued, in seconds of the queue's clock.
    """

    alert: Alert
    since: float


class AlertQueue:
    """Takes alerts on one thread and hands them out on another.

    When it is full, the client that has most alerts in it loses its oldest one, so that a client
    that raises too many displaces its own.

    Args:
        size: maximum number of alerts, 2 or more.
        clock: seconds that nobody sets: a wall clock that jumps makes no alert old.
    """

    def __init__(self, size: int = MAX_QUEUED, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._clock = clock
        self._waiting: list[Waiting] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, alert: Alert) -> Alert | None:
        """Add an alert; returns the one that was dropped for it, if any."""
        with self._lock:
            self._waiting.append(Waiting(alert, self._clock()))
            if len(self._waiting) <= self._size:
                return None
            rest = self._waiting[1:]  # the first one may be under way
            counts = Counter(one.alert.client for one in rest)
            most = max(counts, key=lambda client: (counts[client], client == alert.client))
            dropped = next(one for one in rest if one.alert.client == most)
            self._waiting.remove(dropped)
            return dropped.alert

    def first(self) -> Alert | None:
        """The alert to deliver next; it stays in the queue until `remove_first`."""
        with self._lock:
            return self._waiting[0].alert if self._waiting else None

    def take_stale(self) -> Alert | None:
        """Remove the first alert if it has waited for too long; returns it."""
        with self._lock:
            if not self._waiting or self._clock() - self._waiting[0].since < MAX_AGE_S:
                return None
            return self._waiting.pop(0).alert

    def remove_first(self) -> None:
        """Remove the alert that `first` returned: it was delivered, or never will be."""
        with self._lock:
            del self._waiting[0]
