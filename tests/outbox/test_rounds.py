"""What ends forwarding and telling, and what does not: any failure is overcome, a cancellation obeyed at once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from functools import partial

import pytest
from builders.outbox import RESULT, Cloud, entry, keep

from edge.errors import OutboxError
from edge.outbox.entry import State
from edge.outbox.forwarder import Forwarder
from edge.outbox.outbox import Outbox
from edge.outbox.rounds import work_through
from edge.outbox.store import Quota, Store
from edge.outbox.webhook import Webhook


class Work:
    """A step that does as the list says, then has nothing to do; an exception in it is raised."""

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
    """Run the work until the condition holds, then cancel it: it must end by that, and have lived until then."""
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
    "error", [RuntimeError("unforeseen"), OutboxError("full"), OSError("gone"), AssertionError(), TimeoutError()]
)
def test_a_step_that_fails_is_followed_by_the_next_after_a_pause(error):
    work = Work(error)
    asyncio.run(run_until(work_through(work.step, 0.2, "failed"), lambda: len(work.times) >= 2))
    assert 0.19 <= work.times[1] - work.times[0] < 10


def test_after_work_the_next_step_comes_at_once_and_after_none_there_is_a_pause():
    work = Work(True, True, True, False)
    asyncio.run(run_until(work_through(work.step, 1.0, "failed"), lambda: len(work.times) >= 5))
    first, _, _, fourth, fifth, *_ = work.times
    assert fourth - first < 1.0
    assert 0.99 <= fifth - fourth < 10


def test_an_unforeseen_failure_is_logged_and_the_outboxs_own_is_not_told_twice(caplog):
    work = Work(RuntimeError("unforeseen"), OutboxError("told already"))
    asyncio.run(run_until(work_through(work.step, 0.0, "the complaint"), lambda: len(work.times) > 2))
    assert [record.message for record in caplog.records] == ["the complaint"]
    assert "unforeseen" in caplog.text


@pytest.mark.parametrize("busy", [True, False])
def test_a_cancellation_ends_the_work(busy):
    async def step():
        await asyncio.sleep(0)
        return busy

    async def run():
        task = asyncio.ensure_future(work_through(step, 60, "failed"))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait({task}, timeout=5)
        return task.cancelled()

    assert asyncio.run(run())


class Unforeseen(Cloud):
    """Fails in a way that nobody thought of, once: where it is asked for places, or for an answer."""

    def __init__(self, where):
        super().__init__()
        self.where = where

    def _once(self, where):
        if self.where == where:
            self.where = None
            raise RuntimeError(where)

    def places(self):
        self._once("places")
        return super().places()

    async def ask(self, entry, image):
        self._once("ask")
        if self.where == "no JSON":
            self.where = None
            return {"predictions": object()}
        return await super().ask(entry, image)


class Stumbling(Store):
    """Fails in a way that nobody thought of, once, in the method named."""

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

    def settle(self, key, result):
        self._once("settle")
        return super().settle(key, result)

    def untold(self, limit):
        self._once("untold")
        return super().untold(limit)

    def told(self, key):
        self._once("told")
        return super().told(key)


def states(outbox, keys):
    return [entry(outbox, key).state for key in keys]


@pytest.fixture
def stumbling(tmp_path, clocks):
    """An outbox over a store that stumbles; every wait is over soon."""
    Stumbling.stumbles = None

    def no_waits(self, key, seconds, fault, *, counts):
        return Store.postpone(self, key, seconds / 100, fault, counts=counts)

    kind = type("Hurried", (Stumbling,), {"postpone": no_waits})
    one = Outbox(partial(kind, tmp_path, Quota(tell=True)), tmp_path)
    one.start()
    yield one
    one.stop()


@pytest.mark.parametrize("where", ["places", "ask", "no JSON"])
def test_one_unforeseen_failure_of_the_cloud_ends_no_forwarding(stumbling, where):
    keys = keep(stumbling, *"abcde")
    work = Forwarder(stumbling, Unforeseen(where), idle_s=0.01).run()
    asyncio.run(run_until(work, lambda: set(states(stumbling, keys)) == {State.SETTLED}))


@pytest.mark.parametrize("where", ["due", "image", "settle"])
def test_one_unforeseen_failure_of_the_store_ends_no_forwarding(stumbling, where):
    keys = keep(stumbling, *"abcde")
    Stumbling.stumbles = where
    work = Forwarder(stumbling, Cloud(), idle_s=0.01).run()
    asyncio.run(run_until(work, lambda: set(states(stumbling, keys)) == {State.SETTLED}))
    assert Stumbling.stumbles is None


@pytest.mark.parametrize("where", ["untold", "told"])
def test_one_unforeseen_failure_of_the_store_ends_no_telling(stumbling, receiver, where):
    keys = keep(stumbling, *"abc")
    for key in keys:
        stumbling.change(lambda store, key=key: store.settle(key, RESULT)).result(10)
    Stumbling.stumbles = where
    work = Webhook(stumbling, receiver.url, None, idle_s=0.01).run()
    asyncio.run(run_until(work, lambda: {entry(stumbling, key).telling for key in keys} == {"told"}))
    assert Stumbling.stumbles is None


def test_an_answer_that_can_never_be_stored_is_set_aside_and_holds_up_no_other(stumbling):
    odd, *good = keep(stumbling, *"abcdefg")
    work = Forwarder(stumbling, Cloud(a={"predictions": object()}), idle_s=0.01).run()
    asyncio.run(run_until(work, lambda: states(stumbling, [odd]) == [State.SET_ASIDE]))
    assert set(states(stumbling, good)) == {State.SETTLED}
    assert "TypeError" in entry(stumbling, odd).fault


def test_frames_that_come_later_are_forwarded_without_a_restart(stumbling):
    cloud = Cloud()
    keys = []

    names = iter("abc")

    def each_is_settled():
        """Put the next as soon as those before are settled."""
        if set(states(stumbling, keys)) <= {State.SETTLED}:
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
        async def ask(self, entry, image):
            self.asked.append(entry.key)
            await asyncio.Event().wait()

    cloud = Silent()
    asyncio.run(run_until(Forwarder(stumbling, cloud, idle_s=0.01).run(), lambda: cloud.asked == [key]))
    assert states(stumbling, [key]) == [State.WAITING]
