"""How many CPUs this process may use: the container's quota limits it, not only the cores."""

from __future__ import annotations

import math
import os
from pathlib import Path

from edge.runtime.cgroup import MOUNT, own_folders, read

LOW_LATENCY_THREADS = 2
"""Half of the time to an answer is decoding, which is not shared out, and the layers of these
models are small. More threads than two have not been measured."""


def usable_cpus(root: Path = Path("/")) -> int:
    """Count the CPUs of the affinity mask, limited by the quota of a cgroup (v2 or v1); at least 1.

    Args:
        root: the folder that holds `proc` and `sys`; another one than `/` is for tests.
    """
    has_mask = hasattr(os, "sched_getaffinity")
    cpus = len(os.sched_getaffinity(0)) if has_mask else os.cpu_count() or 1
    quota = _quota(root)
    if quota is not None:
        cpus = min(cpus, math.ceil(quota))
    return max(1, cpus)


def frame_threads(latency: str, cpus: int) -> int:
    """Threads on which a model runs one frame.

    Args:
        latency: the setting: ``low``, or ``throughput`` for one thread.
        cpus: that this process may use; more threads than that would wait for each other.
    """
    return min(LOW_LATENCY_THREADS, cpus) if latency == "low" else 1


def _quota(root: Path) -> float | None:
    """The lowest quota, in CPUs, from this process's cgroup up to the root of the hierarchy."""
    mount = root / MOUNT
    quotas = [_v2_quota(folder) for folder in own_folders(root, mount, "")]
    for controller in ("cpu", "cpu,cpuacct"):
        folders = own_folders(root, mount / controller, "cpu")
        quotas += [_v1_quota(folder) for folder in folders]
    return min((quota for quota in quotas if quota is not None), default=None)


def _v2_quota(folder: Path) -> float | None:
    quota, _, period = read(folder / "cpu.max").strip().partition(" ")
    return _share(quota, period)


def _v1_quota(folder: Path) -> float | None:
    quota = read(folder / "cpu.cfs_quota_us").strip()
    period = read(folder / "cpu.cfs_period_us").strip()
    return _share(quota, period)


def _share(quota: str, period: str) -> float | None:
    """Quota divided by period; ``None`` for `max`, -1 and anything else that sets no limit."""
    if not (quota.isdigit() and period.isdigit() and int(period)):
        return None
    return int(quota) / int(period)
