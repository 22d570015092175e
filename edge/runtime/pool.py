"""Worker threads that own interpreters, and the bounded queue before them.

A frame makes one hop: from the event loop to one worker and back. The next frame goes to the worker that finished
last (its caches are warm; round robin costs a lone camera 0.1 to 0.5 ms). What changes state holds one lock and does
no I/O; `repr` shows the state.
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

from edge.errors import DeadlineExceeded, EdgeError, InferenceFailed, Overloaded, ShuttingDown

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Job:
    """A piece of work for a worker.

    Attributes:
        work: called with the worker's number, 0 to workers - 1.
        deadline: on `time.monotonic`; work that has not begun by then is not begun.
        submitted: on `time.monotonic`.
    """

    work: Callable[[int], Any]
    deadline: float
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    submitted: float = field(default_factory=time.monotonic)


@dataclass(slots=True, eq=False)
class _Worker:
    number: int
    wake: threading.Lock = field(default_factory=threading.Lock)
    job: Job | None = None


class WorkerPool:
    """Threads with a queue of at most ``queue_size`` waiting jobs. Used from one event loop."""

    def __init__(self, workers: int, queue_size: int) -> None:
        self.workers = workers
        self.queue_size = queue_size
        self._lock = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._idle: list[_Worker] = []
        self._busy = 0
        self._closing = False
        self._threads = [
            threading.Thread(target=self._work, args=(i,), name=f"edge-worker-{i}") for i in range(workers)
        ]
        for thread in self._threads:
            thread.daemon = True  # a worker stuck in a broken model must not keep the process from ending
            thread.start()

    def __repr__(self) -> str:
        return f"<WorkerPool {self.workers} workers, {self._busy} busy, {len(self._waiting)}/{self.queue_size} waiting>"

    @property
    def waiting(self) -> int:
        """Jobs that no worker has taken yet."""
        return len(self._waiting)

    @property
    def oldest_wait_s(self) -> float:
        """Seconds the job at the head of the queue has waited; 0 where none waits."""
        with self._lock:
            head = self._waiting[0] if self._waiting else None
        return time.monotonic() - head.submitted if head else 0.0

    @property
    def busy(self) -> int:
        """Workers at work."""
        return self._busy

    async def run(self, work: Callable[[int], T], deadline: float) -> T:
        """Run ``work(worker number)`` on a worker and return what it returns.

        Raises:
            Overloaded: the queue is full.
            ShuttingDown: the pool is closed.
            DeadlineExceeded: ``deadline`` (on `time.monotonic`) passed first; work that had not begun is not done.
            EdgeError: whatever ``work`` raised.
        """
        loop = asyncio.get_running_loop()
        job = Job(work, deadline, loop, loop.create_future())
        self._submit(job)
        timer = loop.call_at(loop.time() + deadline - time.monotonic(), _expire, job)
        try:
            return await job.future  # type: ignore[no-any-return]
        finally:
            timer.cancel()

    def close(self) -> None:
        """Take no new jobs; those waiting are still done."""
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
                raise Overloaded(f"{self.queue_size} frames are waiting already. Send fewer frames, or try again.")
        worker.wake.release()

    def _work(self, number: int) -> None:
        worker = _Worker(number)
        worker.wake.acquire()
        while job := self._next(worker):
            _run(job, number)

    def _next(self, worker: _Worker) -> Job | None:
        """The next job: one that waits, or else the one it is woken with. ``None`` once closed and empty."""
        with self._lock:
            if worker.job is not None:  # it had one: it is done
                worker.job = None
                self._busy -= 1
            while self._waiting:
                job = self._waiting.popleft()
                if not job.future.done():  # its caller may have given up
                    worker.job = job
                    self._busy += 1
                    return job
            if self._closing:
                return None
            self._idle.append(worker)
        worker.wake.acquire()
        return worker.job


def _run(job: Job, number: int) -> None:
    if time.monotonic() >= job.deadline:
        return  # its caller was told by the timer
    try:
        result, error = job.work(number), None
    except EdgeError as known:
        result, error = None, known
    except Exception as unknown:  # a fault of ours: one frame's answer, never the worker's end
        _log.exception("a frame could not be computed")
        result, error = None, InferenceFailed(f"The frame could not be computed ({type(unknown).__name__}).")
        error.__cause__ = unknown
    with suppress(RuntimeError):  # the loop is gone: nobody waits any more
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
