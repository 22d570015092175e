"""One call to the online model for one frame: waited for within the deadline, or left running."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from edge.errors import CloudError, CloudUnreachable
from edge.fallback.policy import BlockedBy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Future

    from edge.fallback.cloud import CloudRequest, CloudResponse
    from edge.fallback.link import Link


async def call_within(
    link: Link,
    request: CloudRequest,
    seconds: float,
    caller_gone: Callable[[], Awaitable[None]] | None,
) -> CloudResponse | BlockedBy:
    """Return the online model's response, or what blocked it.

    Args:
        seconds: that the caller can wait.
        caller_gone: returns when the caller has left; the call is then cancelled. ``None`` if that
            cannot be known.
    """
    if caller_gone is None:
        return await _call(link, request, seconds, None)
    gone = asyncio.ensure_future(caller_gone())
    try:
        await asyncio.sleep(0)  # gives it a chance to notice
        if gone.done():  # no paid call is made for a caller that has left already
            return BlockedBy.CALLER_GONE
        return await _call(link, request, seconds, gone)
    finally:
        gone.cancel()


async def _call(
    link: Link, request: CloudRequest, seconds: float, gone: asyncio.Future[None] | None
) -> CloudResponse | BlockedBy:
    submitted = link.submit(request, seconds)
    if isinstance(submitted, BlockedBy):
        return submitted
    response = asyncio.wrap_future(submitted)
    response.add_done_callback(consume_exception)
    awaited: set[asyncio.Future[Any]] = {response}
    if gone is not None:
        awaited.add(gone)
    try:
        await asyncio.wait(awaited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        response.cancel()
        raise
    if response.done():
        return _outcome(response)
    if gone is not None and gone.done():
        response.cancel()
        return BlockedBy.CALLER_GONE
    # The call ends by itself within milliseconds, and the link learns from it.
    return BlockedBy.TIMED_OUT


def _outcome(response: asyncio.Future[CloudResponse]) -> CloudResponse | BlockedBy:
    try:
        return response.result()
    except CloudError as error:
        timed_out = isinstance(error, CloudUnreachable) and error.costly
        return BlockedBy.TIMED_OUT if timed_out else BlockedBy.CLOUD_FAILED
    except asyncio.CancelledError:  # the link is stopping
        return BlockedBy.LINK_DOWN


def call_in_background(
    link: Link,
    request: CloudRequest,
    seconds: float,
    on_done: Callable[[CloudResponse | None], None],
) -> None:
    """Make a call that no caller waits for, so that the frame's own deadline does not bound it.

    Args:
        on_done: called on the link's thread with the response, or ``None`` if the call failed; not
            called if it is not made at all.
    """
    submitted = link.submit(request, seconds)
    if isinstance(submitted, BlockedBy):
        return

    def finish(future: Future[CloudResponse]) -> None:
        failed = future.cancelled() or future.exception() is not None
        on_done(None if failed else future.result())

    submitted.add_done_callback(finish)


def consume_exception(future: asyncio.Future[Any]) -> None:
    """Mark a failure as seen that may come after the caller has stopped waiting.

    The link or the outbox has handled it; without this asyncio would log it as never retrieved.
    """
    if not future.cancelled():
        future.exception()
