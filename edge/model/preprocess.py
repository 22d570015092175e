"""Turns a frame into the tensor that a model takes, and says which region of the image it shows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from edge.model.contract import ChannelOrder, Layout, PixelInput, Resize, Tuning
from edge.vision.geometry import WHOLE_IMAGE, Region, centre_square
from edge.vision.resize import resample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.model.contract import Quantization
    from edge.vision.frame import Frame

MIN_SIDE_FACTOR = 1.8
"""A JPEG is decoded at the smallest scale that keeps this many times the model's input size.

With it, half of full HD is enough for an input of 300 pixels, that of many detectors. Measured on
45 pictures and a part of each, with a sensor's noise (90 frames for each factor), as what a decode
at half scale moves the best score by, on average, against a full decode of the same JPEG; the last
column is what encoding the picture at quality 91 instead of 90 moves it by:

    factor    1.0    1.2    1.4    1.6    1.7    1.8    2.0    2.5    quality
    imagenet  0.047  0.027  0.023  0.024  0.016  0.019  0.021  0.018  0.015 to 0.019
    objects   0.035  0.022  0.024  0.018  0.025  0.015  0.025  0.024  0.014 to 0.027

From 1.7 on, scores move about as much as by the last bit of quality. Pixels change by less than
one level of 255 on average.
"""


def min_decoded_side(spec: PixelInput, tuning: Tuning) -> int | None:
    """Minimum pixels per side of a decoded image; ``None`` if the kernel needs an exact decode."""
    if not tuning.kernel.antialiased:
        return None
    seen = tuning.crop_fraction if tuning.resize is Resize.CENTER_CROP else 1.0
    return math.ceil(MIN_SIDE_FACTOR * max(spec.width, spec.height) / seen)


def preprocess(
    frame: Frame,
    spec: PixelInput,
    tuning: Tuning,
) -> tuple[NDArray[np.generic], Region]:
    """Return the tensor, in ``spec``'s dtype and shape without batch, and the region it shows."""
    region = WHOLE_IMAGE
    if tuning.resize is Resize.CENTER_CROP:
        region = centre_square(frame.width, frame.height, tuning.crop_fraction)
    pixels = resample(frame, region, spec.width, spec.height, tuning.kernel)
    return to_tensor(pixels, spec), region


def to_tensor(pixels: NDArray[np.uint8], spec: PixelInput) -> NDArray[np.generic]:
    """Convert RGB bytes [height, width, 3] to the channel order, dtype and layout of the input."""
    if spec.channel_order is ChannelOrder.BGR:
        pixels = np.ascontiguousarray(pixels[:, :, ::-1])
    stored = to_dtype(pixels, spec)
    if spec.layout is Layout.NCHW:
        return np.ascontiguousarray(stored.transpose(2, 0, 1))
    return stored


def to_dtype(pixels: NDArray[np.uint8], spec: PixelInput) -> NDArray[np.generic]:
    """Convert bytes 0..255, in the input's channel order, to its dtype.

    A uint8 input takes raw bytes, and an int8 input the same bytes shifted by 128: its quantisation
    already includes what was done to the pixels in training. Unless the contract says that it takes
    normalised values, quantised.
    """
    if spec.dtype == "float32":
        return _normalized(pixels, spec)
    if spec.quantization is not None:
        return _quantized(_normalized(pixels, spec), spec.quantization, spec.dtype)
    if spec.dtype == "int8":
        return (pixels ^ 0x80).view(np.int8)
    return pixels


def _normalized(pixels: NDArray[np.uint8], spec: PixelInput) -> NDArray[np.float32]:
    assert spec.normalization is not None
    mean = np.array(spec.normalization.mean, np.float32)
    std = np.array(spec.normalization.std, np.float32)
    real: NDArray[np.float32] = (pixels.astype(np.float32) - mean) / std
    return real


def _quantized(
    real: NDArray[np.float32], quantization: Quantization, dtype: str
) -> NDArray[np.generic]:
    stored = np.rint(real / np.float32(quantization.scale)) + quantization.zero_point
    limits = np.iinfo(dtype)
    quantized: NDArray[np.generic] = stored.clip(limits.min, limits.max).astype(dtype)
    return quantized
