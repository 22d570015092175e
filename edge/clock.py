"""A steady clock, which setting the wall clock neither turns back nor moves forward.

A device without a battery starts in 1970 and jumps to today once it has a network; somebody sets
another one ten years back. Budgets and ages therefore have a clock of their own: `advance` adds up
the time that has certainly passed. Within one boot that is Linux's CLOCK_BOOTTIME, which cannot be
set. Over a reboot only the wall clock knows how long the device was off, and it is believed for up
to a night: if the device was off for longer, its budget's day merely lasts longer.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

MAX_OFF_S = 16 * 3600.0
"""Longest time, in seconds, that counts for being switched off.

Less than a day, so that setting the clock alone renews no daily budget.
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """All clocks at one moment.

    Attributes:
        boot: identifies the boot of the machine; empty if the system has no such identifier.
        since_boot: seconds since the boot, including sleep.
        wall: seconds since 1970, by the wall clock.
    """

    boot: str
    since_boot: float
    wall: float


@cache
def _boot() -> str:
    """Read once: no process outlives its machine's boot."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


def read_clocks() -> Reading:
    """The machine's clocks now."""
    return Reading(_boot(), time.clock_gettime(time.CLOCK_BOOTTIME), time.time())


def advance(steady: float, before: Reading, now: Reading) -> float:
    """The steady seconds now, given those at the reading ``before``. Never goes back."""
    if now.boot == before.boot and now.since_boot >= before.since_boot:
        return steady + now.since_boot - before.since_boot
    off = min(max(now.wall - before.wall, 0.0), MAX_OFF_S)
    return steady + off


class SteadyClock:
    """Steady seconds, continued from an earlier process. May be read from any thread."""

    def __init__(
        self,
        steady: float = 0.0,
        reading: Reading | None = None,
        read: Callable[[], Reading] = read_clocks,
    ) -> None:
        self._read = read
        self._mark = (steady, reading or read())  # one tuple, so that threads see both or neither

    def __call__(self) -> float:
        """The steady seconds now."""
        return self.mark()[0]

    def mark(self) -> tuple[float, Reading]:
        """The steady seconds now and the reading they belong to, to be stored on disk."""
        steady, before = self._mark
        now = self._read()
        self._mark = (advance(steady, before, now), now)
        return self._mark
