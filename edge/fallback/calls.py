"""Calls to the online model: each passes the budget and the circuit breaker, which learn from it.

`Link` supervises the connection and runs the calls on its thread; what a call may cost, whether it
may be made now and what its outcome says about the cloud is decided here.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from edge.background import in_background
from edge.errors import (
    CloudError,
    CloudMisconfigured,
    CloudNotAsked,
    CloudRefused,
    CloudUnreachable,
)
from edge.fallback.breaker import Breaker
from edge.fallback.link_status import LinkStatus
from edge.fallback.policy import BlockedBy, LinkState
from edge.fallback.refusals import Fault, Refusals
from edge.fallback.shares import NO_CLIENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.fallback.budget import Budget
    from edge.fallback.budget_file import BudgetFile
    from edge.fallback.cloud import CloudClient, CloudRequest, CloudResponse

_log = logging.getLogger(__name__)

_REFUSES_ALL = (
    "The online model's endpoint is misconfigured: it refuses one frame after the other, and they "
    "wait. Check cloud_endpoint, cloud_request and the model that is deployed there."
)


@dataclass(frozen=True, slots=True)
class CallSlot:
    """The right to make one call, already counted in the budget.

    Attributes:
        generation: of the breaker when the slot was taken. If the breaker has opened since, the
            call's outcome is out of date.
    """

    generation: int


class CloudCalls:
    """Makes calls within the budget and as the circuit breaker allows.

    `run` belongs to the link's event loop; everything else may be used from any thread.

    Attributes:
        budget: what the calls may cost.
        breaker: when calls are suspended.
        max_calls: calls under way at once.
        fault: why calls cannot be made, in words for the owner; ``None`` if they can.
        refusal: why the online model refused the last frame although the link works; ``None`` if
            it did not.
        client: the current connection; ``None`` before the first one.
    """

    def __init__(
        self,
        budget: Budget,
        budget_file: BudgetFile,
        breaker: Breaker | None = None,
        *,
        max_calls: int = 8,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """No connection yet.

        Args:
            budget_file: remembers over restarts what was spent.
            max_calls: calls under way at once; beyond them the edge's answer stands.
            now: seconds on a clock that does not go back.
        """
        self.budget = budget
        self.breaker = breaker or Breaker()
        self.max_calls = max_calls
        self.fault: str | None = "not connected yet"
        self.refusal: str | None = None
        self.client: CloudClient | None = None
        self._budget_file = budget_file
        self._now = now
        self._connected = False
        self._under_way = 0
        self._refusals = Refusals()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        calls = f"{self._under_way}/{self.max_calls} calls"
        return f"<CloudCalls {self.state}, {calls}, {self.breaker}, {self.budget}>"

    @property
    def state(self) -> LinkState:
        """What is known of the link; reading it costs nothing and reaches no network."""
        if not self._connected:
            return LinkState.DOWN
        if self.breaker.closed:
            return LinkState.UP
        return LinkState.HALF_OPEN if self.breaker.probe_free else LinkState.DOWN

    @property
    def blocked_by(self) -> BlockedBy | None:
        """What prevents any call now even if the link is up; ``None`` if nothing does."""
        if self._under_way >= self.max_calls:
            return BlockedBy.BUSY
        if not self._budget_file.readable:
            return BlockedBy.BUDGET_SPENT
        return self.budget.blocked_by(self._budget_file.clock())

    def blocked_for(self, client: str) -> BlockedBy | None:
        """As `blocked_by`, or that this client (`NO_CLIENT`: the outbox) has had its share."""
        return self.blocked_by or self.budget.blocked_for(client, self._budget_file.clock())

    def budget_in_words(self) -> str:
        """The budget in force and what is left of it, in one line for the owner."""
        words = self.budget.in_words(self._budget_file.clock())
        if self.budget.limits.capped and self._budget_file.file is None:
            words += "; counted from each start: set cloud_budget_file or outbox_dir to remember it"
        return words

    def status(self) -> LinkStatus:
        """The state of the link and what was spent."""
        return LinkStatus(
            state=self.state,
            fault=self.fault,
            refusal=self.refusal,
            breaker=self.breaker.state,
            next_probe_s=self.seconds_to_probe(),
            calls_under_way=self._under_way,
            spent=self.budget.spent_at(self._budget_file.clock()),
            limits=self.budget.limits,
            budget_file_fault=self._budget_file.fault,
        )

    # One call.

    def acquire(self, client: str = NO_CLIENT) -> CallSlot | BlockedBy:
        """Take the slot of a client's call and count it in the budget, or say what prevents it."""
        with self._lock:
            if self.state is LinkState.DOWN or self.client is None:
                return BlockedBy.LINK_DOWN
            blocked_by = self.blocked_by or self.budget.take(self._budget_file.clock(), client)
            if blocked_by is not None:
                return blocked_by
            self.breaker.take_probe()
            self._under_way += 1
            return CallSlot(self.breaker.generation)

    def release(self) -> None:
        """Return the slot of a call that was never run; `run` returns its own."""
        with self._lock:
            self._under_way -= 1

    async def run(self, request: CloudRequest, seconds: float, slot: CallSlot) -> CloudResponse:
        """Make the call that the slot stands for, learn from its outcome, and return the slot.

        Args:
            seconds: that it may take, writing the budget file included.

        Raises:
            CloudError: the online model did not answer.
        """
        started = self._now()
        try:
            assert self.client is not None
            client = self.client
            await self.save_budget()
            left = seconds - (self._now() - started)
            may_retry = partial(self._may_retry, request.client)
            response = await client.predict(request, left, may_retry)
        except CloudRefused as error:
            fault = self._whose_fault(error, request)
            self._learn_from_error(fault, seconds, slot)
            raise fault from error
        except CloudError as error:
            self._learn_from_error(error, seconds, slot)
            raise
        except asyncio.CancelledError:
            self._learn_nothing(slot)
            if _is_cancelled():
                raise
            # gRPC cancels what is under way on a channel that is closed.
            raise CloudUnreachable(
                "The connection to the online model was replaced during the call."
            ) from None
        except Exception as error:  # our fault or Google's library's, never the caller's
            _log.exception("call to the online model failed unexpectedly")
            failure = CloudUnreachable(
                f"The online model could not be called ({type(error).__name__}: {error})."
            )
            self._learn_from_error(failure, seconds, slot)
            raise failure from error
        else:
            self._learn_from_response(response)
            return response
        finally:
            self.release()

    async def _may_retry(self, client: str) -> bool:
        """Count one more call of the client in the budget, if it allows one."""
        with self._lock:
            allowed = self.budget.take(self._budget_file.clock(), client) is None
        if allowed:
            await self.save_budget()
        return allowed

    async def save_budget(self) -> None:
        """Write what is spent, and the clock it is counted on; done before each call is made."""
        if self.budget.limits.capped:
            await in_background(partial(self._budget_file.save, lambda: self.budget.spent))

    # What a call's outcome says about the cloud.

    def _learn_from_response(self, response: CloudResponse) -> None:
        with self._lock:
            self.breaker.record_success(response.latency / 1000)
            self._refusals.record_accepted()
        if self.fault is not None:
            _log.info("online model answers again")
        self.fault = self.refusal = None

    def _whose_fault(self, error: CloudRefused, request: CloudRequest) -> CloudError:
        """The refusal as the fault of the frame or, if all are refused, of the endpoint."""
        with self._lock:
            fault = self._refusals.record_refused(request.key())
        if fault is Fault.ENDPOINT:
            return CloudMisconfigured(f"{_REFUSES_ALL} {error.message}")
        return CloudRefused(error.message, certain=fault is Fault.FRAME)

    def _learn_from_error(self, error: CloudError, seconds: float, slot: CallSlot) -> None:
        if isinstance(error, CloudNotAsked):
            self._learn_nothing(slot)
            return
        with self._lock:
            if slot.generation != self.breaker.generation:
                return  # sent before the breaker opened: it tells nothing new
            if isinstance(error, CloudRefused):
                self.breaker.record_success()  # the cloud works, it just refuses this frame
                self.refusal = error.message
                return
            state_before, fault_before = self.breaker.state, self.fault
            self.breaker.record_failure(
                self._now(),
                random.random(),  # noqa: S311 -- jitter
                costly=_is_costly(error),
                had_s=seconds,
            )
            self.fault = error.message
            breaker_moved = self.breaker.state is not state_before
        # A long outage gets one line, not one for each probe.
        if breaker_moved and self.fault != fault_before:
            _log.warning("circuit breaker opened: %s", error.message)

    def _learn_nothing(self, slot: CallSlot) -> None:
        """The call says nothing about the cloud; if it was the probe, another call may be it."""
        with self._lock:
            if slot.generation == self.breaker.generation:
                self.breaker.release_probe()

    # What the link reports.

    @property
    def connected(self) -> bool:
        """Whether a connection was made since the start."""
        return self._connected

    @property
    def connection_due(self) -> bool:
        """Whether to connect now: for the first time, or since the breaker's backoff is over."""
        first = not self._connected and self.breaker.closed
        return first or self.breaker.probe_due(self._now())

    def seconds_to_probe(self) -> float:
        """Seconds until the circuit breaker allows a probe; 0 if it waits for none."""
        return self.breaker.wait_s(self._now())

    def record_probe(self, *, reached: bool) -> None:
        """The link has tried to connect."""
        with self._lock:
            self.breaker.record_probe(self._now(), random.random(), reached=reached)  # noqa: S311 -- jitter
            self._connected = self._connected or reached
            if not reached and self.breaker.closed:  # the very first attempt
                self.breaker.record_failure(self._now(), 0.0, costly=True)

    def disconnect(self) -> None:
        """The link ends: calls are refused from now on, and none is counted any more."""
        self._connected = False


def _is_cancelled() -> bool:
    """Whether the current task itself is being cancelled, and not only something it awaits."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _is_costly(error: CloudError) -> bool:
    """Whether the next call would lose a caller's time as this one did."""
    if isinstance(error, CloudMisconfigured):
        return True
    return isinstance(error, CloudUnreachable) and error.costly
