"""Reads this process's cgroup, version 1 or 2: the files that hold a container's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MOUNT = "sys/fs/cgroup"
"""Where both versions are mounted, below the root."""


def own_folders(root: Path, mount: Path, controller: str) -> list[Path]:
    """This process's folder in a hierarchy and its parents; in a container they may not exist.

    Args:
        root: the folder that holds `proc` and `sys`.
        mount: where the hierarchy is mounted.
        controller: of version 1; empty for version 2.
    """
    for line in read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            own = mount / path.lstrip("/")
            return [own, *(folder for folder in own.parents if folder.is_relative_to(mount))]
    return [mount]


def read(file: Path) -> str:
    """The text of a file of the kernel; empty if it cannot be read."""
    try:
        return file.read_text()
    except OSError:
        return ""
