"""Notices a worker that does not come back: its frame's deadline passed long ago.

Nothing can end a thread that is stuck in a decoder or a model. What can be done is to say so where
an orchestrator asks, `/health/live`, so that it starts the service again.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.runtime.pool import WorkerPool

_log = logging.getLogger(__name__)

GRACE_S = 60.0
"""Seconds past a deadline after which a worker counts as stuck. The slowest frame that is accepted,
a picture of 50 megapixels through a slow model, takes a tenth of it."""


class Watchdog:
    """Watches the workers of a pool. Used from one event loop.

    Args:
        pool: the workers.
        clock: as `time.monotonic`, on which jobs have their deadlines.
    """

    def __init__(self, pool: WorkerPool, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._is_logged = False

    def fault(self) -> str | None:
        """Which worker is stuck, in words; ``None`` if none is. Logged once."""
        now = self._clock()
        stuck = {
            number: now - deadline
            for number, deadline in self._pool.running().items()
            if now - deadline > GRACE_S
        }
        if not stuck:
            self._is_logged = False
            return None
        number, late_s = max(stuck.items(), key=lambda item: item[1])
        fault = f"worker {number} is {late_s:.0f} s past the deadline of its frame"
        if not self._is_logged:
            self._is_logged = True
            _log.error("%s; restart the service to get the worker back", fault)
        return fault
