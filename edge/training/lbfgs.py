"""Minimises a smooth function of many numbers: L-BFGS (Nocedal and Wright, algorithm 7.4)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Function = Callable[[Floats], tuple[float, Floats]]

_MAX_HISTORY: Final = 10
_MIN_HISTORY: Final = 3
_HISTORY_BYTES: Final = 64 << 20
"""Of the steps remembered; a head of 1,000 labels and 1,280 features takes 5 MB twice a step."""

_MAX_HALVINGS: Final = 20
_SUFFICIENT: Final = 1e-4  # of the decrease that the slope promises
_MIN_PROGRESS: Final = 1e-5  # of the value, in `_PATIENCE` steps
_PATIENCE: Final = 5


def minimise(function: Function, start: Floats, max_steps: int) -> Floats:
    """Return where the function is about least.

    Args:
        function: a value and its gradient, float32 of the same shape, at a point.
        start: float32 [numbers].
        max_steps: each calls the function once, or a few times where a step is too long.
    """
    history = int(np.clip(_HISTORY_BYTES // (2 * start.nbytes), _MIN_HISTORY, _MAX_HISTORY))
    steps: deque[tuple[Floats, Floats]] = deque(maxlen=history)
    point = start
    value, gradient = function(point)
    values = [value]
    for _ in range(max_steps):
        direction = _direction(gradient, steps)
        slope = float(np.vdot(direction, gradient))
        if slope >= 0:  # rounding has spoilt the history
            steps.clear()
            direction, slope = -gradient, -float(np.vdot(gradient, gradient))
        length = 1.0 if steps else 1 / max(float(np.linalg.norm(gradient)), 1e-12)
        for _ in range(_MAX_HALVINGS):
            new_point = point + np.float32(length) * direction
            new_value, new_gradient = function(new_point)
            if new_value <= value + _SUFFICIENT * length * slope:
                break
            length /= 2
        else:
            return point
        step, change = new_point - point, new_gradient - gradient
        if float(np.vdot(step, change)) > 0:
            steps.append((step, change))
        point, value, gradient = new_point, new_value, new_gradient
        values.append(value)
        is_flat = len(values) > _PATIENCE and (
            values[-1 - _PATIENCE] - value <= _MIN_PROGRESS * abs(value)
        )
        if is_flat:
            return point
    return point


def _direction(gradient: Floats, steps: deque[tuple[Floats, Floats]]) -> Floats:
    """Downhill, by the curvature that the last steps have shown."""
    direction = -gradient
    shares = []
    for step, change in reversed(steps):
        share = float(np.vdot(step, direction)) / float(np.vdot(step, change))
        direction = direction - np.float32(share) * change
        shares.append(share)
    if steps:
        step, change = steps[-1]
        direction = direction * np.float32(np.vdot(step, change) / np.vdot(change, change))
    for (step, change), share in zip(steps, reversed(shares), strict=True):
        back = float(np.vdot(change, direction)) / float(np.vdot(step, change))
        direction = direction + np.float32(share - back) * step
    return direction
