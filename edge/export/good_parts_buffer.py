"""The metadata buffer in which `edge train --good` keeps a model's `GoodParts`.

It is part of the TFLite file, so that no copy of the model loses it, and its digest covers it. All
numbers are little-endian: `HEADER`, then as float32 projection and means, and as float16 the
whitening.
"""

from __future__ import annotations

import math
import struct
from typing import Final

import numpy as np

from edge.export.number_arrays import read_arrays
from edge.model.good_parts import GoodParts

BUFFER_NAME: Final = "edge_good_parts"
HEADER: Final = struct.Struct("<8sIIIIff")
"""Mark with version; height, width, channels and dimensions; typical distance and bound."""

_MARK: Final = b"EDGEGP01"
_MAX_SIDE: Final = 64
_MAX_CHANNELS: Final = 2_048
_MAX_DIMENSIONS: Final = 64
_MAX_NUMBERS: Final = 1 << 21
"""Bounds of what is computed for each frame; `edge train` writes a tenth of these numbers."""


def encode_good_parts(parts: GoodParts) -> bytes:
    """Write the Gaussians; the whitening is rounded to float16."""
    height, width, channels = parts.map_shape
    sizes = (height, width, channels, parts.means.shape[-1])
    return b"".join(
        (
            HEADER.pack(_MARK, *sizes, parts.typical, parts.bound),
            parts.projection.astype("<f4").tobytes(),
            parts.means.astype("<f4").tobytes(),
            parts.whitening.astype("<f2").tobytes(),
        )
    )


def decode_good_parts(content: bytes, map_shape: tuple[int, ...]) -> GoodParts:
    """Read the Gaussians.

    Args:
        map_shape: height, width and channels of the model's output.

    Raises:
        ValueError: damaged, or of another model.
        struct.error: too short.
    """
    mark, height, width, channels, dimensions, typical, bound = HEADER.unpack_from(content)
    if mark != _MARK:
        raise ValueError(f"its {BUFFER_NAME} is of an unknown version")
    places = height * width
    is_bounded = (
        1 <= height <= _MAX_SIDE
        and 1 <= width <= _MAX_SIDE
        and 1 <= channels <= _MAX_CHANNELS
        and 1 <= dimensions <= _MAX_DIMENSIONS
        and places * dimensions * dimensions <= _MAX_NUMBERS
    )
    if not is_bounded or (height, width, channels) != map_shape:
        raise ValueError(f"its {BUFFER_NAME} belongs to another model")
    long = [(channels, dimensions), (height, width, dimensions)]
    short = [(places, dimensions, dimensions)]
    arrays = read_arrays(content, HEADER.size, [("<f4", long), ("<f2", short)], name=BUFFER_NAME)
    is_finite = all(bool(np.isfinite(numbers).all()) for numbers in arrays)
    if not is_finite or not 0 < typical < bound < math.inf:
        raise ValueError(f"its {BUFFER_NAME} holds numbers that cannot be")
    projection, means, whitening = arrays
    return GoodParts(projection, means, whitening, typical, bound)
