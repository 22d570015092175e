"""Checks boxes, the same in all layouts."""

from __future__ import annotations

import math
from typing import Any, Final

from edge.datasets.reading import BadEntry

_TOLERANCE: Final = 0.01
"""By how much a side may stand outside of the picture: tools round, and count pixels from 0 or 1.
Such a box is cut at the edge; one that stands out further belongs to another picture."""


def number(value: Any, what: str) -> float:
    """Return a finite number of JSON or of text.

    Raises:
        BadEntry: it is none.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number and not isinstance(value, str):
        raise BadEntry(f"{what} must be a number.")
    try:
        result = float(value)
    except (ValueError, OverflowError):
        result = math.nan
    if not math.isfinite(result):
        raise BadEntry(f"{what} must be a number, not {str(value)[:20]!a}.")
    return result


def checked_box(
    x_min: float, y_min: float, x_max: float, y_max: float
) -> tuple[float, float, float, float]:
    """Return the box, cut at the picture's edges.

    Args:
        x_min: and the others: relative to the picture, 0..1.

    Raises:
        BadEntry: it stands out of the picture, or has no area.
    """
    sides = (x_min, y_min, x_max, y_max)
    if min(sides) < -_TOLERANCE or max(sides) > 1 + _TOLERANCE:
        shown = ", ".join(f"{side:.4g}" for side in sides)
        raise BadEntry(
            f"The box ({shown}) stands out of the picture: its sides must be 0 to 1, relative to "
            "width and height."
        )
    left, top, right, bottom = (min(max(side, 0.0), 1.0) for side in sides)
    if left >= right or top >= bottom:
        shown = ", ".join(f"{side:.4g}" for side in sides)
        raise BadEntry(f"The box ({shown}) has no area: give x_min, y_min, x_max, y_max.")
    return left, top, right, bottom
