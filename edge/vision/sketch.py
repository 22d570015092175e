"""A picture in miniature, to compare it with others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.vision.frame import Frame

SKETCH_SIDE: Final = 32


def sketch(frame: Frame) -> NDArray[np.uint8]:
    """The upright picture, stretched: uint8 RGB [`SKETCH_SIDE`, `SKETCH_SIDE`, 3], 0..255."""
    small = frame.pixels.resize((SKETCH_SIDE, SKETCH_SIDE), Image.Resampling.BILINEAR)
    return np.asarray(small)
