"""Reads CPU time, memory and mapped libraries of a process tree from Linux's `/proc`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Fields of `stat` after the name: utime, stime, and cutime, cstime of children that have ended.
_UTIME, _CSTIME = 11, 14
# The folder of its package: LiteRT's own libraries have the word in their names, too.
_TENSORFLOW = "/tensorflow/"


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a process tree.

    Attributes:
        pss_mib: MiB, pages shared with other processes counted in shares (/proc/PID/smaps_rollup).
        rss_mib: MiB, shared pages counted whole: the upper bound of PSS.
    """

    pss_mib: float
    rss_mib: float


def tree(pid: int) -> list[int]:
    """Return the process and its descendants that are still alive."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, _read(children).split())
    return found


def cpu_seconds(pid: int) -> float:
    """Return user and system time of the process tree, in seconds (to 0.01)."""
    ticks = 0
    for one in tree(pid):
        fields = _read(Path(f"/proc/{one}/stat")).rpartition(")")[2].split()
        ticks += sum(map(int, fields[_UTIME : _CSTIME + 1]))
    return ticks / _TICKS_PER_S


def memory(pid: int) -> Memory:
    """Return the memory of the process tree."""
    kib = {"Pss": 0, "Rss": 0}
    for one in tree(pid):
        for line in _read(Path(f"/proc/{one}/smaps_rollup")).splitlines():
            name, _, value = line.partition(":")
            if name in kib:
                kib[name] += int(value.split()[0])
    return Memory(pss_mib=kib["Pss"] / 1024, rss_mib=kib["Rss"] / 1024)


def maps_tensorflow(pid: int) -> bool:
    """Whether a TensorFlow library is mapped into the process tree."""
    return any(_TENSORFLOW in _read(Path(f"/proc/{one}/maps")) for one in tree(pid))


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:  # the process has ended
        return ""
