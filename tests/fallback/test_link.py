"""The link with a client that does as it is told."""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager

import numpy as np
import pytest
from builders.waiting import wait

from edge.errors import CloudError, CloudNotAsked, CloudUnreachable
from edge.fallback import link as link_module
from edge.fallback.breaker import Backoff, Breaker, BreakerState
from edge.fallback.budget import Budget, Limits
from edge.fallback.cloud import CloudRequest, CloudResponse
from edge.fallback.ledger import Ledger
from edge.fallback.link import Link
from edge.fallback.policy import LinkState
from edge.model.tasks.classification import CLASSIFICATION, Classification

ANSWER = CloudResponse(Classification(("a",), np.ones(1, np.float32), False), (), "far", 5.0)
ASKED = CloudRequest(b"image", CLASSIFICATION, ("a",), {}, "m")


class Client:
    """Each call takes the next of what it is told to do; then it answers."""

    def __init__(self):
        self.told, self.reachable = [], True

    async def probe(self, seconds):
        if not self.reachable:
            raise CloudUnreachable("nobody", costly=True)

    async def predict(self, question, seconds, before_retry):
        outcome = self.told.pop(0) if self.told else ANSWER
        if callable(outcome):
            outcome = await outcome()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def close(self):
        pass


@contextmanager
def linked(client, *, limits=None, ledger=None, failures=3):
    link = Link(
        lambda: client, Budget(limits or Limits()), ledger or Ledger(None), Breaker(failures, Backoff(0.05, 0.05, 0.0))
    )
    link.start()
    try:
        wait(lambda: link.state is LinkState.UP)
        yield link
    finally:
        link.stop()


def ask(link):
    try:
        return link.ask(ASKED, 1.0).result(10)
    except CloudError as error:
        return error


def test_a_call_that_its_own_channel_gives_up_is_an_error_and_says_nothing_of_the_cloud():
    client = Client()
    client.told = [asyncio.CancelledError()] * 5  # as gRPC raises where its channel is closed
    with linked(client) as link:
        assert {type(ask(link)) for _ in range(5)} == {CloudUnreachable}
        assert ask(link) is ANSWER
        assert link.breaker.closed


def test_work_beside_the_link_goes_on_though_a_call_was_given_up():
    client, seen = Client(), []
    client.told = [asyncio.CancelledError()]

    with linked(client) as link:

        async def work():
            for _ in range(2):
                try:
                    seen.append(await link.ask_here(ASKED, 1.0))
                except CloudError as error:
                    seen.append(error)

        link.run(work())
        wait(lambda: len(seen) == 2)
    assert isinstance(seen[0], CloudUnreachable)
    assert seen[1] is ANSWER


def test_a_frame_that_cannot_be_sent_is_no_evidence_of_the_cloud():
    client = Client()
    client.told = [CloudNotAsked("broken")] * 9
    with linked(client, failures=1) as link:
        for _ in range(9):
            ask(link)
        assert link.breaker.closed


def test_a_failure_from_before_the_breaker_opened_does_not_open_it_again():
    client, late = Client(), asyncio.Event()

    async def fails_late():
        await late.wait()
        return CloudUnreachable("too late", costly=True)

    client.told = [fails_late, CloudUnreachable("hangs", costly=True)]
    with linked(client) as link:
        first = link.ask(ASKED, 30.0)
        wait(lambda: len(client.told) == 1)
        ask(link)
        assert link.breaker.state is not BreakerState.CLOSED
        wait(lambda: link.state is LinkState.HALF_OPEN)
        assert ask(link) is ANSWER
        link._loop.call_soon_threadsafe(late.set)
        with pytest.raises(CloudUnreachable, match="too late"):
            first.result(10)
        assert link.breaker.closed


def test_a_link_that_has_ended_is_told_as_unreachable():
    with linked(Client()) as link:
        pass
    for _ in range(20):
        assert isinstance(ask(link), CloudUnreachable)
    assert link.status()["calls_under_way"] == 0


def test_a_client_that_cannot_even_be_probed_does_not_end_the_link():
    class Broken(Client):
        broken = True

        async def probe(self, seconds):
            if self.broken:
                raise ZeroDivisionError

    client = Broken()
    link = Link(lambda: client, Budget(Limits()), Ledger(None), Breaker(3, Backoff(0.05, 0.05, 0.0)))
    link.start()
    wait(lambda: "ZeroDivisionError" in link.fault)
    Broken.broken = False
    wait(lambda: link.state is not LinkState.DOWN)
    link.stop()


def test_a_spent_budgets_clock_goes_on_though_nothing_is_spent(tmp_path, monkeypatch):
    monkeypatch.setattr(link_module, "_REMEMBER_S", 0.05)
    file = tmp_path / "budget.json"

    def steady():
        return json.loads(file.read_text())["steady"]

    with linked(Client(), limits=Limits(calls_per_day=0), ledger=Ledger(file)):
        wait(file.exists)
        before = steady()
        wait(lambda: steady() > before)
    at_stop = steady()
    with linked(Client(), limits=Limits(calls_per_day=0), ledger=Ledger(file)):
        wait(lambda: steady() > at_stop)
