"""How good parts look at each place of a picture, and how far a picture is from that.

A feature map has a vector for each place of a grid. At each place the vectors of good parts follow
a Gaussian; Mahalanobis' distance to it says how odd a picture is there. That tells only where the
same place shows the same thing in each picture: aligned parts, not free texture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_STEEPNESS: Final = 1.0986123
"""Half of ln 9: the typical good part has a score of 0.1."""


@dataclass(frozen=True, slots=True, eq=False)
class GoodParts:
    """A Gaussian at each place, and the distance up to which a part is good.

    Attributes:
        projection: float32 [channels, dimensions], from features to the directions that vary.
        means: float32 [height, width, dimensions], projected.
        whitening: float32 [height * width, dimensions, dimensions], rows that turn what differs
            from the mean into independent parts of the distance.
        typical: median distance of good parts that were not fitted, above 0.
        bound: distance up to which a part is good, above ``typical``.
    """

    projection: Floats
    means: Floats
    whitening: Floats
    typical: float
    bound: float

    @property
    def map_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the feature map that is judged."""
        height, width, _ = self.means.shape
        return height, width, len(self.projection)

    def distances(self, features: Floats) -> Floats:
        """Distances float32 [height, width] of a feature map float32 [height, width, channels]."""
        return self.distances_of(project(features, self.projection))

    def distances_of(self, projected: Floats) -> Floats:
        """The same of a map that is projected: float32 [height, width, dimensions]."""
        height, width, dimensions = self.means.shape
        apart = (projected - self.means).reshape(height * width, dimensions, 1)
        parts = np.matmul(self.whitening, apart)[..., 0]
        squares = np.einsum("pd,pd->p", parts, parts) / np.float32(dimensions)
        distances: Floats = np.sqrt(mean_of_neighbours(squares.reshape(height, width, 1)))[..., 0]
        return distances

    def scores(self, distances: Floats) -> Floats:
        """Scores 0..1 of distances: 0.1 at ``typical``, 0.5 at ``bound``, 0.9 as far beyond it."""
        beyond = (distances - np.float32(self.bound)) / np.float32(self.bound - self.typical)
        scores: Floats = (1 + np.tanh(np.float32(_STEEPNESS) * beyond)) / 2
        return scores.astype(np.float32)


def project(features: Floats, projection: Floats) -> Floats:
    """Project a map float32 [height, width, channels] and let each place see its neighbours."""
    return mean_of_neighbours(features @ projection)


def mean_of_neighbours(grid: Floats) -> Floats:
    """Mean of each place and its eight neighbours; float32 [height, width, n].

    The grid is continued by its edge. A part is never at exactly the same place.
    """
    padded = np.pad(grid, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    total = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    mean: Floats = total / np.float32(9)
    return mean
