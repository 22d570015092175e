"""Reads the arrays that follow the header of a metadata buffer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Layout = Sequence[tuple[str, Sequence[tuple[int, ...]]]]


def read_arrays(
    content: bytes, start: int, layout: Layout, *, name: str
) -> list[NDArray[np.float32]]:
    """Read arrays that lie one after the other, up to the buffer's end.

    Args:
        start: bytes of the header.
        layout: NumPy's dtype of some arrays, and the shape of each of them.
        name: of the buffer, for messages.

    Raises:
        ValueError: it has more or fewer bytes.
    """
    wanted = start + sum(
        np.dtype(dtype).itemsize * math.prod(shape) for dtype, shapes in layout for shape in shapes
    )
    if len(content) != wanted:
        raise ValueError(f"its {name} has {len(content)} bytes instead of {wanted}")
    arrays: list[NDArray[np.float32]] = []
    for dtype, shapes in layout:
        for shape in shapes:
            numbers = np.frombuffer(content, dtype, math.prod(shape), start)
            start += numbers.nbytes
            arrays.append(numbers.astype(np.float32).reshape(shape))
    return arrays
