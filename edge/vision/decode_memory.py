"""The memory that pictures may take while they are decoded, in the whole process.

One budget for all: workers, the wall's thumbnails and uploads decode in the same process. What a
picture costs is known from its header (`edge.vision.cost`). One that can never fit is refused; one
that does not fit now waits, on the thread that would decode it.
"""

from __future__ import annotations

import threading
import time
import weakref

from edge.errors import ImageTooLarge, OutOfMemory

DEFAULT_BYTES = 512 << 20
"""Enough for 50 megapixels in any format but WebP, which takes 16 bytes a pixel; for 19 megapixels
that TensorFlow decodes; and for a lossless WebP of 2 megapixels and 1.5 MB."""

SMALL_BYTES = 16 << 20
"""Pictures below it (2 megapixels of RGB turned upright) never wait and are not counted: there is
one for each worker at most, and a camera does not wait for a stranger's large picture."""

_SMALL_SHARE = 4
"""Small pictures of all workers take at most a fourth of the budget, in addition to it."""

MAX_WAIT_S = 2.0
"""Seconds that a picture without a deadline waits for the memory of others, on the wall or before
an upload: the longest decode takes one or two. A frame waits until its deadline."""

_MAX_SLEEP_S = 60.0  # of one wait on the condition, which takes no infinite deadline


class DecodeMemory:
    """Bytes that may be taken at the same time. Thread-safe.

    Attributes:
        max_bytes: the budget.
        small_bytes: pictures that take no more are not counted.
    """

    def __init__(self, max_bytes: int = DEFAULT_BYTES) -> None:
        self.max_bytes = max_bytes
        self.small_bytes = SMALL_BYTES
        self._taken = 0
        self._freed = threading.Condition()

    def __repr__(self) -> str:
        return f"<DecodeMemory {self._taken:,}/{self.max_bytes:,} bytes>"

    @property
    def taken(self) -> int:
        """Bytes that are taken now."""
        return self._taken

    def limit(self, max_bytes: int, workers: int) -> None:
        """Set the budget, for a number of workers that decode at the same time."""
        self.max_bytes = max_bytes
        self.small_bytes = min(SMALL_BYTES, max_bytes // (_SMALL_SHARE * workers))

    def take(self, size: int, *, deadline: float | None = None) -> Lease:
        """Take that many bytes, as soon as they are free.

        Args:
            size: bytes.
            deadline: on the clock of `time.monotonic`; in `MAX_WAIT_S` if ``None``.

        Raises:
            ImageTooLarge: more than the budget.
            OutOfMemory: they were not free before the deadline.
        """
        if size > self.max_bytes:
            raise ImageTooLarge(
                f"Decoding the image takes up to {_mib(size)} MiB of memory; the limit is "
                f"{_mib(self.max_bytes)}. Send a smaller one, or as a baseline JPEG."
            )
        if size <= self.small_bytes:
            return Lease(self, 0)
        end = time.monotonic() + MAX_WAIT_S if deadline is None else deadline
        with self._freed:
            while self._taken + size > self.max_bytes:
                left = end - time.monotonic()
                if left <= 0:
                    raise OutOfMemory(
                        f"Decoding the image takes up to {_mib(size)} MiB of memory; other images "
                        f"hold {_mib(self._taken)} of {_mib(self.max_bytes)} now. "
                        "Try again in a moment."
                    )
                self._freed.wait(min(left, _MAX_SLEEP_S))
            self._taken += size
        return Lease(self, size)

    def give_back(self, size: int) -> None:
        """Return bytes that were taken."""
        with self._freed:
            self._taken -= size
            self._freed.notify_all()


class Lease:
    """Bytes that were taken, until they are given back."""

    __slots__ = ("_memory", "_size")

    def __init__(self, memory: DecodeMemory, size: int) -> None:
        self._memory = memory
        self._size = size

    def shrink(self, size: int) -> None:
        """Give back all but ``size`` bytes."""
        if size < self._size:
            surplus, self._size = self._size - size, size
            self._memory.give_back(surplus)

    def end_with(self, holder: object) -> None:
        """Give everything back when ``holder`` is deleted."""
        if self._size:
            weakref.finalize(holder, self.end)

    def end(self) -> None:
        """Give everything back."""
        self.shrink(0)


def _mib(size: int) -> int:
    return -(-size // (1 << 20))


decode_memory = DecodeMemory()
"""The process's own."""
