"""Waits for what another thread or process brings about."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def wait(condition: Callable[[], object], seconds: float = 30.0, pause: float = 0.02) -> None:
    """Return once the condition holds; it must within that many seconds.

    A long ``pause`` leaves a busy process the time to bring it about.
    """
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come in time"
        time.sleep(pause)


async def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """The same on an event loop, without a timer that would outlast a look."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come in time"
        await asyncio.sleep(0.002)
