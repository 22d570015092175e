"""What Linux tells in `/proc` of a process and those it started: CPU time, memory, mapped libraries."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_UTIME, _CSTIME = (
    11,
    14,
)  # of the fields after the name in `stat`; cutime and cstime: children that have ended
_TENSORFLOW = "/tensorflow/"  # its package's folder; LiteRT's own libraries merely have the word in their names


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a process tree.

    Attributes:
        pss_mib: MiB, pages shared with other processes counted in shares (/proc/PID/smaps_rollup).
        rss_mib: MiB, shared pages counted whole: what PSS would be at most, if nobody else ran.
    """

    pss_mib: float
    rss_mib: float


def tree(pid: int) -> list[int]:
    """The process and all below it, as far as they still live."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, _read(children).split())
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the process, its threads and those below it, in seconds (to 0.01)."""
    ticks = 0
    for one in tree(pid):
        fields = _read(Path(f"/proc/{one}/stat")).rpartition(")")[2].split()
        ticks += sum(map(int, fields[_UTIME : _CSTIME + 1]))
    return ticks / _TICKS_PER_S


def memory(pid: int) -> Memory:
    """Memory of the process and those below it."""
    kib = {"Pss": 0, "Rss": 0}
    for one in tree(pid):
        for line in _read(Path(f"/proc/{one}/smaps_rollup")).splitlines():
            name, _, value = line.partition(":")
            if name in kib:
                kib[name] += int(value.split()[0])
    return Memory(pss_mib=kib["Pss"] / 1024, rss_mib=kib["Rss"] / 1024)


def maps_tensorflow(pid: int) -> bool:
    """Whether a library of TensorFlow's is mapped into the process or one below it."""
    return any(_TENSORFLOW in _read(Path(f"/proc/{one}/maps")) for one in tree(pid))


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:  # it ended meanwhile
        return ""
