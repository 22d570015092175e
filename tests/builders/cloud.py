"""A link to an online model that does as it is told, on clocks moved by hand. Nothing of Google's is imported."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from builders.waiting import wait
from edge.clock import Reading
from edge.errors import CloudError, CloudUnreachable
from edge.fallback.breaker import Backoff, Breaker
from edge.fallback.budget import Budget, Limits
from edge.fallback.cloud import CloudAnswer, Question
from edge.fallback.ledger import Ledger
from edge.fallback.link import Link
from edge.fallback.policy import LinkState
from edge.model.contract import Task
from edge.model.prediction import Classification

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANSWER = CloudAnswer(Classification(("a",), np.ones(1, np.float32), False), (), "far", 5.0)
ASKED = Question(b"image", Task.CLASSIFICATION, ("a",), {}, "m")
BACKOFF_S = 0.2
"""By the hand clock; short, since the link sleeps at most so long before it looks again."""


class HandClock:
    """Seconds that pass when they are told to. Counts how often it was read, which shows that a loop goes round."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now, self.read = now, 0

    def __call__(self) -> float:
        self.read += 1
        return self.now

    def reading(self) -> Reading:
        """All clocks of the machine, as a `Ledger` reads them."""
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

    async def predict(self, question: Question, seconds: float, before_retry: Any) -> CloudAnswer:
        self._cloud.calls.append((question, seconds))
        outcome = self._cloud.told.pop(0) if self._cloud.told else self._cloud.usual
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
    """Each call takes the next of what it is ``told``, then the ``usual``: an answer, an error, or what is awaited."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.usual: Any = ANSWER
        self.reachable = True
        self.probes = 0
        self.calls: list[tuple[Question, float]] = []
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


def make_link(cloud: Cloud, clock: HandClock, *, limits=None, ledger=None, failures=3, most_calls=8) -> Link:
    """A link whose backoff is always `BACKOFF_S`."""
    return Link(
        cloud.connect,
        Budget(limits or Limits()),
        ledger or Ledger(None, clock.reading),
        Breaker(failures, Backoff(BACKOFF_S, BACKOFF_S, 0.0)),
        most_calls=most_calls,
        now=clock,
    )


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


def ask(link: Link, seconds: float = 1.0) -> CloudAnswer | CloudError:
    """What a call comes to."""
    try:
        return link.ask(ASKED, seconds).result(10)
    except CloudError as error:
        return error


def tried(link: Link, clock: HandClock) -> None:
    """The backoff passes, and the link may be tried."""
    clock.goes(BACKOFF_S)
    wait(lambda: link.state is LinkState.TRIAL)
