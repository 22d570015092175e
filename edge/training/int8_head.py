"""Quantises a head as TFLite's int8 fully connected layer takes it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from edge.model.contract import Quantization

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.training.feature_table import FeatureTable
    from edge.training.head import Head

_INT8_MIN: Final = -128
_INT8_MAX: Final = 127
_INT32_MAX: Final = 2**31 - 1
_LEVELS: Final = 255  # from the lowest to the highest of 8 bits
_CHUNK: Final = 2_048

_RELEVANT: Final = 8.0
"""Logits this far below a picture's best one, and farther, are rounded up to it: e^-8 is less than
a tenth of the smallest score that the output tells from 0."""

_HEADROOM: Final = 0.1
"""Of the range of logits, above the highest that training has seen."""

_SIGMOID_LIMIT: Final = 8.0
"""Beyond it a sigmoid's score is 0 or 1 in 8 bits."""


@dataclass(frozen=True, slots=True)
class Int8Head:
    """A head in 8 bits.

    Attributes:
        weights: int8 [labels, features], symmetric, one scale a label.
        scales: float32 [labels], of the weights.
        bias: int32 [labels]; its scale is the features' times the label's.
        logits: quantisation of the int8 logits.
    """

    weights: NDArray[np.int8]
    scales: NDArray[np.float32]
    bias: NDArray[np.int32]
    logits: Quantization


def quantize_head(head: Head, features: Quantization, table: FeatureTable) -> Int8Head:
    """Quantise a head.

    Args:
        features: quantisation of its input.
        table: pictures whose logits it must tell apart; those of training.
    """
    largest = np.abs(head.weights).max(axis=1)
    # A bias far larger than its weights would not fit into 32 bits.
    of_bias = np.abs(head.bias) / (features.scale * _INT32_MAX) * 2
    scales = np.maximum(np.maximum(largest / _INT8_MAX, of_bias), 1e-9).astype(np.float32)
    weights = np.rint(head.weights / scales[:, None]).clip(-_INT8_MAX, _INT8_MAX)
    bias = np.rint(head.bias / (scales.astype(np.float64) * features.scale))
    low, high = _logit_range(head, table)
    return Int8Head(
        weights.astype(np.int8), scales, bias.astype(np.int32), _quantization(low, high)
    )


def _logit_range(head: Head, table: FeatureTable) -> tuple[float, float]:
    """The lowest and the highest logit that matter."""
    if head.multi_label:
        return -_SIGMOID_LIMIT, _SIGMOID_LIMIT
    relevant = _RELEVANT + math.log(head.weights.shape[0])
    low, high = math.inf, -math.inf
    for start in range(0, len(table), _CHUNK):
        logits = head.logits(table.rows(slice(start, start + _CHUNK)))
        best = logits.max(axis=1)
        lowest = np.maximum(logits.min(axis=1), best - relevant)
        low, high = min(low, float(lowest.min())), max(high, float(best.max()))
    high += _HEADROOM * (high - low)
    return low, high


def _quantization(low: float, high: float) -> Quantization:
    """Of int8 values that span a range; 0 need not lie in it."""
    scale = float(np.float32(max(high - low, 1e-3) / _LEVELS))
    zero_point = round(_INT8_MIN - low / scale)
    # TFLite wants a zero point of 8 bits: the range is widened until it holds 0.
    if zero_point < _INT8_MIN:
        return _quantization(0.0, high)
    if zero_point > _INT8_MAX:
        return _quantization(low, 0.0)
    return Quantization(scale, zero_point)
