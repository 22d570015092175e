"""How much memory this process may use: its cgroup's limit, or the machine's memory."""

from __future__ import annotations

import re
from pathlib import Path

from edge.runtime.cgroup import MOUNT, own_folders, read

_LIMIT = re.compile(r"\d{1,19}")
_TOTAL = re.compile(r"^MemTotal:\s+(\d+) kB$", re.MULTILINE)
_HIERARCHICAL = re.compile(r"^hierarchical_memory_limit (\d{1,19})$", re.MULTILINE)


def memory_limit(root: Path = Path("/")) -> int | None:
    """The smallest limit from this process's cgroup, v2 or v1, up to the root; in bytes.

    Args:
        root: the folder that holds `proc` and `sys`; another one than `/` is for tests.

    Returns:
        ``None`` if there is no limit. `max` is none, nor is a limit above the machine's memory:
        version 1 writes a number of 19 digits where nothing was set.
    """
    mount = root / MOUNT
    texts = [read(folder / "memory.max") for folder in own_folders(root, mount, "")]
    for folder in own_folders(root, mount / "memory", "memory"):
        texts.append(read(folder / "memory.limit_in_bytes"))
        # Of groups above a container's root, which it cannot see.
        texts += _HIERARCHICAL.findall(read(folder / "memory.stat"))
    limits = [int(text) for text in texts if _LIMIT.fullmatch(text.strip())]
    smallest = min(limits, default=None)
    total = machine_memory(root)
    if smallest is None or (total is not None and smallest >= total):
        return None
    return smallest


def machine_memory(root: Path = Path("/")) -> int | None:
    """Bytes of the machine's memory; ``None`` where `/proc` does not say."""
    found = _TOTAL.search(read(root / "proc/meminfo"))
    return int(found[1]) * 1024 if found else None
