"""Cuts images into strips of whole rows, for conversions that need copies of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_STRIP_PIXELS = 1 << 16
"""Their copies stay in the processor's cache."""


def strip_rows(width: int, height: int) -> Iterator[tuple[int, int]]:
    """The first row of each strip, and the one after its last."""
    rows = max(_STRIP_PIXELS // max(width, 1), 1)
    for top in range(0, height, rows):
        yield top, min(top + rows, height)
