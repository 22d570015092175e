"""A blocking call on a thread of its own, which the process does not wait for at its end.

`asyncio.to_thread` runs on a pool that Python joins before it exits: a network call that hangs would hold up the
service's stop for as long as its timeout.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def in_background(work: Callable[[], T]) -> T:
    """Run ``work`` on a new daemon thread; returns what it returns, raises what it raises."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return  # its caller gave up
        if error is None:
            future.set_result(result)  # type: ignore[arg-type]  # T may be None itself
        else:
            future.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except (
            BaseException
        ) as raised:  # handed to whoever awaits, also a panic of an extension module
            error = raised
        with suppress(RuntimeError):  # the loop is gone: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="edge-background", daemon=True).start()
    return await future
