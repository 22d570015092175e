"""How forwarder and webhook work through the outbox: at once again while there was something, idle while not."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from edge.errors import OutboxError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)


async def work_through(step: Callable[[], Awaitable[bool]], idle_s: float, complaint: str) -> None:
    """Call ``step`` until cancelled; after one that found nothing, or failed, wait ``idle_s`` seconds.

    Args:
        step: does some work; whether there was any.
        complaint: what the log says of a failure.
    """
    while True:
        try:
            busy = await step()
        except OutboxError:
            busy = False  # the outbox has told it
        except Exception:  # a fault of ours must not end the work for good
            _log.exception(complaint)
            busy = False
        if not busy:
            await asyncio.sleep(idle_s)
