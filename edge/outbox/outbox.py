"""The outbox as the service uses it: a thread that owns the store, and a bounded queue before it.

Nobody waits for the disk who does not want to: `put` and `call` hand work over and return a future. Frames that come
together are committed together, with one wait for the disk. A disk that is full, read-only or gone makes futures fail,
at once for a while after a failure, and is tried again; inference never notices. Between jobs the thread looks whether
a disk that failed is well again, and drops what has become too old.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import queue
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from edge.errors import EntryUnreadable, OutboxError, OutboxFull

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.outbox.entry import NewEntry, Receipt
    from edge.outbox.store import Store

_log = logging.getLogger(__name__)

T = TypeVar("T")

_BATCH = 32
_BATCH_BYTES = 8 << 20  # a transaction needs that much room on the disk twice
_ENDED = "The outbox is closed: the service is stopping."
_TOO_SLOW = "The outbox's disk is too slow: too many frames wait for it."


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take, in seconds.

    Attributes:
        pause_s: after a failure, in which frames are refused at once.
        slow_s: a write that takes so long is told.
        look_s: between two looks at a failed disk.
        tidy_s: between two looks for what has become too old.
        stop_s: that the end waits for what is still to be written.
    """

    pause_s: float = 1.0
    slow_s: float = 1.0
    look_s: float = 5.0
    tidy_s: float = 600.0
    stop_s: float = 5.0


@dataclass(frozen=True, slots=True)
class _Put:
    entry: NewEntry
    future: Future[Receipt]


@dataclass(frozen=True, slots=True)
class _Call:
    work: Callable[[Store], Any]
    future: Future[Any]
    writes: bool


