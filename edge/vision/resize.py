"""Resizes a region of a frame to the size of a model's input, with one of several kernels."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.vision.frame import Frame
    from edge.vision.geometry import Region


class Kernel(StrEnum):
    """How a region is resized."""

    BILINEAR = "bilinear"
    """Pillow's. Antialiased: the triangle filter widens with the reduction."""
    BICUBIC = "bicubic"
    """Pillow's. Antialiased, and sharper."""
    LANCZOS = "lanczos"
    """Pillow's. Antialiased, and the sharpest."""
    TENSORFLOW = "tensorflow"
    """`tf.image.resize`: four neighbours at half-pixel centres whatever the reduction; aliased."""
    TENSORFLOW_V1 = "tensorflow_v1"
    """`tf.compat.v1.image.resize_bilinear`: as above, but without the half-pixel shift.

    AutoML's own graphs use it."""

    @property
    def antialiased(self) -> bool:
        """Whether a JPEG decoded at a reduced scale gives nearly the same result."""
        return self in _PILLOW


_PILLOW = {
    Kernel.BILINEAR: Image.Resampling.BILINEAR,
    Kernel.BICUBIC: Image.Resampling.BICUBIC,
    Kernel.LANCZOS: Image.Resampling.LANCZOS,
}


def resample(
    frame: Frame, region: Region, width: int, height: int, kernel: Kernel
) -> NDArray[np.uint8]:
    """Stretch a region of the frame to uint8 RGB [height, width, 3], 0..255."""
    box = region.pixels(*frame.pixels.size)
    if kernel in _PILLOW:
        return np.asarray(frame.pixels.resize((width, height), _PILLOW[kernel], box))
    left, top, right, bottom = (round(edge) for edge in box)
    # A crop narrower than a pixel still shows that pixel.
    left, top = min(left, frame.pixels.width - 1), min(top, frame.pixels.height - 1)
    cropped = frame.pixels.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
    half_pixel = 0.5 if kernel is Kernel.TENSORFLOW else 0.0
    return _four_neighbours(np.asarray(cropped), width, height, half_pixel)


def _four_neighbours(
    image: NDArray[np.uint8], width: int, height: int, half_pixel: float
) -> NDArray[np.uint8]:
    """Resize bilinearly without antialiasing.

    Output pixel i samples at (i + h) * scale - h, where h is the half-pixel shift, 0.5 or 0.
    """
    top, bottom, down = _neighbours(image.shape[0], height, half_pixel)
    left, right, across = _neighbours(image.shape[1], width, half_pixel)
    # Only the rows that are sampled become floats: all of them would take 12 bytes a pixel.
    above, below = image[top].astype(np.float32), image[bottom].astype(np.float32)
    rows = above + (below - above) * down[:, None, None]
    mixed = rows[:, left] + (rows[:, right] - rows[:, left]) * across[None, :, None]
    pixels: NDArray[np.uint8] = np.rint(mixed).clip(0, 255).astype(np.uint8)
    return pixels


def _neighbours(
    old: int, new: int, half_pixel: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    position = (np.arange(new) + half_pixel) * (old / new) - half_pixel
    floor = np.floor(position)
    before = np.clip(floor, 0, old - 1).astype(np.intp)
    after = np.clip(floor + 1, 0, old - 1).astype(np.intp)
    return before, after, (position - floor).astype(np.float32)
