"""The metadata buffer in which `edge train` keeps a model's `TrainingDistribution`.

It is part of the TFLite file, so that no copy of the model loses it, and its digest covers it. All
other programs pass over it. All numbers are little-endian: `HEADER`, then as float16 mean and
basis, and as float32 whitening, centres, bounds and the rest's variance.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np

from edge.export.number_arrays import read_arrays
from edge.model.training_distribution import TrainingDistribution

BUFFER_NAME: Final = "edge_training_distribution"
HEADER: Final = struct.Struct("<8sIII")
"""Mark with version, and the numbers of features, dimensions and groups."""

_MARK: Final = b"EDGETD01"
_MAX_FEATURES: Final = 1 << 14
_MAX_DIMENSIONS: Final = 256
_MAX_GROUPS: Final = 5_000
"""Bounds of what is computed for each frame; `edge train` stays far below them."""


def encode_distribution(distribution: TrainingDistribution) -> bytes:
    """Write a distribution; mean and basis are rounded to float16."""
    dimensions, features = distribution.basis.shape
    header = HEADER.pack(_MARK, features, dimensions, len(distribution.bounds))
    short = (distribution.mean, distribution.basis)
    rest = np.array([distribution.rest], np.float32)
    long = (distribution.whitening, distribution.centres, distribution.bounds, rest)
    return b"".join(
        (
            header,
            *(numbers.astype("<f2").tobytes() for numbers in short),
            *(numbers.astype("<f4").tobytes() for numbers in long),
        )
    )


def decode_distribution(content: bytes, features: int) -> TrainingDistribution:
    """Read a distribution.

    Args:
        features: how many the model has.

    Raises:
        ValueError: damaged, or of another model.
        struct.error: too short.
    """
    mark, stated, dimensions, groups = HEADER.unpack_from(content)
    if mark != _MARK:
        raise ValueError(f"its {BUFFER_NAME} is of an unknown version")
    is_bounded = stated <= _MAX_FEATURES and dimensions <= _MAX_DIMENSIONS
    if stated != features or not is_bounded or not 1 <= groups <= _MAX_GROUPS:
        raise ValueError(f"its {BUFFER_NAME} belongs to another model")
    short = [(features,), (dimensions, features)]
    long = [(dimensions, dimensions), (groups, dimensions), (groups,), (1,)]
    arrays = read_arrays(content, HEADER.size, [("<f2", short), ("<f4", long)], name=BUFFER_NAME)
    mean, basis, whitening, centres, bounds, rest = arrays
    is_finite = all(bool(np.isfinite(numbers).all()) for numbers in arrays)
    if not is_finite or not rest[0] > 0:
        raise ValueError(f"its {BUFFER_NAME} holds numbers that are none")
    return TrainingDistribution(mean, basis, whitening, centres, float(rest[0]), bounds)
