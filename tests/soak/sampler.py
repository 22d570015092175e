"""Samples what a server's processes hold: memory, descriptors, threads, and CPU time used."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from edge.bench.procfs import cpu_seconds, tree

_RESIDENT = re.compile(r"^VmRSS:\s+(\d+)", re.MULTILINE)
_THREADS = re.compile(r"^Threads:\s+(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process and its descendants held at one moment.

    Attributes:
        at: seconds of `time.monotonic`.
        resident_mib: sum of their resident memory, shared pages counted in each.
        cpu_s: seconds of CPU used so far.
    """

    at: float
    resident_mib: float
    descriptors: int
    threads: int
    cpu_s: float


def sample(pid: int) -> Sample:
    """Take one; a process that ends meanwhile counts as nothing."""
    resident_kib, descriptors, threads = 0, 0, 0
    for one in tree(pid):
        folder = Path(f"/proc/{one}")
        try:
            status = (folder / "status").read_text()
            descriptors += sum(1 for _ in (folder / "fd").iterdir())
        except OSError:
            continue
        resident_kib += _number(_RESIDENT, status)
        threads += _number(_THREADS, status)
    return Sample(time.monotonic(), resident_kib / 1024, descriptors, threads, cpu_seconds(pid))


def _number(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.search(text)
    return int(found[1]) if found else 0  # a zombie has no memory
