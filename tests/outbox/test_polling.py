"""Forwarding and delivering survive any failure, and end at once when they are cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import time
from functools import partial

import pytest
from builders.outbox import RESULT, Cloud, entry, keep

from edge.errors import OutboxError
from edge.outbox.entry import EntryState
from edge.outbox.forwarder import Forwarder
from edge.outbox.outbox import Outbox
from edge.outbox.polling import poll_forever
from edge.outbox.store import Store
from edge.outbox.webhook import Webhook


class Work:
    """A step that returns or raises the next of `results`; without any it has no work."""

    def __init__(self, *results):
        self.results, self.times = list(results), []

    async def step(self):
        self.times.append(time.monotonic())
        await asyncio.sleep(0)
        result = self.results.pop(0) if self.results else False
        if isinstance(result, BaseException):
            raise result
        return result


async def run_until(work, condition, *more):
    """Run the work until the condition holds, then cancel it: it must not end earlier or later."""
    task = asyncio.ensure_future(work)
    try:
        async with asyncio.timeout(30):
            while not condition():
                assert not task.done(), "it ended by itself"
                await asyncio.sleep(0.005)
    finally:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    assert task.cancelled()


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("unforeseen"),
        OutboxError("full"),
        OSError("gone"),
        AssertionError(),
        TimeoutError(),
    ],
)
def test_a_step_that_fails_is_followed_by_the_next_after_a_pause(error):
    work = Work(error)
    asyncio.run(run_until(poll_forever(work.step, 0.2, "failed"), lambda: len(work.times) >= 2))
    assert 0.19 <= work.times[1] - work.times[0] < 10


def test_the_next_step_follows_at_once_after_work_and_after_a_pause_without_work():
    work = Work(True, True, True, False)
    asyncio.run(run_until(poll_forever(work.step, 1.0, "failed"), lambda: len(work.times) >= 5))
    first, _, _, fourth, fifth, *_ = work.times
    assert fourth - first < 1.0
    assert 0.99 <= fifth - fourth < 10


def test_an_unexpected_failure_is_logged_and_one_of_the_outbox_is_not_logged_twice(caplog):
    work = Work(RuntimeError("unforeseen"), OutboxError("logged already"))
    asyncio.run(
        run_until(poll_forever(work.step, 0.0, "the complaint"), lambda: len(work.times) > 2)
    )
    assert [record.message for record in caplog.records] == ["the complaint"]
    assert "unforeseen" in caplog.text


@pytest.mark.parametrize("busy", [True, False])
def test_a_cancellation_ends_the_work(busy):
    async def step():
        await asyncio.sleep(0)
        return busy

    async def run():
        task = asyncio.ensure_future(poll_forever(step, 60, "failed"))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait({task}, timeout=5)
        return task.cancelled()

    assert asyncio.run(run())


class Unforeseen(Cloud):
    """Raises an unexpected error once, when asked for free slots or for an answer."""

    def __init__(self, where):
        super().__init__()
        self.where = where

    def _once(self, where):
        if self.where == where:
            self.where = None
            raise RuntimeError(where)

    def free_slots(self):
        self._once("places")
        return super().free_slots()

    async def call(self, entry, image):
        self._once("ask")
        if self.where == "no JSON":
            self.where = None
            return {"predictions": object()}
        return await super().call(entry, image)


class Stumbling(Store):
    """Raises an unexpected error once, in the method named."""

    stumbles: str | None = None

    def _once(self, where):
        if Stumbling.stumbles == where:
            Stumbling.stumbles = None
            raise RuntimeError(where)

    def due(self, limit):
        self._once("due")
        return super().due(limit)

    def image(self, key):
        self._once("image")
        return super().image(key)

    def resolve(self, key, result):
        self._once("resolve")
        return super().resolve(key, result)

    def pending_deliveries(self, limit):
        self._once("pending_deliveries")
        return super().pending_deliveries(limit)

    def mark_delivered(self, key):
        self._once("mark_delivered")
        return super().mark_delivered(key)


def states(outbox, keys):
    return [entry(outbox, key).state for key in keys]


@pytest.fixture
def stumbling(tmp_path, clocks):
    """An outbox over a store that stumbles; every wait is over soon."""
    Stumbling.stumbles = None

    def no_waits(self, key, seconds, fault, *, counts):
        return Store.postpone(self, key, seconds / 100, fault, counts=counts)

    kind = type("Hurried", (Stumbling,), {"postpone": no_waits})
    one = Outbox(partial(kind, tmp_path, deliver=True), tmp_path)
    one.start()
    yield one
    one.stop()


@pytest.mark.parametrize("where", ["places", "ask", "no JSON"])
def test_an_unexpected_failure_of_the_cloud_does_not_end_forwarding(stumbling, where):
    keys = keep(stumbling, *"abcde")
    work = Forwarder(stumbling, Unforeseen(where), idle_s=0.01).run()
    asyncio.run(run_until(work, lambda: set(states(stumbling, keys)) == {EntryState.RESOLVED}))


@pytest.mark.parametrize("where", ["due", "image", "resolve"])
def test_an_unexpected_failure_of_the_store_does_not_end_forwarding(stumbling, where):
    keys = keep(stumbling, *"abcde")
    Stumbling.stumbles = where
    work = Forwarder(stumbling, Cloud(), idle_s=0.01).run()
    asyncio.run(run_until(work, lambda: set(states(stumbling, keys)) == {EntryState.RESOLVED}))
    assert Stumbling.stumbles is None


@pytest.mark.parametrize("where", ["pending_deliveries", "mark_delivered"])
def test_an_unexpected_failure_of_the_store_does_not_end_deliveries(stumbling, receiver, where):
    keys = keep(stumbling, *"abc")
    for key in keys:
        stumbling.change(lambda store, key=key: store.resolve(key, RESULT)).result(10)
    Stumbling.stumbles = where
    work = Webhook(stumbling, receiver.url, None, idle_s=0.01).run()
    asyncio.run(
        run_until(work, lambda: {entry(stumbling, key).webhook for key in keys} == {"delivered"})
    )
    assert Stumbling.stumbles is None


def test_an_answer_that_cannot_be_stored_makes_a_dead_letter_and_delays_no_other(stumbling):
    odd, *good = keep(stumbling, *"abcdefg")
    work = Forwarder(stumbling, Cloud(a={"predictions": object()}), idle_s=0.01).run()
    asyncio.run(run_until(work, lambda: states(stumbling, [odd]) == [EntryState.DEAD_LETTER]))
    assert set(states(stumbling, good)) == {EntryState.RESOLVED}
    assert "TypeError" in entry(stumbling, odd).fault


def test_frames_that_arrive_later_are_forwarded_without_a_restart(stumbling):
    cloud = Cloud()
    keys = []

    names = iter("abc")

    def each_is_settled():
        """Put the next as soon as those before are resolved."""
        if set(states(stumbling, keys)) <= {EntryState.RESOLVED}:
            name = next(names, None)
            if name is None:
                return True
            keys.extend(keep(stumbling, name))
        return False

    asyncio.run(run_until(Forwarder(stumbling, cloud, idle_s=0.01).run(), each_is_settled))
    assert cloud.asked == ["a", "b", "c"]


def test_forwarding_is_cancelled_while_the_cloud_does_not_answer(stumbling):
    (key,) = keep(stumbling, "a")

    class Silent(Cloud):
        async def call(self, entry, image):
            self.asked.append(entry.key)
            await asyncio.Event().wait()

    cloud = Silent()
    asyncio.run(
        run_until(Forwarder(stumbling, cloud, idle_s=0.01).run(), lambda: cloud.asked == [key])
    )
    assert states(stumbling, [key]) == [EntryState.WAITING]
