"""The way to the cloud: a thread with a loop of its own, on which everything slow happens.

The service's loop only looks at the link (`state`, `hindrance`) and hands questions over (`ask`). Google's library is
imported, connected, probed and called on this thread; a cloud that hangs holds up nothing but itself.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from edge.errors import CloudError, CloudMisconfigured, CloudNotAsked, CloudRefused, CloudUnreachable
from edge.fallback.breaker import Breaker, BreakerState
from edge.fallback.policy import Hindrance, LinkState
from edge.threads import in_background

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

    from edge.fallback.budget import Budget
    from edge.fallback.cloud import CloudAnswer, CloudClient, Question
    from edge.fallback.ledger import Ledger

_log = logging.getLogger(__name__)

_PROBE_S = 3.0
_TICK_S = 0.1
_STOP_S = 2.0
_REMEMBER_S = 600.0
_STUMBLED_S = 1.0


class Link:
    """See the module.

    Attributes:
        breaker: when the cloud is left alone.
        budget: what it may cost.
        most_calls: under way at once.
        fault: why it does not work, in words for the owner; ``None`` where it does.
        refusal: why the last frame was refused, though it works; ``None`` where it was not.
    """

    def __init__(
        self,
        connect: Callable[[], CloudClient],
        budget: Budget,
        ledger: Ledger,
        breaker: Breaker | None = None,
        *,
        most_calls: int = 8,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is imported, opened or started yet.

        Args:
            connect: makes a client; takes seconds where it imports one, and may raise ``CloudError``.
            ledger: keeps what was spent.
            most_calls: under way at once; beyond them the edge's answer stands.
            now: seconds on a clock that does not go back.
        """
        self.budget = budget
        self.breaker = breaker or Breaker()
        self.fault: str | None = "not connected yet"
        self.refusal: str | None = None
        self._connect = connect
        self._ledger = ledger
        self.most_calls = most_calls
        self._now = now
        self._under_way = 0
        self._remember_at = 0.0
        self._connected = False
        self._client: CloudClient | None = None
        self._lock = threading.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="edge-cloud", daemon=True)

    def __repr__(self) -> str:
        return f"<Link {self.state}, {self._under_way}/{self.most_calls} calls, {self.breaker}, {self.budget}>"

    @property
    def state(self) -> LinkState:
        """What is known of the way, without looking: costs nothing."""
        if not self._connected:
            return LinkState.DOWN
        if self.breaker.closed:
            return LinkState.UP
        return LinkState.TRIAL if self.breaker.trial_free else LinkState.DOWN

    @property
    def hindrance(self) -> Hindrance | None:
        """What stands against a call now though the way is free."""
        if self._under_way >= self.most_calls:
            return Hindrance.BUSY
        if not self._ledger.known:
            return Hindrance.BUDGET_SPENT
        return self.budget.hindrance(self._ledger.clock())

    def start(self) -> None:
        """Connect in the background; returns at once."""
        self._loop = asyncio.new_event_loop()
        self._thread.start()

    def stop(self) -> None:
        """Give up what is under way and end the thread, waiting for it a little."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._cancel_all)
            self._thread.join(_STOP_S)

    def run(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something of the cloud's on this thread until it ends or the link is stopped. Call after `start`."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._keep, work)

    def ask(self, question: Question, seconds: float) -> Future[CloudAnswer]:
        """Ask the cloud within that many seconds; the call is counted in the budget.

        Raises:
            CloudUnreachable: the way is not free any more, or the budget is spent.
        """
        generation = self._take_place()
        assert self._loop is not None
        call = self._ask(question, seconds, generation)
        try:
            return asyncio.run_coroutine_threadsafe(call, self._loop)
        except RuntimeError as error:
            call.close()
            self._leave_place()
            raise CloudUnreachable("The link to the online model has ended: the service is stopping.") from error

    async def ask_here(self, question: Question, seconds: float) -> CloudAnswer:
        """As `ask`, for work that runs on this thread."""
        return await self._ask(question, seconds, self._take_place())

    def status(self) -> dict[str, Any]:
        """For people and gauges."""
        spent, limits = self.budget.spent_at(self._ledger.clock()), self.budget.limits
        return {
            "state": self.state,
            "fault": self.fault,
            "refusal": self.refusal,
            "breaker": self.breaker.state,
            "next_probe_s": round(self.breaker.wait_s(self._now()), 1),
            "calls_under_way": self._under_way,
            "budget": {
                "calls_today": spent.day.calls,
                "calls_per_day": limits.calls_per_day,
                "calls_this_month": spent.month.calls,
                "calls_per_month": limits.calls_per_month,
                "cost_today": spent.day.micros / 1e6,
                "cost_per_day": limits.cost_per_day,
                "cost_this_month": spent.month.micros / 1e6,
                "cost_per_month": limits.cost_per_month,
                "file_fault": self._ledger.fault,
            },
        }

    def _take_place(self) -> int:
        """Count a call as under way; returns the breaker's generation that it belongs to."""
        with self._lock:
            hindrance = self.hindrance
            if self.state not in {LinkState.UP, LinkState.TRIAL} or self._client is None:
                raise CloudUnreachable("There is no link to the online model now.")
            if hindrance is not None or self.budget.take(self._ledger.clock()) is not None:
                raise CloudUnreachable(f"The online model may not be called now: {hindrance}.")
            self.breaker.take_trial()
            self._under_way += 1
            return self.breaker.generation

    def _leave_place(self) -> None:
        with self._lock:
            self._under_way -= 1

    async def _ask(self, question: Question, seconds: float, generation: int) -> CloudAnswer:
        started = self._now()
        try:
            client = self._client
            assert client is not None
            await self._remember()
            left = seconds - (self._now() - started)
            answer = await client.predict(question, left, self._may_retry)
        except CloudError as error:
            self._learn_from(error, seconds, generation)
            raise
        except asyncio.CancelledError:
            with self._lock:
                self._give_up(generation)
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # gRPC cancels what is under way on a channel that is closed
            raise CloudUnreachable("The connection to the online model was given up for a new one.") from None
        except Exception as error:  # a fault of ours or of Google's library: never the caller's
            _log.exception("the online model could not be asked")
            failure = CloudUnreachable(f"The online model could not be asked ({type(error).__name__}: {error}).")
            self._learn_from(failure, seconds, generation)
            raise failure from error
        else:
            with self._lock:
                self.breaker.succeeded(answer.latency / 1000)
            if self.fault is not None:
                _log.info("the online model answers again")
            self.fault = self.refusal = None
            return answer
        finally:
            self._leave_place()

    async def _remember(self) -> None:
        """What is spent is on the disk before the call is made, and with it the clock that it is counted on."""
        if self.budget.limits.capped:
            await in_background(partial(self._ledger.save, lambda: self.budget.spent))

    def _learn_from(self, error: CloudError, seconds: float, generation: int) -> None:
        with self._lock:
            was = self.breaker.state
            if isinstance(error, CloudNotAsked):
                self._give_up(generation)
                return
            if generation != self.breaker.generation:
                return  # it was sent before the breaker opened: what it found out is known
            if isinstance(error, CloudRefused):
                self.breaker.succeeded()  # one frame was refused: somebody is there and thinks
                self.refusal = error.message
                return
            costly = isinstance(error, CloudMisconfigured) or (isinstance(error, CloudUnreachable) and error.costly)
            self.breaker.failed(self._now(), random.random(), costly=costly, had_s=seconds)  # noqa: S311 -- jitter
            known, self.fault = self.fault, error.message
        if was is not self.breaker.state and known != self.fault:  # of a long outage one line, not one a trial
            _log.warning("the online model is left alone for a while: %s", error.message)

    def _give_up(self, generation: int) -> None:
        """A call ended that says nothing of the cloud; was it the half-open state's one, another may be made."""
        if generation == self.breaker.generation:
            self.breaker.given_up()

    async def _may_retry(self) -> bool:
        with self._lock:
            allowed = self.budget.take(self._ledger.clock()) is None
        if allowed:
            await self._remember()
        return allowed

    def _run(self) -> None:
        assert self._loop is not None
        loop = self._loop
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(self._live())
        except asyncio.CancelledError:
            pass
        finally:
            self._connected = False  # who asks from now on is told so, and no call of his is counted
            loop.run_until_complete(self._end())
            loop.close()

    def _keep(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("what runs beside the link has ended", exc_info=task.exception())

    def _cancel_all(self) -> None:
        for task in asyncio.all_tasks():
            task.cancel()

    async def _live(self) -> None:
        """Connect, then probe whenever the breaker asks for it.

        What was spent is written now and then also while nothing is spent: else a device that is switched off each
        night would count the same day again and again, and a spent budget never be renewed.
        """
        while True:
            try:
                await self._look_after()
            except Exception:  # whatever it is, a link that ended would be down until a restart
                _log.exception("the link to the online model stumbled")
                await asyncio.sleep(_STUMBLED_S)
            await asyncio.sleep(max(_TICK_S, min(self.breaker.wait_s(self._now()), 1.0)))

    async def _look_after(self) -> None:
        if self._now() >= self._remember_at:
            self._remember_at = self._now() + _REMEMBER_S
            await self._remember()
        first = not self._connected and self.breaker.closed
        if first or self.breaker.probe_due(self._now()):
            reached = await self._reconnect()
            with self._lock:
                self.breaker.probed(self._now(), random.random(), reached=reached)  # noqa: S311 -- jitter
                self._connected = self._connected or reached
            if not reached and self.breaker.state is BreakerState.CLOSED:
                self.breaker.failed(self._now(), 0.0, costly=True)

    async def _reconnect(self) -> bool:
        """A new client, since a connection whose network went away may hang for minutes; whether somebody is there."""
        client = None
        try:
            client = await in_background(self._connect)
            await client.probe(_PROBE_S)
        except Exception as error:  # an import that fails must not end the thread
            words = f"Google's library cannot be used: {type(error).__name__}: {error}"
            self._tell(error.message if isinstance(error, CloudError) else words)
            await _close(client)
            return False
        old, self._client = self._client, client
        await _close(old)
        if not self._connected:
            self.fault = None
            _log.info("the online model can be reached")
        return True

    def _tell(self, fault: str) -> None:
        if fault != self.fault:
            _log.warning("no link to the online model: %s", fault)
        self.fault = fault

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._remember()
        await _close(self._client)


async def _close(client: CloudClient | None) -> None:
    if client is not None:
        with suppress(Exception):  # it is thrown away
            await client.close()
