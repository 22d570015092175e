"""How a given time is divided: quick training, TensorFlow, fine-tuning, and what follows it.

After fine-tuning the features of all pictures are read once more, a head is fitted, and the
finished file is tested; how long that takes is known from quick training, which did the same on
this machine a moment ago. So a slow or busy machine fine-tunes for less, and is done in time.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.training.task import Progress

_IMPORT_S: Final = 8.0
"""TensorFlow's import and its first step, on two cores. The import alone takes 6 to 10."""

_MIN_TUNING_S: Final = 5.0
"""Less does not pay for TensorFlow's import."""

_ENOUGH_TUNING_S: Final = 30.0
"""What `minutes_needed` leaves for fine-tuning."""

_READING_AGAIN: Final = 1.1
"""Of the time of quick training: TensorFlow's threads and memory are still there."""

_TESTS: Final = 0.35
"""Of the time of quick training: tests of a fifth of the pictures, one by one, and the report."""

_WRITING_S: Final = 6.0
"""The bounds of strangers, the 8-bit file, the SavedModel, and the start of this process."""


class TimeIsUp(Exception):
    """The time does not suffice for reading the features of the fine-tuned network."""


class FineTuningTime:
    """The time that was given, as quick training leaves it.

    Args:
        total_s: the whole.
        began: the steady time at which it began.
        quick_s: what quick training took, or would have taken without an earlier run's cache.
        clock: the steady time.
    """

    def __init__(
        self,
        total_s: float,
        began: float,
        quick_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._quick_s = quick_s
        self._total_s = total_s
        self._end = began + total_s
        self._finishing_s = _TESTS * quick_s + _WRITING_S

    def suffices(self) -> bool:
        """Whether it is worth while to import TensorFlow."""
        return self.tuning_s() - _IMPORT_S >= _MIN_TUNING_S

    def tuning_s(self) -> float:
        """Seconds from now on that fine-tuning may take; below 0 if there are none."""
        reading_s = _READING_AGAIN * self._quick_s
        return self._end - self._clock() - reading_s - self._finishing_s

    def minutes_needed(self) -> int:
        """Whole minutes that would leave time for fine-tuning."""
        again_s = _READING_AGAIN * self._quick_s + self._finishing_s
        return math.ceil((self._quick_s + _IMPORT_S + _ENOUGH_TUNING_S + again_s) / 60)

    def too_short(self) -> str:
        """What its owner is told if it does not suffice."""
        return (
            f"Reading all pictures and quick training take {self._quick_s:.0f} of "
            f"{self._total_s:.0f} s, which leaves too little for fine-tuning; the model is that of "
            f"quick training. --minutes {self.minutes_needed()} would leave enough."
        )

    def limit(self, progress: Progress) -> Progress:
        """Progress that raises `TimeIsUp` once only the time for tests and files is left."""
        return _Limited(progress, self._end - self._finishing_s, self._clock)


class _Limited:
    def __init__(self, progress: Progress, end: float, clock: Callable[[], float]) -> None:
        self._progress = progress
        self._end = end
        self._clock = clock

    def stage(self, words: str) -> None:
        self._progress.stage(words)

    def advance(self, done: int, total: int) -> None:
        if self._clock() > self._end:
            raise TimeIsUp
        self._progress.advance(done, total)
