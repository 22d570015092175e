"""A frame to the tensor a model takes, and where on the image that tensor lies."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from edge.model.contract import ChannelOrder, Layout, PixelInput, Resize, Tuning
from edge.vision.geometry import WHOLE_IMAGE, Region, centre_square
from edge.vision.resize import resample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.vision.frame import Frame

ENOUGH_FACTOR = 2
"""JPEG is decoded at the scale that keeps this many times the model's input: moves pixels by less than one level of 255
on average, and scores by 0.011 at most, to which quantisation adds up to 0.05."""


def enough_pixels(spec: PixelInput, tuning: Tuning) -> int | None:
    """Pixels that each side of a decoded image must keep; ``None`` where the kernel wants an exact decode."""
    if not tuning.kernel.antialiased:
        return None
    seen = tuning.crop_fraction if tuning.resize is Resize.CENTER_CROP else 1.0
    return math.ceil(ENOUGH_FACTOR * max(spec.width, spec.height) / seen)


def preprocess(
    frame: Frame,
    spec: PixelInput,
    tuning: Tuning,
) -> tuple[NDArray[np.generic], Region]:
    """The tensor, in ``spec``'s dtype and shape without the batch, and the region that it shows."""
    region = WHOLE_IMAGE
    if tuning.resize is Resize.CENTER_CROP:
        region = centre_square(frame.width, frame.height, tuning.crop_fraction)
    pixels = resample(frame, region, spec.width, spec.height, tuning.kernel)
    return to_tensor(pixels, spec), region


def to_tensor(pixels: NDArray[np.uint8], spec: PixelInput) -> NDArray[np.generic]:
    """RGB bytes [height, width, 3] in the channel order, dtype and layout of the input."""
    if spec.channel_order is ChannelOrder.BGR:
        pixels = np.ascontiguousarray(pixels[:, :, ::-1])
    stored = to_dtype(pixels, spec)
    if spec.layout is Layout.NCHW:
        return np.ascontiguousarray(stored.transpose(2, 0, 1))
    return stored


def to_dtype(pixels: NDArray[np.uint8], spec: PixelInput) -> NDArray[np.generic]:
    """Bytes 0..255 as the input's dtype stores them.

    A uint8 input takes them raw: any normalisation in the metadata is folded into its quantisation.
    An int8 input is the same model shifted by 128.
    """
    if spec.dtype == "uint8":
        return pixels
    if spec.dtype == "int8":
        return (pixels ^ 0x80).view(np.int8)
    mean = np.array(spec.normalization.mean, np.float32)
    std = np.array(spec.normalization.std, np.float32)
    return (pixels.astype(np.float32) - mean) / std
