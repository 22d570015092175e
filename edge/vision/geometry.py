"""Boxes and regions in relative coordinates.

The origin is top left, x points right, y points down, and 0..1 spans the upright image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Region:
    """The rectangle of the image that a model sees, relative 0..1; by default the whole image."""

    x_min: float = 0.0
    y_min: float = 0.0
    x_max: float = 1.0
    y_max: float = 1.0

    @property
    def width(self) -> float:
        """Width as a share of the image's."""
        return self.x_max - self.x_min

    @property
    def height(self) -> float:
        """Height as a share of the image's."""
        return self.y_max - self.y_min

    def pixels(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom in pixels of an image of that size."""
        return self.x_min * width, self.y_min * height, self.x_max * width, self.y_max * height

    def to_image(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Convert boxes relative to this region to boxes relative to the whole image.

        The boxes are [n, 4]: x_min, y_min, x_max, y_max. They are not clipped: a box that leaves
        the region is still correct on the image.
        """
        scale = np.array([self.width, self.height, self.width, self.height], np.float32)
        offset = np.array([self.x_min, self.y_min, self.x_min, self.y_min], np.float32)
        return boxes * scale + offset


WHOLE_IMAGE = Region()


def centre_square(width: int, height: int, fraction: float) -> Region:
    """Return the centred square with ``fraction`` (0 < fraction <= 1) of the shorter side."""
    side = fraction * min(width, height)
    half_x, half_y = side / width / 2, side / height / 2
    return Region(0.5 - half_x, 0.5 - half_y, 0.5 + half_x, 0.5 + half_y)


def clip_boxes(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Clip boxes [n, 4] to the image; NaN becomes 0.

    Real detectors return coordinates from -0.34 to 1.38.
    """
    return np.clip(np.nan_to_num(boxes, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
