"""Keeps memory from staying with the process after what it was needed for is done. Only glibc is so, and told so."""

from __future__ import annotations

import ctypes

_M_MMAP_THRESHOLD = -3  # glibc's malloc.h
_LARGE = 4 << 20
"""Bytes from which a block goes back to the system when it is freed. Below it lie the buffers of an everyday frame
(640 x 480 has 1.2 MB), which are faster to use again than to ask for: with 128 KiB a frame took 20 % more CPU."""


def return_large_blocks() -> bool:
    """Let freed blocks of 4 MiB and more go back to the system at once; whether the C library can be told so.

    glibc raises that limit by itself to 32 MiB with the first large block freed, after which a worker kept the 200 MB
    of one 50-megapixel image for good. Other C libraries have no such habit.
    """
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE))
    except (AttributeError, OSError, TypeError):
        return False


def release_free_memory() -> bool:
    """Give pages back that hold nothing but freed small blocks, in milliseconds; whether there were any.

    After a burst of requests their bodies' pages (100 MiB and more) stay, since a few blocks in use lie above them.
    """
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError, TypeError):
        return False
