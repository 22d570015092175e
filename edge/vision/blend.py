"""Lays transparent pixels on a white page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def on_white(
    colours: NDArray[np.uint8], alpha: NDArray[np.uint8], *, premultiplied: bool = False
) -> NDArray[np.uint8]:
    """Blend with white.

    Args:
        colours: shape ``(..., channels)``, 0..255.
        alpha: shape ``(...)``, 0 transparent to 255 opaque.
        premultiplied: whether the colours are already multiplied by alpha.
    """
    opacity = alpha.astype(np.uint16)[..., None]
    page = 255 - opacity
    if premultiplied:
        summed: NDArray[np.uint16] = np.minimum(colours + page, 255)
    else:
        summed = (colours * opacity + page * 255 + 127) // 255
    return summed.astype(np.uint8)
