"""Gives memory that was freed back to the system, where the allocator would keep it.

Only glibc keeps it so, and only glibc has the functions called here; with another C library they do nothing.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_MADV_DONTNEED = 4  # Linux's mman-common.h

_LARGE = 4 << 20
"""Bytes from which a block goes back to the system when it is freed. Below it lie the buffers of an everyday frame
(640 x 480 has 1.2 MB), which are faster to use again than to ask for."""

_KEPT = 32 << 20
"""Bytes that may lie free at the top of a heap. With glibc's 128 KiB every frame returned its buffers and asked for
them again: 100 page faults and 0.2 ms of CPU for 640 x 480, 700 and 1.3 ms for 4032 x 3024."""


def return_large_blocks() -> bool:
    """Let freed blocks of 4 MiB and more go back to the system at once; whether the C library can be told so.

    glibc raises that limit by itself to 32 MiB with the first large block freed, after which a worker kept the 200 MB
    of one 50-megapixel image for good.
    """
    c = _glibc()
    return c is not None and bool(
        c.mallopt(_M_MMAP_THRESHOLD, _LARGE) and c.mallopt(_M_TRIM_THRESHOLD, _KEPT)
    )


def release_free_memory() -> None:
    """Return the freed pages of smaller blocks, too; takes milliseconds, so that it is for an idle moment.

    After a burst of bodies glibc keeps their pages (100 MiB and more), since a few small blocks lie above them.
    """
    c = _glibc()
    if c is not None:
        c.malloc_trim(0)


def release_mapped_file(file: Path) -> None:
    """Let go of the resident pages of a file that this process has mapped; what is still used is read in again.

    A TFLite file is mapped, and its weights are packed anew by XNNPACK: after the first frame the mapped pages (5 MiB
    for each embedded model) are hardly looked at.
    """
    c, maps = _glibc(), Path("/proc/self/maps")
    if c is None or not maps.exists():
        return
    name = str(file.resolve())
    for line in maps.read_text("utf-8", "replace").splitlines():
        addresses, permissions, *_ = line.split(" ", 2)
        if line.endswith(f" {name}") and permissions.startswith(
            "r--"
        ):  # nothing was written that could be lost
            start, end = (int(address, 16) for address in addresses.split("-"))
            c.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_DONTNEED)


@cache
def _glibc() -> ctypes.CDLL | None:
    try:
        c = ctypes.CDLL(None)
    except (OSError, TypeError):  # Windows
        return None
    return c if hasattr(c, "mallopt") and hasattr(c, "malloc_trim") else None
