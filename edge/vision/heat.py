"""Lays a heat map over a picture: what is odd glows, the rest stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.vision.geometry import Region

_COLOUR: Final = (255, 40, 0)
_FAINTEST: Final = 0.3
"""Score from which on a place begins to glow; the typical good part has 0.1."""

_STRONGEST: Final = 0.65  # of the colour, so that what is odd can still be seen


def lay_heat(picture: Image.Image, scores: NDArray[np.float32], region: Region) -> None:
    """Blend a colour into an RGB picture, the stronger the higher the score.

    Args:
        scores: float32 [rows, columns], 0..1, a grid over ``region``.
        region: the part of the picture that was judged.
    """
    glow = np.clip((scores - _FAINTEST) / (1 - _FAINTEST), 0, 1) * _STRONGEST
    left, top, right, bottom = (round(edge) for edge in region.pixels(*picture.size))
    size = max(right - left, 1), max(bottom - top, 1)
    # A broken model's NaN does not glow.
    small = Image.fromarray((np.nan_to_num(glow) * 255).astype(np.uint8))
    picture.paste(_COLOUR, (left, top), small.resize(size, Image.Resampling.BICUBIC))
