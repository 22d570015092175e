"""How many CPUs this process may use: the container's quota counts, not the machine's cores."""

from __future__ import annotations

import math
import os
from pathlib import Path


def usable_cpus(root: Path = Path("/")) -> int:
    """CPUs of the affinity mask, less where a cgroup (v2, then v1) sets a lower quota; at least 1.

    Args:
        root: where `/proc` and `/sys` are found, for tests.
    """
    mask = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(root)
    return max(1, mask if quota is None else min(mask, math.ceil(quota)))


def _quota(root: Path) -> float | None:
    """The lowest quota, in CPUs, from this process's cgroup up to the root of the hierarchy."""
    quotas = [_v2_quota(folder) for folder in _folders(root, root / "sys/fs/cgroup", "")]
    for mount in ("cpu", "cpu,cpuacct"):
        quotas += [
            _v1_quota(folder) for folder in _folders(root, root / "sys/fs/cgroup" / mount, "cpu")
        ]
    return min((quota for quota in quotas if quota is not None), default=None)


def _folders(root: Path, mount: Path, controller: str) -> list[Path]:
    """This process's folder in a hierarchy and those above it. Inside a container the path may not exist."""
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
    quota, period = (
        _read(folder / "cpu.cfs_quota_us").strip(),
        _read(folder / "cpu.cfs_period_us").strip(),
    )
    return _share(quota, period)


def _share(quota: str, period: str) -> float | None:
    """Quota by period; ``None`` for `max`, -1 and whatever else is no quota."""
    return (
        int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None
    )


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
