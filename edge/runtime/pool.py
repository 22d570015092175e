"""Worker threads that own interpreters, and the bounded queue in front of them.

A frame makes one hop: from the event loop to one worker and back. The next frame goes to the worker
that finished last, since its caches are warm (round robin costs a lone camera 0.1 to 0.5 ms).
Whatever changes state holds one lock and does no I/O. `repr` shows the state.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from edge.errors import (
    DeadlineExceeded,
    EdgeError,
    InferenceFailed,
    OutOfMemory,
    Overloaded,
    ShuttingDown,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Job:
    """Work for a worker.

    Attributes:
        work: called with the worker's number, 0 to workers - 1.
        deadline: on the clock of `time.monotonic`; work does not start after it.
        submitted: on the clock of `time.monotonic`.
    """

    work: Callable[[int], Any]
    deadline: float
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    submitted: float = field(default_factory=time.monotonic)


@dataclass(slots=True, eq=False)
class _Worker:
    """The state of one worker thread.

    Attributes:
        wake: the lock that the thread sleeps on; releasing it wakes the thread.
        job: what the thread runs, or is woken to run; ``None`` when it is idle or woken to end.
    """

    number: int
    wake: threading.Lock = field(default_factory=threading.Lock)
    job: Job | None = None


class WorkerPool:
    """Threads, and a queue of up to ``queue_size`` waiting jobs. Used from one event loop."""

    def __init__(self, workers: int, queue_size: int) -> None:
        self.workers = workers
        self.queue_size = queue_size
        self._lock = threading.Lock()
        self._waiting: deque[Job] = deque()
        # Workers count as idle before their threads have started: a job waits in `_Worker.job`.
        self._workers = [_Worker(number) for number in range(workers)]
        self._idle = self._workers.copy()
        self._busy = 0
        self._closing = False
        for worker in self._workers:
            worker.wake.acquire()
        self._threads = [
            # Daemons: a worker that hangs in a broken model must not keep the process alive.
            threading.Thread(
                target=self._work, args=(worker,), name=f"edge-worker-{worker.number}", daemon=True
            )
            for worker in self._workers
        ]
        for thread in self._threads:
            thread.start()

    def __repr__(self) -> str:
        waiting = f"{len(self._waiting)}/{self.queue_size} waiting"
        return f"<WorkerPool {self.workers} workers, {self._busy} busy, {waiting}>"

    @property
    def waiting(self) -> int:
        """Number of jobs that no worker has taken yet."""
        return len(self._waiting)

    @property
    def oldest_wait_s(self) -> float:
        """Seconds that the job at the head of the queue has waited; 0 if the queue is empty."""
        with self._lock:
            head = self._waiting[0] if self._waiting else None
        return time.monotonic() - head.submitted if head else 0.0

    @property
    def busy(self) -> int:
        """Number of workers that run a job."""
        return self._busy

    def running(self) -> dict[int, float]:
        """Number of each worker that runs a job, and the job's deadline."""
        with self._lock:
            return {
                worker.number: worker.job.deadline
                for worker in self._workers
                if worker.job is not None
            }

    async def run(self, work: Callable[[int], T], deadline: float) -> T:
        """Run ``work(worker number)`` on a worker and return its result.

        Args:
            work: what to run.
            deadline: on the clock of `time.monotonic`. Work that has not started by then is
                dropped.

        Raises:
            Overloaded: the queue is full.
            ShuttingDown: the pool is closed.
            DeadlineExceeded: the deadline passed first.
            EdgeError: as ``work`` raised it.
        """
        loop = asyncio.get_running_loop()
        job = Job(work, deadline, loop, loop.create_future())
        self._submit(job)
        timer = loop.call_at(loop.time() + deadline - time.monotonic(), _expire, job)
        try:
            return await job.future  # type: ignore[no-any-return]
        finally:
            timer.cancel()
            self._withdraw(job)
            # As in `_outcome`: the image of a failed frame would wait for the garbage collector.
            del job

    def close(self) -> None:
        """Accept no new jobs; those that wait are still run."""
        with self._lock:
            self._closing = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.wake.release()

    def _submit(self, job: Job) -> None:
        with self._lock:
            if self._closing:
                raise ShuttingDown("The service is stopping.")
            if self._idle:
                worker = self._idle.pop()
                worker.job = job
                self._busy += 1
            elif len(self._waiting) < self.queue_size:
                self._waiting.append(job)
                return
            else:
                raise Overloaded(
                    f"{self.queue_size} frames are waiting already. Send fewer, or try again later."
                )
        worker.wake.release()

    def _withdraw(self, job: Job) -> None:
        """Remove a job that still waits from the queue: its caller has given up."""
        with self._lock:
            # Not just `remove`: its error would format the job, which took 3 ms.
            if job in self._waiting:
                self._waiting.remove(job)

    def _work(self, worker: _Worker) -> None:
        while True:
            worker.wake.acquire()
            job = worker.job
            if job is None:
                return
            while job is not None:
                outcome = _outcome(job.work, worker.number) if _wanted(job) else None
                # The worker is free before its caller hears of it: the next frame finds it idle.
                following = self._next_job(worker)
                if outcome is not None:
                    _deliver(job, *outcome)
                job = following
            del outcome  # an idle worker holds on to no image

    def _next_job(self, worker: _Worker) -> Job | None:
        """Take the next waiting job; without one the worker becomes idle, or ends on closing."""
        with self._lock:
            worker.job = None
            if self._waiting:
                worker.job = self._waiting.popleft()
                return worker.job
            self._busy -= 1
            if self._closing:
                worker.wake.release()
            else:
                self._idle.append(worker)
        return None


def _wanted(job: Job) -> bool:
    """Whether the caller still waits: not past the deadline, and not after it has given up."""
    return time.monotonic() < job.deadline and not job.future.done()


def _outcome(work: Callable[[int], Any], number: int) -> tuple[Any, EdgeError | None]:
    """Run the work and return its result or its error.

    Takes no job: the error's traceback refers to this frame, and a job would refer to the error.
    """
    try:
        return work(number), None
    except EdgeError as known:
        return None, known
    except MemoryError as known:  # another frame may need less, or come when there is more
        return None, _out_of_memory(known)
    except Exception as unknown:  # a bug fails one frame, never the worker
        _log.exception("a frame could not be computed")
        return None, _failed(unknown)


def _failed(cause: Exception) -> InferenceFailed:
    """Make the error in a frame of its own.

    In the frame of `_outcome`, which the traceback of the cause refers to, it would close a cycle.
    """
    error = InferenceFailed(f"The frame could not be computed ({type(cause).__name__}).")
    error.__cause__ = cause
    return error


def _out_of_memory(cause: MemoryError) -> OutOfMemory:
    error = OutOfMemory("There is no memory left for the frame. Try again in a moment.")
    error.__cause__ = cause
    return error


def _deliver(job: Job, result: object, error: EdgeError | None) -> None:
    with suppress(RuntimeError):  # the loop is closed: no caller waits any more
        job.loop.call_soon_threadsafe(_settle, job.future, result, error)


def _settle(future: asyncio.Future[Any], result: object, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def _expire(job: Job) -> None:
    _settle(job.future, None, DeadlineExceeded("The frame's deadline passed before its answer."))
