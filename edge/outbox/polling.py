"""The polling loop of forwarder and webhook: keep going while there is work, then wait."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from edge.errors import OutboxError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)


async def poll_forever(
    step: Callable[[], Awaitable[bool]], idle_s: float, failure_message: str
) -> None:
    """Call ``step`` until cancelled; pause after a step that failed or found no work.

    Args:
        step: does some work; returns whether there was any.
        idle_s: length of the pause in seconds.
        failure_message: logged when a step raises an unexpected exception.
    """
    while True:
        try:
            busy = await step()
        except OutboxError:
            busy = False  # the outbox has already logged it
        except Exception:  # a bug in one step must not end the loop for good
            _log.exception(failure_message)
            busy = False
        if not busy:
            await asyncio.sleep(idle_s)
