"""Seconds of service that no jump of the wall clock can turn back or race ahead.

A device without a battery wakes in 1970 and leaps to today when its network comes; a hand sets another ten years back.
Budgets and ages are therefore counted on a clock of their own: `advance` adds up what surely passed. Within one boot
that is Linux's CLOCK_BOOTTIME, which nobody sets. Over a reboot only the wall clock tells how long the device was off,
and is believed for a night at most: a device that sleeps longer merely counts its budget's days longer.
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
"""Seconds that being switched off counts at most: less than a day, so that a jump alone renews no daily budget."""


@dataclass(frozen=True, slots=True)
class Reading:
    """All clocks at one moment.

    Attributes:
        boot: names the boot of the machine; empty where the system does not tell.
        since_boot: seconds since then, sleep included; starts anew with each boot.
        wall: seconds since 1970, as someone has set it.
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
    """The steady seconds now, which were ``steady`` when the clocks read ``before``. Never goes back."""
    if now.boot == before.boot and now.since_boot >= before.since_boot:
        return steady + now.since_boot - before.since_boot
    off = min(max(now.wall - before.wall, 0.0), MAX_OFF_S)
    return steady + off


class SteadyClock:
    """Steady seconds, going on from where an earlier process left them. May be read from any thread."""

    def __init__(
        self,
        steady: float = 0.0,
        reading: Reading | None = None,
        read: Callable[[], Reading] = read_clocks,
    ) -> None:
        self._read = read
        self._mark = (steady, reading or read())  # one value, so that threads never see half of it

    def __call__(self) -> float:
        """The steady seconds now."""
        return self.mark()[0]

    def mark(self) -> tuple[float, Reading]:
        """The steady seconds now and the clocks they belong to: what is kept on disk."""
        steady, before = self._mark
        now = self._read()
        self._mark = (advance(steady, before, now), now)
        return self._mark
