"""The workers and their queue: who gets the next job, what is refused, what a deadline does."""

import asyncio
import gc
import logging
import math
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from edge.errors import (
    CorruptImage,
    DeadlineExceeded,
    InferenceFailed,
    OutOfMemory,
    Overloaded,
    ShuttingDown,
)
from edge.runtime.pool import WorkerPool

LONG = 30.0
"""Seconds that no test waits unless it fails."""


def with_pool(
    workers: int, queue_size: int, story: Callable[[WorkerPool], Awaitable[None]]
) -> WorkerPool:
    """Run the story with a pool and close it."""

    async def run() -> WorkerPool:
        pool = WorkerPool(workers, queue_size)
        try:
            await asyncio.wait_for(story(pool), LONG)
        finally:
            pool.close()
        return pool

    return asyncio.run(run())


def soon() -> float:
    return time.monotonic() + LONG


class Gate:
    """Work that tells when it has begun and ends when it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.let_go = threading.Event()

    def __call__(self, worker: int) -> int:
        self.begun.set()
        assert self.let_go.wait(LONG)
        return worker

    async def started(self) -> None:
        assert await asyncio.to_thread(self.begun.wait, LONG)


def test_a_job_gets_its_workers_number_and_its_result_comes_back():
    async def story(pool):
        assert await pool.run(lambda worker: ("done", worker), soon()) in {("done", 0), ("done", 1)}

    with_pool(2, 0, story)


def test_an_answer_is_handed_on_without_being_printed():
    """The error of deque.remove() formats the job with its thousand scores: 3 ms per frame."""
    printed = []

    class Answer:
        def __repr__(self):
            printed.append(self)
            return "Answer"

    async def story(pool):
        await pool.run(lambda _: Answer(), soon())

    with_pool(1, 4, story)
    assert not printed


def test_a_new_pool_without_a_queue_takes_a_job_for_every_worker_at_once():
    async def story(pool):
        gates = [Gate() for _ in range(8)]
        jobs = [asyncio.create_task(pool.run(gate, soon())) for gate in gates]
        await asyncio.gather(*(gate.started() for gate in gates))
        for gate in gates:
            gate.let_go.set()
        assert sorted(await asyncio.gather(*jobs)) == list(range(8))

    with_pool(8, 0, story)


def test_who_has_an_answer_can_send_the_next_job_at_once_even_without_a_queue():
    async def story(pool):
        for _ in range(2000):
            await pool.run(lambda worker: worker, soon())

    with_pool(1, 0, story)


def test_the_next_job_goes_to_the_worker_that_finished_last():
    async def story(pool):
        gates = [Gate() for _ in range(3)]
        jobs = [asyncio.create_task(pool.run(gate, soon())) for gate in gates]
        await asyncio.gather(*(gate.started() for gate in gates))
        for index in (1, 2, 0):
            gates[index].let_go.set()
            last = await jobs[index]
            assert await pool.run(lambda worker: worker, soon()) == last

    with_pool(3, 0, story)


def test_jobs_beyond_workers_and_queue_are_refused_and_those_waiting_are_done_in_order():
    async def story(pool):
        gate, order = Gate(), []
        first = asyncio.create_task(pool.run(gate, soon()))
        await gate.started()
        waiting = [
            asyncio.create_task(pool.run(lambda _, i=i: order.append(i), soon())) for i in range(2)
        ]
        await asyncio.sleep(0)
        assert (pool.busy, pool.waiting) == (1, 2)
        assert repr(pool) == "<WorkerPool 1 workers, 1 busy, 2/2 waiting>"
        with pytest.raises(Overloaded, match="2 frames are waiting"):
            await pool.run(lambda _: order.append("refused"), soon())
        gate.let_go.set()
        await asyncio.gather(first, *waiting)
        assert order == [0, 1]
        assert (pool.busy, pool.waiting) == (0, 0)

    with_pool(1, 2, story)


def test_a_job_whose_deadline_passed_before_a_worker_was_free_is_not_computed():
    async def story(pool):
        gate, computed = Gate(), []
        first = asyncio.create_task(pool.run(gate, soon()))
        await gate.started()
        with pytest.raises(DeadlineExceeded):
            await pool.run(lambda _: computed.append("late"), time.monotonic() + 0.02)
        gate.let_go.set()
        await first
        await pool.run(lambda _: computed.append("next"), soon())
        assert computed == ["next"]

    with_pool(1, 4, story)


def test_a_job_whose_deadline_had_passed_when_it_came_is_not_computed():
    async def story(pool):
        computed = []
        with pytest.raises(DeadlineExceeded):
            await pool.run(lambda _: computed.append("late"), time.monotonic() - 1)
        await pool.run(lambda _: computed.append("next"), soon())
        assert computed == ["next"]

    with_pool(1, 1, story)


def test_a_deadline_that_passes_while_the_job_runs_is_told_without_waiting_for_the_job():
    async def story(pool):
        gate = Gate()
        with pytest.raises(DeadlineExceeded):
            await pool.run(gate, time.monotonic() + 0.5)
        assert gate.begun.is_set()
        assert pool.busy == 1  # it still runs: the answer did not wait for it
        gate.let_go.set()
        assert await pool.run(lambda _: "next", soon()) == "next"

    with_pool(1, 1, story)


def test_jobs_that_expired_in_the_queue_leave_their_places_to_others():
    async def story(pool):
        gate = Gate()
        first = asyncio.create_task(pool.run(gate, soon()))
        await gate.started()
        for _ in range(3):
            with pytest.raises(DeadlineExceeded):
                await pool.run(lambda _: None, time.monotonic() + 0.01)
        assert pool.waiting == 0
        gate.let_go.set()
        await first

    with_pool(1, 1, story)


def test_a_job_whose_caller_went_away_is_not_computed():
    async def story(pool):
        gate, computed = Gate(), []
        first = asyncio.create_task(pool.run(gate, soon()))
        await gate.started()
        gone = asyncio.create_task(pool.run(lambda _: computed.append("gone"), soon()))
        await asyncio.sleep(0)
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await gone
        gate.let_go.set()
        await first
        await pool.run(lambda _: None, soon())
        assert computed == []

    with_pool(1, 4, story)


def test_an_endless_deadline_is_one():
    async def story(pool):
        assert await pool.run(lambda _: "done", math.inf) == "done"

    with_pool(1, 0, story)


def test_an_error_of_the_tree_reaches_its_caller_as_it_is_and_the_worker_lives_on():
    async def story(pool):
        def fail(_):
            raise CorruptImage("cut off")

        for _ in range(3):
            with pytest.raises(CorruptImage, match="cut off"):
                await pool.run(fail, soon())
        assert await pool.run(lambda worker: worker, soon()) == 0

    with_pool(1, 0, story)


def test_any_other_exception_becomes_inference_failed_without_its_words_and_the_worker_lives_on(
    caplog,
):
    async def story(pool):
        def fail(_):
            raise KeyError("secret")

        with pytest.raises(InferenceFailed) as caught:
            await pool.run(fail, soon())
        assert caught.value.message == "The frame could not be computed (KeyError)."
        assert isinstance(caught.value.__cause__, KeyError)
        assert await pool.run(lambda worker: worker, soon()) == 0

    with_pool(1, 0, story)
    assert "a frame could not be computed" in caplog.text


def test_one_job_that_fails_leaves_the_answer_of_the_one_beside_it_alone():
    async def story(pool):
        def fail(_):
            raise CorruptImage("cut off")

        answers = await asyncio.gather(
            *(pool.run(fail if i % 2 else lambda _, i=i: i, soon()) for i in range(20)),
            return_exceptions=True,
        )
        assert [a for a in answers if not isinstance(a, Exception)] == list(range(0, 20, 2))
        assert all(isinstance(a, CorruptImage) for a in answers[1::2])

    with_pool(2, 20, story)


def test_closing_drains_what_waits_refuses_what_is_new_and_ends_the_threads():
    async def story(pool):
        gate = Gate()
        first = asyncio.create_task(pool.run(gate, soon()))
        await gate.started()
        waiting = [asyncio.create_task(pool.run(lambda _, i=i: i, soon())) for i in range(3)]
        await asyncio.sleep(0)
        pool.close()
        with pytest.raises(ShuttingDown):
            await pool.run(lambda _: None, soon())
        gate.let_go.set()
        assert await asyncio.gather(first, *waiting) == [0, 0, 1, 2]

    pool = with_pool(1, 3, story)
    _ended(pool)


def test_idle_threads_end_when_the_pool_is_closed():
    async def story(pool):
        await pool.run(lambda _: None, soon())

    _ended(with_pool(4, 0, story))


def test_an_answer_that_comes_after_the_loop_is_gone_is_dropped():
    gate = Gate()

    async def story(pool):
        with pytest.raises(DeadlineExceeded):
            await pool.run(gate, time.monotonic() + 0.02)

    pool = with_pool(1, 0, story)
    gate.let_go.set()
    _ended(pool)


class Payload:
    """Stands in for the bytes of a frame."""


def fail_on(payload: Payload) -> None:
    """Work whose stack trace holds the frame."""
    raise CorruptImage(f"{type(payload)} is cut off")


def break_on(payload: Payload) -> None:
    """The same, of a fault that nobody foresaw."""
    raise LookupError(f"{type(payload)} broke the model")


@pytest.mark.parametrize("work", [type, fail_on, break_on])
def test_a_frame_is_given_back_as_soon_as_it_is_answered_without_waiting_for_the_garbage_collector(
    work,
):
    async def story(pool):
        async def send():
            payload = Payload()
            with suppress(CorruptImage, InferenceFailed):
                await pool.run(lambda _, held=payload: work(held), soon())
            return weakref.ref(payload)

        frame = await send()
        for _ in range(100):
            if frame() is None:
                return
            await asyncio.sleep(0.01)
        pytest.fail("something still holds the frame")

    gc.disable()
    logging.disable()  # pytest keeps what is logged, with its stack
    try:
        with_pool(1, 0, story)
    finally:
        logging.disable(logging.NOTSET)
        gc.enable()


def test_thousands_of_jobs_that_succeed_fail_and_expire_leave_no_trace():
    async def story(pool):
        def fail(_):
            raise CorruptImage("cut off")

        for number in range(1000):
            work = fail if number % 3 == 0 else lambda _: None
            deadline = time.monotonic() - 1 if number % 5 == 0 else soon()
            with suppress(CorruptImage, DeadlineExceeded):
                await pool.run(work, deadline)
        # The caller of a job that expired is answered before a worker has looked at the job.
        for _ in range(100):
            gc.collect()
            held = [job for job in gc.get_objects() if type(job).__name__ == "Job"]
            if (pool.busy, pool.waiting, held) == (0, 0, []):
                return
            await asyncio.sleep(0.01)
        pytest.fail(f"{pool} holds {len(held)} jobs still")

    with_pool(2, 2, story)


def _ended(pool: WorkerPool) -> None:
    for thread in pool._threads:
        thread.join(LONG)
        assert not thread.is_alive()


def test_the_deadlines_of_running_jobs_are_known_also_of_those_that_waited():
    async def story(pool):
        assert pool.running() == {}
        first, second = Gate(), Gate()
        deadlines = [soon(), soon() + 1]
        jobs = [asyncio.create_task(pool.run(first, deadlines[0]))]
        await first.started()
        jobs.append(asyncio.create_task(pool.run(second, deadlines[1])))
        await asyncio.sleep(0)
        assert pool.running() == {0: deadlines[0]}
        first.let_go.set()
        await second.started()
        assert pool.running() == {0: deadlines[1]}
        second.let_go.set()
        await asyncio.gather(*jobs)
        assert pool.running() == {}

    with_pool(1, 1, story)


def test_a_frame_that_finds_no_memory_may_come_again():
    async def story(pool):
        def fail(_):
            raise MemoryError

        with pytest.raises(OutOfMemory, match="no memory"):
            await pool.run(fail, soon())
        assert await pool.run(lambda worker: worker, soon()) == 0

    with_pool(1, 0, story)
