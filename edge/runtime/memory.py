"""Returns freed memory to the system where the allocator would keep it.

That is how glibc behaves, and only glibc has the functions used here. With another C library they
do nothing.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # glibc's malloc.h
_MADV_DONTNEED = 4  # Linux's mman-common.h

_LARGE_BYTES = 4 << 20
"""Blocks of this many bytes or more go back to the system when they are freed. The buffers of an
everyday frame (640 x 480 has 1.2 MB) are smaller: it is faster to reuse them."""

_TRIM_BYTES = 32 << 20
"""Maximum number of free bytes at the top of a heap. With glibc's default of 128 KiB every frame
returned its buffers and requested them again, which cost 100 page faults and 0.2 ms of CPU for
640 x 480, and 700 page faults and 1.3 ms for 4032 x 3024."""


_ARENAS = 2
"""Heaps that all threads share. By default glibc makes up to eight for each core, as threads meet,
and each keeps the gaps between its small blocks: under broken pictures the service went on growing
by 8 MiB in 80 s, with two arenas by 2. A frame costs the same CPU with one, two or sixteen."""


def limit_free_memory() -> bool:
    """Limit what the allocator keeps of freed memory. Call it before threads start.

    Freed blocks of 4 MiB and more go back to the system at once. By itself glibc raises that limit
    to up to 32 MiB when the first large block is freed, and a worker then kept the 200 MB of one
    50-megapixel image for good. Smaller blocks stay in few arenas.

    Returns:
        Whether the C library supports it.
    """
    c = _glibc()
    if c is None:
        return False
    limits = {
        _M_MMAP_THRESHOLD: _LARGE_BYTES,
        _M_TRIM_THRESHOLD: _TRIM_BYTES,
        _M_ARENA_MAX: _ARENAS,
    }
    taken = [c.mallopt(parameter, value) for parameter, value in limits.items()]
    return all(taken)


def release_free_memory() -> None:
    """Also return the freed pages of smaller blocks. It takes milliseconds: call it when idle.

    After a burst of bodies glibc keeps their pages (100 MiB and more), because a few small blocks
    lie above them.
    """
    c = _glibc()
    if c is not None:
        c.malloc_trim(0)


def release_mapped_file(file: Path) -> None:
    """Release the resident pages of a mapped file. Pages that are used again are read from disk.

    LiteRT maps a TFLite file, and XNNPACK then packs the weights into memory of its own. After the
    first frame the mapped pages (5 MiB for each embedded model) are hardly read.
    """
    c, maps = _glibc(), Path("/proc/self/maps")
    if c is None or not maps.exists():
        return
    name = str(file.resolve())
    for line in maps.read_text("utf-8", "replace").splitlines():
        addresses, permissions, *_ = line.split(" ", 2)
        is_read_only = permissions.startswith("r--")  # releasing its pages loses no changes
        if line.endswith(f" {name}") and is_read_only:
            start, end = (int(address, 16) for address in addresses.split("-"))
            c.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_DONTNEED)


@cache
def _glibc() -> ctypes.CDLL | None:
    try:
        c = ctypes.CDLL(None)
    except (OSError, TypeError):  # Windows
        return None
    return c if hasattr(c, "mallopt") and hasattr(c, "malloc_trim") else None
