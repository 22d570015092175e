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
    """A thread's number, the lock it sleeps on (released to wake it), and the job it is woken with."""

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
        self._idle = [_Worker(number) for number in range(workers)]  # all may be given work before they have started
        self._busy = 0
        self._closing = False
        for worker in self._idle:
            worker.wake.acquire()
        self._threads = [
            # daemons: a worker stuck in a broken model must not keep the process from ending
            threading.Thread(target=self._work, args=(worker,), name=f"edge-worker-{worker.number}", daemon=True)
            for worker in self._idle
        ]
        for thread in self._threads:
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
            self._withdraw(job)
            del job  # as in `_outcome`: without it a failed frame's image would wait for the garbage collector

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

    def _withdraw(self, job: Job) -> None:
        """Free the place of a job that still waits, its caller having given up."""
        with self._lock:
            if job in self._waiting:  # asked first: the error of `remove` would print the job, 3 ms of scores
                self._waiting.remove(job)

    def _work(self, worker: _Worker) -> None:
        while True:
            worker.wake.acquire()
            job = worker.job
            if job is None:  # woken to end
                return
            while job is not None:
                outcome = _outcome(job.work, worker.number) if _wanted(job) else None
                following = self._free(worker)
                if outcome is not None:  # told once the worker is free: who has an answer can send the next frame
                    _tell(job, *outcome)
                job = following
            del outcome  # an idle worker holds on to no image

    def _free(self, worker: _Worker) -> Job | None:
        """The next job that waits; where none does, the worker idles, or ends once the pool is closed."""
        with self._lock:
            worker.job = None
            if self._waiting:
                return self._waiting.popleft()
            self._busy -= 1
            if self._closing:
                worker.wake.release()
            else:
                self._idle.append(worker)
        return None


def _wanted(job: Job) -> bool:
    """Whether somebody still waits: its caller was told by the timer once the deadline passed, or may have given up."""
    return time.monotonic() < job.deadline and not job.future.done()


def _outcome(work: Callable[[int], Any], number: int) -> tuple[Any, EdgeError | None]:
    """Result or error. Takes no job: the error's stack trace holds this frame, and a job would hold the error."""
    try:
        return work(number), None
    except EdgeError as known:
        return None, known
    except Exception as unknown:  # a fault of ours: one frame's answer, never the worker's end
        _log.exception("a frame could not be computed")
        return None, _failed(unknown)


def _failed(cause: Exception) -> InferenceFailed:
    """Made here: in the frame of `_outcome`, to which the cause's stack trace leads, it would close a cycle."""
    error = InferenceFailed(f"The frame could not be computed ({type(cause).__name__}).")
    error.__cause__ = cause
    return error


def _tell(job: Job, result: object, error: EdgeError | None) -> None:
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
