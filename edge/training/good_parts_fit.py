"""Fits `GoodParts`, and from parts that were not fitted how far a good one may be."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from edge.model.good_parts import GoodParts, project

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.model.contract import Quantization

    Floats = NDArray[np.float32]

KEPT: Final = 0.98
"""Share of good parts that should pass: one false alarm in 50."""

MIN_PICTURES: Final = 20
"""Fewer do not tell what varies from part to part."""

MAX_PICTURES: Final = 2_000
"""More are thinned out evenly: their maps take 100 MB, and more changed nothing."""

ENOUGH_FOR_RATE: Final = math.ceil(KEPT / (1 - KEPT))
"""Pictures from which on one in 50 can be told; of fewer the bound is the farthest's distance."""

MIN_ALIGNMENT: Final = 0.25
"""Below it the pictures look like free texture, on which faults were found by chance only."""

MAX_DRIFT: Final = 0.1
"""Above it the pictures change along the folder. Five times the false alarms that are allowed."""

_DIMENSIONS: Final = 32
"""Of the 112 channels' main directions. 64 and 112 told good from bad no better."""

_PRIOR_PICTURES: Final = 20
"""So many pictures the covariance of all places counts at each place."""

_RIDGE: Final = 0.01  # of the mean variance
_FLOOR: Final = 1e-3  # variance of rounding to int8
_FOLDS: Final = 5


@dataclass(frozen=True, slots=True)
class GoodPartsFit:
    """What was fitted.

    Attributes:
        parts: the model.
        drift: of pictures that are held out with a fifth of the folder, their neighbours, the share
            that lies beyond the bound, 0..1. Far more than the false alarms that the bound allows
            means that the pictures change from the folder's begin to its end.
    """

    parts: GoodParts
    drift: float


def fit_good_parts(maps: NDArray[np.int8], quantization: Quantization) -> GoodPartsFit:
    """Fit to the maps of good parts, int8 [pictures, height, width, channels].

    The bound comes from parts that are held out, every fifth one: kinds of parts and hours of the
    day that are among the pictures are to pass. Holding out neighbours together, as the pictures of
    a kind often are, gave a bound on solar cells beyond which not one of 300 faults lay.

    Raises:
        ValueError: fewer than `MIN_PICTURES`.
    """
    count = len(maps)
    if count < MIN_PICTURES:
        raise ValueError(f"{count} pictures are fewer than {MIN_PICTURES}")
    projection = _main_directions(maps, quantization)
    projected = np.stack([project(_real(one, quantization), projection) for one in maps])
    numbers = np.arange(count)
    ordered = np.sort(_held_out_distances(projected, projection, numbers % _FOLDS))
    rank = min(math.ceil((count + 1) * KEPT), count)
    typical = max(float(np.median(ordered)), 1e-3)
    # The bound is above what is typical even if all pictures are the same.
    bound = max(float(ordered[rank - 1]), 1.05 * typical)
    parts = replace(_fit(projected, projection), typical=typical, bound=bound)
    apart = _held_out_distances(projected, projection, numbers * _FOLDS // count)
    return GoodPartsFit(parts, drift=float((apart > bound).mean()))


def _held_out_distances(projected: Floats, projection: Floats, folds: NDArray[np.intp]) -> Floats:
    """How far each part is, at its oddest place, from what was fitted without its fold.

    Args:
        folds: number of each picture's fold, int [pictures].

    Returns:
        float32 [pictures].
    """
    farthest = np.empty(len(projected), np.float32)
    for fold in range(_FOLDS):
        fitted = _fit(projected[folds != fold], projection)
        for number in np.flatnonzero(folds == fold):
            farthest[number] = fitted.distances_of(projected[number]).max()
    return farthest


def alignment(maps: NDArray[np.int8], quantization: Quantization) -> float:
    """How much each place shows the same in all pictures, 0..1.

    Of all that varies, the share by which places differ from each other rather than pictures at a
    place. For drawn parts it was 0.9, for solar cells 0.45 to 0.7, for bricks, grass and gravel at
    most 0.13.
    """
    count = len(maps)
    total = np.zeros(maps.shape[1:], np.float64)
    squares = np.zeros(maps.shape[1:], np.float64)
    for one in maps:
        features = _real(one, quantization)
        total += features
        squares += features * features
    means = total / count
    within = float((squares / count - means * means).sum(axis=-1).mean())
    # Means of few pictures differ by chance as well.
    between = float(means.var(axis=(0, 1)).sum()) - within / count
    return max(between, 0.0) / max(between + within, 1e-9)


def _real(stored: NDArray[np.int8], quantization: Quantization) -> Floats:
    numbers = stored.astype(np.float32) - np.float32(quantization.zero_point)
    return numbers * np.float32(quantization.scale)


def _main_directions(maps: NDArray[np.int8], quantization: Quantization) -> Floats:
    """Channels' directions that vary most from part to part: float32 [channels, dimensions]."""
    channels = maps.shape[-1]
    identity = np.eye(channels, dtype=np.float32)
    total = np.zeros(maps.shape[1:], np.float32)
    squares = np.zeros((channels, channels), np.float32)
    for one in maps:
        total += project(_real(one, quantization), identity)
    mean = total / np.float32(len(maps))
    for one in maps:
        apart = (project(_real(one, quantization), identity) - mean).reshape(-1, channels)
        squares += apart.T @ apart
    _, vectors = np.linalg.eigh(squares.astype(np.float64))
    dimensions = min(_DIMENSIONS, channels)
    return np.ascontiguousarray(vectors[:, ::-1][:, :dimensions], np.float32)


def _fit(projected: Floats, projection: Floats) -> GoodParts:
    """Everything but the distances, from float32 [pictures, height, width, dimensions]."""
    count, height, width, dimensions = projected.shape
    means = projected.mean(axis=0)
    apart = (projected - means).reshape(count, height * width, dimensions).transpose(1, 0, 2)
    own = apart.transpose(0, 2, 1) @ apart / np.float32(count)
    shared = own.mean(axis=0)
    weight = np.float32(_PRIOR_PICTURES / (_PRIOR_PICTURES + count))
    ridge = _RIDGE * float(np.trace(shared)) / dimensions + _FLOOR
    covariance = (1 - weight) * own + weight * shared
    covariance += np.float32(ridge) * np.eye(dimensions, dtype=np.float32)
    factors = np.linalg.cholesky(covariance.astype(np.float64))
    whitening = np.linalg.inv(factors).astype(np.float16).astype(np.float32)
    return GoodParts(projection, means.astype(np.float32), whitening, typical=1.0, bound=2.0)
