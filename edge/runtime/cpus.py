"""How many CPUs this process may use: the container's quota limits it, not only the cores."""

from __future__ import annotations

import math
import os
from pathlib import Path


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


def _quota(root: Path) -> float | None:
    """The lowest quota, in CPUs, from this process's cgroup up to the root of the hierarchy."""
    mount = root / "sys/fs/cgroup"
    quotas = [_v2_quota(folder) for folder in _folders(root, mount, "")]
    for controller in ("cpu", "cpu,cpuacct"):
        folders = _folders(root, mount / controller, "cpu")
        quotas += [_v1_quota(folder) for folder in folders]
    return min((quota for quota in quotas if quota is not None), default=None)


def _folders(root: Path, mount: Path, controller: str) -> list[Path]:
    """This process's folder in a hierarchy and its parents; in a container they may not exist."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            own = mount / path.lstrip("/")
            return [own, *(folder for folder in own.parents if folder.is_relative_to(mount))]
    return [mount]


def _v2_quota(folder: Path) -> float | None:
    quota, _, period = _read(folder / "cpu.max").strip().partition(" ")
    return _share(quota, period)


def _v1_quota(folder: Path) -> float | None:
    quota = _read(folder / "cpu.cfs_quota_us").strip()
    period = _read(folder / "cpu.cfs_period_us").strip()
    return _share(quota, period)


def _share(quota: str, period: str) -> float | None:
    """Quota divided by period; ``None`` for `max`, -1 and anything else that sets no limit."""
    if not (quota.isdigit() and period.isdigit() and int(period)):
        return None
    return int(quota) / int(period)


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
