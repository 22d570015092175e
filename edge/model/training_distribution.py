"""Where a model's training pictures lie among all features, and whether a picture lies there too.

A classifier always picks a label; for a picture unlike all that it was trained on, with any score.
Its features tell: they are farther from every label's pictures than those are from each other.

Distances are Mahalanobis': within a subspace of a few dozen dimensions by how the pictures of a
label vary there, and outside of it by one variance for all other dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class TrainingDistribution:
    """A bound on the distance of features for each group of pictures: a label's, or all.

    Attributes:
        mean: float32 [features], of all training pictures.
        basis: float32 [dimensions, features], orthonormal rows that span the subspace.
        whitening: float32 [dimensions, dimensions], by which coordinates become distances.
        centres: float32 [groups, dimensions], the whitened coordinates of each group.
        rest: variance of each dimension outside of the subspace, above 0.
        bounds: float32 [groups], the distance up to which a picture may belong to a group.
    """

    mean: NDArray[np.float32]
    basis: NDArray[np.float32]
    whitening: NDArray[np.float32]
    centres: NDArray[np.float32]
    rest: float
    bounds: NDArray[np.float32]

    def is_unlike(self, features: NDArray[np.float32]) -> bool:
        """Whether a picture's features, float32 [features], are beyond the bound of every group."""
        distances = self.distances(features.reshape(1, -1))[0]
        # Not `all(distances > bounds)`: the NaN of a broken model is unlike as well.
        return not bool((distances <= self.bounds).any())

    def distances(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Distances float32 [pictures, groups] of features float32 [pictures, features]."""
        centred = features - self.mean
        inside = centred @ self.basis.T
        outside = np.einsum("ij,ij->i", centred, centred) - np.einsum("ij,ij->i", inside, inside)
        apart = (inside @ self.whitening.T)[:, np.newaxis] - self.centres
        squares = np.einsum("ijk,ijk->ij", apart, apart)
        squares += np.maximum(outside, 0)[:, np.newaxis] / np.float32(self.rest)
        distances: NDArray[np.float32] = np.sqrt(squares)
        return distances
