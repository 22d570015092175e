"""The interpreters of one model: each runs one frame at a time; more are opened as they pay.

An interpreter holds the model's packed weights and its tensors, 8.6 MiB for EfficientNet-Lite0.
Among many models two frames rarely meet at the same one, so a model starts with one interpreter. A
frame that finds none free waits for it. Another one is opened, up to one for each worker, once such
waits have cost more than opening it.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from edge.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge.runtime.interpreter import Interpreter

_log = logging.getLogger(__name__)

OPENING_S: Final = 0.01
"""What opening another interpreter costs: 10 ms of CPU for the embedded models. Frames wait this
long in total before it is opened."""

TOLERATED_SHARE: Final = 0.01
"""Share of the time that frames may wait for good. By calculation, with two busy workers, each of
sixteen models waits a tenth of that, and one model alone far more."""


class Waits:
    """Adds up what waiting for an interpreter has cost lately. Times are of `time.monotonic`."""

    def __init__(self) -> None:
        self._cost_s = 0.0
        self._until = 0.0

    def left_s(self, now: float) -> float:
        """Seconds that frames may still wait before another interpreter pays; 0 or less: none."""
        return OPENING_S - self._cost_at(now)

    def add(self, began: float, ended: float) -> None:
        """Count a wait."""
        self._cost_s = self._cost_at(began) + ended - began
        self._until = ended

    def _cost_at(self, now: float) -> float:
        """The cost, less what was tolerable in the time since the last wait."""
        tolerable_s = max(0.0, now - self._until) * TOLERATED_SHARE
        return max(0.0, self._cost_s - tolerable_s)


class InterpreterPool:
    """Leases the interpreters of one model to workers. Safe to use from several threads."""

    def __init__(
        self,
        interpreters: Sequence[Interpreter],
        open_another: Callable[[], Interpreter] | None = None,
        more: int = 0,
    ) -> None:
        """Start with some interpreters.

        Args:
            interpreters: those that are open, at least one. One that is thread-safe may be listed
                for each worker.
            open_another: opens one more; called outside of the lock, on a worker.
            more: how many of them may be opened.
        """
        self._open_another = open_another
        self._more = more
        self._count = len(interpreters)
        self._free = list(interpreters)
        self._last: dict[int, Interpreter] = {}
        self._freed = threading.Condition()
        self._waits = Waits()

    def __repr__(self) -> str:
        most = self._count + self._more
        return f"<InterpreterPool {len(self._free)}/{self._count} free, at most {most}>"

    @contextmanager
    def lease(self, worker: int) -> Iterator[Interpreter]:
        """Lend an interpreter to a worker: the one it had last, which its caches know, if free.

        Waits while all are at work, and opens another one when waiting has become too costly. If
        that fails, the model goes on with those that it has.
        """
        interpreter = self._take(worker) or self._open(worker)
        try:
            yield interpreter
        finally:
            with self._freed:
                self._free.append(interpreter)
                self._last[worker] = interpreter
                self._freed.notify()

    def _take(self, worker: int, *, may_open: bool = True) -> Interpreter | None:
        """A free interpreter, after a wait if need be; ``None`` if the caller is to open one."""
        with self._freed:
            if not self._free:
                self._wait(may_open=may_open)
            if not self._free:
                self._more -= 1
                return None
            last = self._last.get(worker)
            if last in self._free:
                self._free.remove(last)
                return last
            return self._free.pop()

    def _wait(self, *, may_open: bool) -> None:
        """Wait for a free interpreter; no longer than is worthwhile if another may be opened."""
        began = time.monotonic()
        worthwhile_until = began + self._waits.left_s(began)
        while not self._free:
            left_s = None
            if may_open and self._more:
                left_s = worthwhile_until - time.monotonic()
                if left_s <= 0:
                    break
            self._freed.wait(left_s)
        self._waits.add(began, time.monotonic())

    def _open(self, worker: int) -> Interpreter:
        """Open another interpreter; waits for one that is open if it cannot be opened."""
        assert self._open_another is not None
        try:
            interpreter = self._open_another()
        except (ExportError, MemoryError, OSError) as error:
            with self._freed:
                self._more = 0
            _log.warning("frames of a model take turns, no interpreter can be added: %s", error)
            taken = self._take(worker, may_open=False)
            assert taken is not None
            return taken
        with self._freed:
            self._count += 1
            self._waits = Waits()
        return interpreter
