"""Gives memory that was freed back to the system, where the allocator would keep it."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def release_free_memory() -> None:
    """Return freed pages to the system; takes milliseconds. Does nothing where the C library is not glibc.

    After a burst of large bodies glibc keeps their pages (100 MiB and more), since a few small blocks lie above them.
    """
    if trim := _malloc_trim():
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return None
