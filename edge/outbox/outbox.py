"""The outbox as the service uses it: a thread that owns the store, behind a bounded queue.

Callers never block on the disk: `put` and `call` hand work over and return a future. Frames that
arrive together are committed together, with one wait for the disk. A full, read-only or missing
disk makes futures fail, at once for a while after a failure, and is tried again; inference never
notices. Between jobs the thread checks whether a failed disk has recovered, and drops expired
entries.
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

from edge.errors import EntryUnreadable, OutboxDamaged, OutboxError, OutboxFull

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edge.outbox.entry import NewEntry, Receipt
    from edge.outbox.store import Store

_log = logging.getLogger(__name__)

T = TypeVar("T")

_BATCH = 32
_BATCH_BYTES = 8 << 20  # a transaction needs twice that on the disk
_STOPPED = "The outbox is closed: the service is stopping."
_TOO_SLOW = "The outbox's disk is too slow: too many frames are waiting to be written."


@dataclass(frozen=True, slots=True)
class Timing:
    """Intervals and limits, in seconds.

    Attributes:
        pause_s: after a failure, during which frames are refused at once.
        slow_s: a write that takes this long is logged.
        check_s: between two checks of a failed disk.
        expire_s: between two searches for expired entries.
        stop_s: that `Outbox.stop` waits for what is still to be written.
    """

    pause_s: float = 1.0
    slow_s: float = 1.0
    check_s: float = 5.0
    expire_s: float = 600.0
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


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """The state of the outbox, for people and gauges.

    Attributes:
        folder: where its files are.
        fault: why it cannot be used, in words; ``None`` if it can.
        queued_bytes: bytes of images that wait for the disk.
        write_s: seconds that the last write took.
        counts: as `Store.counts` returns them; empty until the store was opened.
    """

    folder: str
    fault: str | None
    queued_bytes: int
    write_s: float
    counts: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """As `GET /fallback` and `GET /outbox` show it."""
        return {
            "folder": self.folder,
            "fault": self.fault,
            "queued_bytes": self.queued_bytes,
            "write_s": round(self.write_s, 3),
            **self.counts,
        }


class Outbox:
    """Stores frames and runs work on the store, all on one thread.

    Attributes:
        folder: where its files are.
        fault: why it cannot be used, in words for the owner; ``None`` if it can.
    """

    def __init__(
        self,
        open_store: Callable[[], Store],
        folder: Path,
        *,
        max_queued_bytes: int = 64 << 20,
        timing: Timing | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is opened before `start`.

        Args:
            open_store: opens the store in ``folder``; may raise ``OutboxError``.
            folder: one service at a time may use it.
            max_queued_bytes: of images that wait for the disk; frames beyond it are refused.
            timing: for tests.
            clock: for tests; seconds that never go back.
        """
        self.folder = folder
        self.fault: str | None = None
        self._open_store = open_store
        self._max_queued_bytes = max_queued_bytes
        self._timing = timing or Timing()
        self._clock = clock
        self._queued_bytes = 0
        self._paused_until = 0.0
        self._disk_full = False
        self._damaged = False
        self._stopped = False
        self._write_s = 0.0
        self._next_check = 0.0
        self._next_expiry = 0.0
        self._counts: dict[str, int] = {}
        self._store: Store | None = None
        self._lock_file: int | None = None
        self._lock = threading.Lock()
        self._lookahead: list[_Put | _Call | None] = []
        self._jobs: queue.SimpleQueue[_Put | _Call | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="edge-outbox", daemon=True)

    def __repr__(self) -> str:
        return f"<Outbox {self.folder}, {self._queued_bytes} bytes queued, fault {self.fault}>"

    def start(self) -> None:
        """Start the thread, which opens the store; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Write what was accepted and close, waiting at most `Timing.stop_s`."""
        self._jobs.put(None)
        self._thread.join(self._timing.stop_s)

    def put(self, entry: NewEntry) -> Future[Receipt]:
        """Store a frame. The future's receipt is the acknowledgement: the entry is on disk."""
        future: Future[Receipt] = Future()
        if self._clock() < self._paused_until:
            future.set_exception(OutboxError(self.fault or "The outbox cannot be used."))
            return future
        size = len(entry.image)
        with self._lock:
            too_slow = self._queued_bytes > 0 and self._queued_bytes + size > self._max_queued_bytes
            if not too_slow:
                self._queued_bytes += size
        if too_slow:
            self._set_fault(_TOO_SLOW)
            future.set_exception(OutboxError(_TOO_SLOW))
            return future
        self._enqueue(_Put(entry, future))
        return future

    def call(self, work: Callable[[Store], T]) -> Future[T]:
        """Read from the store, on its thread."""
        return self._submit(work, writes=False)

    def change(self, work: Callable[[Store], T]) -> Future[T]:
        """Write to the store, on its thread. Success shows that the disk works."""
        return self._submit(work, writes=True)

    async def ensure_writable(self) -> None:
        """After a fault, test the disk before doing work whose result it might not store.

        Raises:
            OutboxError: it cannot be written.
        """
        if self.fault is not None:
            await asyncio.wrap_future(self.change(lambda store: store.check_writable()))

    def status(self) -> OutboxStatus:
        """The state of the outbox as its thread last knew it."""
        return OutboxStatus(
            folder=str(self.folder),
            fault=self.fault,
            queued_bytes=self._queued_bytes,
            write_s=self._write_s,
            counts=self._counts,
        )

    def _submit(self, work: Callable[[Store], T], *, writes: bool) -> Future[T]:
        future: Future[T] = Future()
        self._enqueue(_Call(work, future, writes))
        return future

    def _enqueue(self, job: _Put | _Call) -> None:
        with self._lock:
            if not self._stopped:
                self._jobs.put(job)
                return
        self._reject(job)

    def _run(self) -> None:
        while (job := self._next_job()) is not None:
            if isinstance(job, _Call):
                self._run_call(job)
            else:
                self._write_batch(self._collect_batch(job))
        self._close()
        with self._lock:
            self._stopped = True
        while not self._jobs.empty():
            left = self._jobs.get()
            if left is not None:
                self._reject(left)

    def _reject(self, job: _Put | _Call) -> None:
        """Fail a job that came after the end."""
        if isinstance(job, _Put):
            self._release_bytes([job])
        if job.future.set_running_or_notify_cancel():
            job.future.set_exception(OutboxError(_STOPPED))

    def _next_job(self) -> _Put | _Call | None:
        """Wait for the next job, and maintain the store meanwhile; ``None`` ends the thread."""
        while not self._lookahead:
            now = self._clock()
            if now >= self._next_check:
                self._next_check = now + self._timing.check_s
                self._maintain(now)
            with suppress(queue.Empty):
                self._lookahead.append(self._jobs.get(timeout=self._timing.check_s))
        return self._lookahead.pop()

    def _collect_batch(self, first: _Put) -> list[_Put]:
        """The frames that are already queued; the job behind them is the next."""
        batch, size = [first], len(first.entry.image)
        while len(batch) < _BATCH and size < _BATCH_BYTES and not self._jobs.empty():
            job = self._jobs.get()
            if not isinstance(job, _Put):
                self._lookahead.append(job)
                break
            batch.append(job)
            size += len(job.entry.image)
        return batch

    def _maintain(self, now: float) -> None:
        """Check a failed disk, and drop expired entries, even if no frame comes."""
        if self.fault is None and now < self._next_expiry:
            return
        try:
            store = self._ensure_open()
            store.drop_expired()
            self._counts = store.counts()
            self._disk_full = self._disk_full and store.is_tight
        except Exception as error:  # the thread must not end: the disk may work for the next frame
            self._on_failure(error)
        else:
            self._next_expiry = now + self._timing.expire_s
            self._on_success()

    def _write_batch(self, batch: list[_Put]) -> None:
        try:
            store = self._ensure_open()
            began = self._clock()
            receipts = store.put([job.entry for job in batch])
            self._record_write(self._clock() - began)
            self._counts = store.counts()
        except Exception as error:  # as above
            self._release_bytes(batch)
            self._disk_full = isinstance(error, OutboxFull)
            self._on_failure(error)
            for job in batch:
                if job.future.set_running_or_notify_cancel():
                    job.future.set_exception(_as_outbox_error(error))
        else:
            self._release_bytes(batch)
            self._disk_full = False
            self._on_success()
            for job, receipt in zip(batch, receipts, strict=True):
                wanted = job.future.set_running_or_notify_cancel()
                if wanted:  # a frame whose caller cancelled is stored all the same
                    job.future.set_result(receipt)

    def _record_write(self, seconds: float) -> None:
        is_slow = seconds >= self._timing.slow_s
        was_slow = self._write_s >= self._timing.slow_s
        if is_slow != was_slow:
            speed = "slow" if is_slow else "fast again"
            _log.warning("outbox disk is %s: the last write took %.1f s", speed, seconds)
        self._write_s = seconds

    def _release_bytes(self, batch: list[_Put]) -> None:
        with self._lock:
            self._queued_bytes -= sum(len(job.entry.image) for job in batch)

    def _run_call(self, job: _Call) -> None:
        if not job.future.set_running_or_notify_cancel():
            return
        try:
            store = self._ensure_open()
            result = job.work(store)
            self._counts = store.counts()
        except OutboxError as error:
            if not isinstance(error, EntryUnreadable):
                self._on_failure(error)
            job.future.set_exception(error)
        except Exception as error:  # the caller's fault, not the disk's
            job.future.set_exception(error)
        else:
            if job.writes:
                self._on_success()
            job.future.set_result(result)

    def _ensure_open(self) -> Store:
        if self._store is not None and self._store.moved:
            _log.error("outbox database in %s disappeared; creating a new one", self.folder)
            self._close()
        if self._store is None:
            self._lock_folder()
            self._store = self._open_store()
            self._damaged = False
        return self._store

    def _lock_folder(self) -> None:
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
        self._store = None
        self._lock_file = None

    def _on_failure(self, error: Exception) -> None:
        self._damaged = self._damaged or isinstance(error, OutboxDamaged)
        unexpected = None if isinstance(error, OutboxError) else error
        self._set_fault(_as_outbox_error(error).message, unexpected)
        self._paused_until = self._clock() + self._timing.pause_s

    def _set_fault(self, fault: str, error: Exception | None = None) -> None:
        if fault != self.fault:
            _log.error("outbox unavailable, dropping frames: %s", fault, exc_info=error)
        self.fault = fault

    def _on_success(self) -> None:
        """Clear the fault, unless the next frame would run into it again.

        On a full disk something small may still fit, and a slow disk may take one frame more. A
        broken page does not mend: the fault stays until another database is opened.
        """
        if self._disk_full or self._damaged:
            return
        if self.fault == _TOO_SLOW and self._queued_bytes > self._max_queued_bytes // 2:
            return
        if self.fault is not None:
            _log.warning("outbox in %s is available again", self.folder)
        self.fault = None
        self._paused_until = 0.0


def _as_outbox_error(error: Exception) -> OutboxError:
    if isinstance(error, OutboxError):
        return error
    return OutboxError(f"The outbox failed ({type(error).__name__}).")