class Outbox:
    """See the module.

    Attributes:
        fault: why it cannot be used, in words for the owner; ``None`` where all is well.
    """

    def __init__(
        self,
        open_store: Callable[[], Store],
        folder: Path,
        *,
        max_queued_bytes: int = 64 << 20,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is opened yet.

        Args:
            open_store: opens the store in ``folder``; may raise ``OutboxError``.
            folder: one service at a time may use it.
            max_queued_bytes: of images that wait for the disk; beyond them frames are not kept.
            pace: for tests; else as `Pace` says.
            clock: for tests; else the machine's.
        """
        self.folder = folder
        self.fault: str | None = None
        self._open_store = open_store
        self._max_queued = max_queued_bytes
        self._pace = pace or Pace()
        self._clock = clock
        self._queued = 0
        self._paused_until = 0.0
        self._full = self._ended = False
        self._write_s = 0.0
        self._look_at = self._tidy_at = 0.0
        self._counts: dict[str, int] = {}
        self._store: Store | None = None
        self._lock_file: int | None = None
        self._lock = threading.Lock()
        self._taken: list[_Put | _Call | None] = []
        self._jobs: queue.SimpleQueue[_Put | _Call | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="edge-outbox", daemon=True)

    def __repr__(self) -> str:
        return f"<Outbox {self.folder}, {self._queued} bytes queued, fault {self.fault}>"

    def start(self) -> None:
        """Start the thread, which opens the store; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Write what was accepted and close, waiting for it a little."""
        self._jobs.put(None)
        self._thread.join(self._pace.stop_s)

    def put(self, entry: NewEntry) -> Future[Receipt]:
        """Keep a frame. The future's receipt is the acknowledgement: the entry is on the disk."""
        future: Future[Receipt] = Future()
        if self._clock() < self._paused_until:
            future.set_exception(OutboxError(self.fault or "The outbox cannot be used."))
            return future
        with self._lock:
            too_slow = self._queued > 0 and self._queued + len(entry.image) > self._max_queued
            if not too_slow:
                self._queued += len(entry.image)
        if too_slow:
            self._tell(_TOO_SLOW)
            future.set_exception(OutboxError(_TOO_SLOW))
            return future
        self._hand(_Put(entry, future))
        return future

    def call(self, work: Callable[[Store], T]) -> Future[T]:
        """Read something from the store, on its thread."""
        return self._hand_over(work, writes=False)

    def change(self, work: Callable[[Store], T]) -> Future[T]:
        """Write something to the store, on its thread; that it could be written shows that the disk is well."""
        return self._hand_over(work, writes=True)

    async def well(self) -> None:
        """Find out whether a failed disk takes writes again, before something is done whose result it could not keep.

        Raises:
            OutboxError: it does not.
        """
        if self.fault is not None:
            await asyncio.wrap_future(self.change(lambda store: store.check()))

    def status(self) -> dict[str, Any]:
        """For people and gauges."""
        return {
            "folder": str(self.folder),
            "fault": self.fault,
            "queued_bytes": self._queued,
            "write_s": round(self._write_s, 3),
            **self._counts,
        }

    def _hand_over(self, work: Callable[[Store], T], *, writes: bool) -> Future[T]:
        future: Future[T] = Future()
        self._hand(_Call(work, future, writes))
        return future

    def _hand(self, job: _Put | _Call) -> None:
        with self._lock:
            if not self._ended:
                self._jobs.put(job)
                return
        self._refuse(job)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            if isinstance(job, _Call):
                self._do(job)
            else:
                self._put(self._batch(job))
        self._close()
        with self._lock:
            self._ended = True
        while not self._jobs.empty():
            left = self._jobs.get()
            if left is not None:
                self._refuse(left)

    def _refuse(self, job: _Put | _Call) -> None:
        """Say that the end came before it."""
        if isinstance(job, _Put):
            self._forget([job])
        if job.future.set_running_or_notify_cancel():
            job.future.set_exception(OutboxError(_ENDED))

    def _next(self) -> _Put | _Call | None:
        """The next job; ``None`` ends the thread. Looks after the store now and then."""
        while not self._taken:
            now = self._clock()
            if now >= self._look_at:
                self._look_at = now + self._pace.look_s
                self._look_after(now)
            with suppress(queue.Empty):
                self._taken.append(self._jobs.get(timeout=self._pace.look_s))
        return self._taken.pop()

    def _batch(self, first: _Put) -> list[_Put]:
        """The frames that wait already; the job behind them is the next."""
        batch, size = [first], len(first.entry.image)
        while len(batch) < _BATCH and size < _BATCH_BYTES and not self._jobs.empty():
            job = self._jobs.get()
            if not isinstance(job, _Put):
                self._taken.append(job)
                break
            batch.append(job)
            size += len(job.entry.image)
        return batch

    def _look_after(self, now: float) -> None:
        """A disk that failed may be well again, and entries grow old, though no frame comes."""
        if self.fault is None and now < self._tidy_at:
            return
        try:
            store = self._opened()
            store.tidy()
            self._counts = store.counts()
            self._full = self._full and store.is_tight
        except Exception as error:  # the thread must not end: the next frame may find the disk well
            self._failed(error)
        else:
            self._tidy_at = now + self._pace.tidy_s
            self._well()

    def _put(self, batch: list[_Put]) -> None:
        try:
            store = self._opened()
            began = self._clock()
            receipts = store.put([job.entry for job in batch])
            self._took(self._clock() - began)
            self._counts = store.counts()
        except Exception as error:  # as above
            self._forget(batch)
            self._full = isinstance(error, OutboxFull)
            self._failed(error)
            for job in batch:
                if job.future.set_running_or_notify_cancel():
                    job.future.set_exception(_as_outbox_error(error))
        else:
            self._forget(batch)
            self._full = False
            self._well()
            for job, receipt in zip(batch, receipts, strict=True):
                if job.future.set_running_or_notify_cancel():  # kept all the same, if nobody wants to know
                    job.future.set_result(receipt)

    def _took(self, seconds: float) -> None:
        slow = seconds >= self._pace.slow_s
        if slow != (self._write_s >= self._pace.slow_s):
            _log.warning("the outbox's disk is %s: %.1f s for a write", "slow" if slow else "fast again", seconds)
        self._write_s = seconds

    def _forget(self, batch: list[_Put]) -> None:
        with self._lock:
            self._queued -= sum(len(job.entry.image) for job in batch)

    def _do(self, job: _Call) -> None:
        if not job.future.set_running_or_notify_cancel():
            return
        try:
            store = self._opened()
            result = job.work(store)
            self._counts = store.counts()
        except OutboxError as error:
            if not isinstance(error, EntryUnreadable):
                self._failed(error)
            job.future.set_exception(error)
        except Exception as error:  # a fault of the work's, not of the disk's
            job.future.set_exception(error)
        else:
            if job.writes:
                self._well()
            job.future.set_result(result)

    def _opened(self) -> Store:
        if self._store is not None and self._store.moved:
            _log.error("the outbox was taken away from %s, with all that was in it: a new one is made", self.folder)
            self._close()
        if self._store is None:
            self._take_folder()
            self._store = self._open_store()
        return self._store

    def _take_folder(self) -> None:
        if self._lock_file is not None:
            return
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.folder / "outbox.lock", os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise OutboxError(f"The outbox in {self.folder} cannot be used: {error}.") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise OutboxError(f"The outbox in {self.folder} is used by another service.") from error
        self._lock_file = lock

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
        if self._lock_file is not None:
            os.close(self._lock_file)
        self._store = self._lock_file = None

    def _failed(self, error: Exception) -> None:
        self._tell(_as_outbox_error(error).message, None if isinstance(error, OutboxError) else error)
        self._paused_until = self._clock() + self._pace.pause_s

    def _tell(self, words: str, error: Exception | None = None) -> None:
        if words != self.fault:
            _log.error("frames are not kept: %s", words, exc_info=error)
        self.fault = words

    def _well(self) -> None:
        if self._full or (self.fault == _TOO_SLOW and self._queued > self._max_queued // 2):
            return  # something small fits, or one frame more, and the next does not
        if self.fault is not None:
            _log.warning("frames are kept again in %s", self.folder)
        self.fault, self._paused_until = None, 0.0


def _as_outbox_error(error: Exception) -> OutboxError:
    return error if isinstance(error, OutboxError) else OutboxError(f"The outbox failed ({type(error).__name__}).")
