"""How long the forwarder and the webhook wait before they try again."""

from __future__ import annotations

import random

from edge.backoff import Backoff

MAX_DELAY_S = 3_600.0
"""The longest wait."""

_BACKOFF = Backoff(first_s=2.0, max_s=MAX_DELAY_S, jitter=0.5)


def retry_delay_s(attempt: int) -> float:
    """Seconds to wait after failed attempt ``attempt`` (1, 2, ...).

    The wait doubles from 2 seconds up to an hour; half of it is random.
    """
    return _BACKOFF.seconds(attempt, random.random())  # noqa: S311 -- jitter
