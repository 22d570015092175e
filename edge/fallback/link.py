"""The link to the cloud: a thread with an event loop of its own, on which everything slow happens.

The service's event loop only reads the link (`state`, `blocked_by`) and hands requests over
(`submit`). Google's library is imported, connected, probed and called on this thread; a cloud that
hangs holds up nothing else. `CloudCalls` decides about each call; this module keeps the connection.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from edge.background import in_background
from edge.errors import CloudError, CloudUnreachable
from edge.fallback.policy import BlockedBy

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

    from edge.fallback.calls import CloudCalls
    from edge.fallback.cloud import CloudClient, CloudRequest, CloudResponse
    from edge.fallback.link_status import LinkStatus
    from edge.fallback.policy import LinkState

_log = logging.getLogger(__name__)

_PROBE_S = 3.0
_MIN_TICK_S = 0.1
_MAX_TICK_S = 1.0
_STOP_S = 2.0
_SAVE_BUDGET_S = 600.0
_AFTER_CRASH_S = 1.0


class Link:
    """Connects, reconnects when the circuit breaker asks for a probe, and runs calls.

    Attributes:
        calls: decides about each call and holds the current connection.
    """

    def __init__(
        self,
        connect: Callable[[], CloudClient],
        calls: CloudCalls,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is imported, opened or started yet.

        Args:
            connect: makes a client; takes seconds if it imports Google's library, and may raise
                ``CloudError``.
            now: seconds on a clock that does not go back.
        """
        self.calls = calls
        self._connect = connect
        self._now = now
        self._save_budget_at = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run_thread, name="edge-cloud", daemon=True)

    def __repr__(self) -> str:
        return f"<Link {self.calls}>"

    @property
    def state(self) -> LinkState:
        """What is known of the link; reading it costs nothing and reaches no network."""
        return self.calls.state

    @property
    def blocked_by(self) -> BlockedBy | None:
        """What prevents any call now even if the link is up; ``None`` if nothing does."""
        return self.calls.blocked_by

    def blocked_for(self, client: str) -> BlockedBy | None:
        """As `blocked_by`, or that this client (`NO_CLIENT`: the outbox) has had its share."""
        return self.calls.blocked_for(client)

    @property
    def max_calls(self) -> int:
        """Calls under way at once."""
        return self.calls.max_calls

    def status(self) -> LinkStatus:
        """The state of the link and what was spent."""
        return self.calls.status()

    def start(self) -> None:
        """Connect in the background; returns at once."""
        self._loop = asyncio.new_event_loop()
        self._thread.start()

    def stop(self) -> None:
        """Cancel what is under way and end the thread; waits up to two seconds for it."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._cancel_all)
            self._thread.join(_STOP_S)

    def submit(self, request: CloudRequest, seconds: float) -> Future[CloudResponse] | BlockedBy:
        """Send a request, which is given up after ``seconds``; the budget counts the call.

        Returns:
            The response to come (its exception is a ``CloudError``), or why no call was made.
        """
        slot = self.calls.acquire(request.client)
        if isinstance(slot, BlockedBy):
            return slot
        assert self._loop is not None
        call = self.calls.run(request, seconds, slot)
        try:
            return asyncio.run_coroutine_threadsafe(call, self._loop)
        except RuntimeError:  # the loop has ended: the service is stopping
            call.close()
            self.calls.release()
            return BlockedBy.LINK_DOWN

    async def call(self, request: CloudRequest, seconds: float) -> CloudResponse:
        """As `submit`, for work that runs on this thread; raises ``CloudError``."""
        slot = self.calls.acquire(request.client)
        if isinstance(slot, BlockedBy):
            raise CloudUnreachable(f"The online model may not be called now: {slot}.")
        return await self.calls.run(request, seconds, slot)

    def run(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run other work of the cloud's, such as the forwarder, on this thread.

        It runs until it ends or the link is stopped. Call `start` first.
        """
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._start_task, work)

    def _start_task(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)  # the loop itself holds tasks only weakly
        task.add_done_callback(self._finish_task)

    def _finish_task(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("background task of the link crashed", exc_info=task.exception())

    def _cancel_all(self) -> None:
        for task in asyncio.all_tasks():
            task.cancel()

    def _run_thread(self) -> None:
        assert self._loop is not None
        loop = self._loop
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(self._supervise())
        except asyncio.CancelledError:
            pass
        finally:
            self.calls.disconnect()
            loop.run_until_complete(self._shut_down())
            loop.close()

    async def _supervise(self) -> None:
        while True:
            try:
                await self._tick()
            except Exception:  # whatever it is: a thread that ended would never reconnect
                _log.exception("supervision of the link failed, trying again")
                await asyncio.sleep(_AFTER_CRASH_S)
            pause_s = min(self.calls.seconds_to_probe(), _MAX_TICK_S)
            await asyncio.sleep(max(_MIN_TICK_S, pause_s))

    async def _tick(self) -> None:
        """Connect if it is due, and write the budget file now and then.

        The file is written even if nothing is spent. Otherwise a device that is switched off each
        night would count the same day again and again, and a spent budget would never be renewed.
        """
        if self._now() >= self._save_budget_at:
            self._save_budget_at = self._now() + _SAVE_BUDGET_S
            await self.calls.save_budget()
        if self.calls.connection_due:
            reached = await self._reconnect()
            self.calls.record_probe(reached=reached)

    async def _reconnect(self) -> bool:
        """Replace the client; whether the cloud can be reached.

        A new connection each time, since an old one whose network went away may hang for minutes.
        """
        client = None
        try:
            client = await in_background(self._connect)
            await client.probe(_PROBE_S)
        except Exception as error:  # an import that fails must not end the thread
            self._report_fault(_describe(error))
            await _close(client)
            return False
        old, self.calls.client = self.calls.client, client
        await _close(old)
        if not self.calls.connected:
            self.calls.fault = None
            _log.info("connected to the online model")
        return True

    def _report_fault(self, fault: str) -> None:
        if fault != self.calls.fault:
            _log.warning("no link to the online model: %s", fault)
        self.calls.fault = fault

    async def _shut_down(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self.calls.save_budget()
        await _close(self.calls.client)


def _describe(error: Exception) -> str:
    if isinstance(error, CloudError):
        return error.message
    return f"Google's library cannot be used: {type(error).__name__}: {error}"


async def _close(client: CloudClient | None) -> None:
    if client is not None:
        with suppress(Exception):  # it is discarded anyway
            await client.close()
