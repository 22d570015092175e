"""A link to a scripted online model, on clocks moved by hand. Imports nothing of Google's."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from builders.waiting import wait
from edge.backoff import Backoff
from edge.clock import Reading
from edge.errors import CloudError, CloudUnreachable
from edge.fallback.breaker import Breaker
from edge.fallback.budget import Budget, Limits
from edge.fallback.budget_file import BudgetFile
from edge.fallback.calls import CloudCalls
from edge.fallback.cloud import CloudRequest, CloudResponse
from edge.fallback.link import Link
from edge.fallback.policy import BlockedBy, LinkState
from edge.model.tasks.classification import CLASSIFICATION, Classification

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANSWER = CloudResponse(Classification(("a",), np.ones(1, np.float32), False), (), "far", 5.0)
ASKED = CloudRequest(b"image", CLASSIFICATION, ("a",), {}, "m")
BACKOFF_S = 0.2
"""By the hand clock; short, since the link sleeps at most so long before it looks again."""


class HandClock:
    """Seconds that pass only by hand. Counts its readings, which shows that a loop is running."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now, self.read = now, 0

    def __call__(self) -> float:
        self.read += 1
        return self.now

    def reading(self) -> Reading:
        """All clocks of the machine, as a `BudgetFile` reads them."""
        return Reading("boot", self(), self.now)

    def goes(self, seconds: float) -> None:
        """So many seconds pass."""
        self.now += seconds

    def is_looked_at(self, times: int) -> None:
        """Return when somebody has read it so many times more."""
        until = self.read + times
        wait(lambda: self.read >= until)


class Connection:
    """One client of the link's: tells its cloud what happens to it."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.closed = 0

    async def probe(self, seconds: float) -> None:
        self._cloud.probes += 1
        if not self._cloud.reachable:
            raise CloudUnreachable("nobody", costly=True)

    async def predict(
        self, question: CloudRequest, seconds: float, before_retry: Any
    ) -> CloudResponse:
        self._cloud.calls.append((question, seconds))
        outcome = self._cloud.script.pop(0) if self._cloud.script else self._cloud.usual
        if callable(outcome):
            outcome = await outcome(before_retry)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def close(self) -> None:
        self.closed += 1
        if self._cloud.close is not None:
            await self._cloud.close()


class Cloud:
    """Each call takes the next of ``script``, then ``usual``: a response, error or function."""

    def __init__(self) -> None:
        self.script: list[Any] = []
        self.usual: Any = ANSWER
        self.reachable = True
        self.probes = 0
        self.calls: list[tuple[CloudRequest, float]] = []
        self.connections: list[Connection] = []
        self.close: Callable[[], Any] | None = None

    def connect(self) -> Connection:
        self.connections.append(Connection(self))
        return self.connections[-1]

    @property
    def open(self) -> list[int]:
        """Numbers of the connections that nobody has closed."""
        return [number for number, one in enumerate(self.connections) if not one.closed]


async def hangs(_: Any = None) -> None:
    """A call that is not answered; its loop holds it meanwhile, as a real one's does."""
    await asyncio.sleep(3_600)


def make_link(
    cloud: Cloud, clock: HandClock, *, limits=None, budget_file=None, failures=3, max_calls=8
) -> Link:
    """A link whose backoff is always `BACKOFF_S`."""
    calls = CloudCalls(
        Budget(limits or Limits()),
        budget_file or BudgetFile(None, clock.reading),
        Breaker(failures, Backoff(BACKOFF_S, BACKOFF_S, 0.0)),
        max_calls=max_calls,
        now=clock,
    )
    return Link(cloud.connect, calls, now=clock)


@contextmanager
def linked(cloud: Cloud, clock: HandClock | None = None, **how: Any) -> Iterator[Link]:
    """The link, up, and stopped in the end."""
    link = make_link(cloud, clock or HandClock(), **how)
    link.start()
    try:
        wait(lambda: link.state is LinkState.UP)
        yield link
    finally:
        link.stop()


def ask(link: Link, seconds: float = 1.0) -> CloudResponse | CloudError | BlockedBy:
    """What a call comes to."""
    submitted = link.submit(ASKED, seconds)
    if isinstance(submitted, BlockedBy):
        return submitted
    try:
        return submitted.result(10)
    except CloudError as error:
        return error


def wait_half_open(link: Link, clock: HandClock) -> None:
    """Let the backoff pass; return once the link is half-open."""
    clock.goes(BACKOFF_S)
    wait(lambda: link.state is LinkState.HALF_OPEN)
