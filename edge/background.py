"""Runs a blocking call on a thread of its own, which the process does not wait for when it exits.

`asyncio.to_thread` uses a pool that Python joins before it exits: a network call that hangs would
delay the end of the service for as long as its timeout.
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

    def finish(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return  # the caller has given up
        if error is None:
            future.set_result(result)  # type: ignore[arg-type]  # T may be None itself
        else:
            future.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:  # passed to the caller, even an extension module's panic
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nothing awaits the result
            loop.call_soon_threadsafe(finish, result, error)

    threading.Thread(target=run, name="edge-background", daemon=True).start()
    return await future
