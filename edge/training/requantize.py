"""Writes a fine-tuned tail back into the 8-bit file that the network was read from.

Only what was trained changes: kernels and biases of the tail, and the ranges of its activations,
which are observed on pictures as TensorFlow's converter does. The frozen part stays byte for byte,
so nothing that was right in 8 bits becomes wrong, and no converter is needed: it takes 10 s and
500 MB, and leaves variables in float without a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge.training.tflite_file import pack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Range = tuple[float, float]
    Weights = tuple[Floats, Floats]

_INT8_MIN: Final = -128
_INT8_MAX: Final = 127
_INT32_MAX: Final = 2**31 - 1
_LEVELS: Final = 255  # from the lowest to the highest of 8 bits
_CONVOLUTIONS: Final = {
    schema.BuiltinOperator.CONV_2D,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D,
}


def tail_outputs(data: bytes, convolutions: int) -> list[int]:
    """Numbers of the tensors whose ranges a trained tail changes: from the first trained one on."""
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    return [int(operator.outputs[0]) for operator, _ in _tail(model, convolutions)[:-1]]


def requantize_tail(data: bytes, weights: Sequence[Weights], ranges: Mapping[int, Range]) -> bytes:
    """Write other weights into the last convolutions of a classifier.

    Args:
        data: the file; its last layer stays, although its features are others now.
        weights: of each trained convolution, in the order in which they run: the kernel float32
            [height, width, in, out] ([height, width, channels, 1] of a depthwise one), and the
            bias float32 [out].
        ranges: the lowest and the highest value of each of `tail_outputs`.
    """
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    *trained, last = _tail(model, len(weights))
    for number, (low, high) in ranges.items():
        # Padding is 0, which must be among the values.
        _describe_activation(model.subgraphs[0].tensors[number], min(low, 0.0), max(high, 0.0))
    remaining = iter(weights)
    for operator, code in trained:
        if code in _CONVOLUTIONS:
            _set_weights(model, operator, *next(remaining))
    _fit_bias(model, last[0])
    return pack(model, "fine-tuned")


def _tail(model: Any, convolutions: int) -> list[tuple[Any, int]]:
    """Operators and their codes, from the first trained convolution to the last layer."""
    codes = [int(code.builtinCode) for code in model.operatorCodes]
    operators = [(one, codes[one.opcodeIndex]) for one in model.subgraphs[0].operators]
    places = [place for place, (_, code) in enumerate(operators) if code in _CONVOLUTIONS]
    last = max(
        place
        for place, (_, code) in enumerate(operators)
        if code == schema.BuiltinOperator.FULLY_CONNECTED
    )
    return operators[places[-convolutions] : last + 1]


def _describe_activation(tensor: Any, low: float, high: float) -> None:
    scale = max(high - low, 1e-6) / _LEVELS
    tensor.quantization.scale = np.array([scale], np.float32)
    tensor.quantization.zeroPoint = np.array([round(_INT8_MIN - low / scale)], np.int64)
    tensor.quantization.min = tensor.quantization.max = None


def _set_weights(model: Any, operator: Any, kernel: Floats, bias: Floats) -> None:
    """Symmetric, one scale per output channel, as TFLite's kernels demand."""
    tensors = model.subgraphs[0].tensors
    source, kernel_tensor, bias_tensor = (tensors[int(index)] for index in operator.inputs[:3])
    # TFLite: out, height, width, in; depthwise 1, height, width, channels.
    stored = np.ascontiguousarray(kernel.transpose((3, 0, 1, 2)))
    axis = int(kernel_tensor.quantization.quantizedDimension)
    others = tuple(number for number in range(stored.ndim) if number != axis)
    input_scale = float(source.quantization.scale[0])
    largest = np.abs(stored).max(axis=others)
    of_bias = np.abs(bias) / (input_scale * _INT32_MAX) * 2  # or it would not fit into 32 bits
    scales = np.maximum(np.maximum(largest / _INT8_MAX, of_bias), 1e-9).astype(np.float32)
    shape = [1] * stored.ndim
    shape[axis] = -1
    rounded = np.rint(stored / scales.reshape(shape)).clip(-_INT8_MAX, _INT8_MAX)
    kernel_tensor.quantization.scale = scales
    kernel_tensor.quantization.zeroPoint = np.zeros(len(scales), np.int64)
    _set_content(model, kernel_tensor, rounded.astype("<i1"))
    bias_scales = scales.astype(np.float64) * input_scale
    bias_tensor.quantization.scale = bias_scales.astype(np.float32)
    bias_tensor.quantization.zeroPoint = np.zeros(len(scales), np.int64)
    _set_content(model, bias_tensor, np.rint(bias / bias_scales).astype("<i4"))


def _fit_bias(model: Any, layer: Any) -> None:
    """Let the last layer's bias fit its input's scale, without which TFLite refuses the file."""
    tensors = model.subgraphs[0].tensors
    source, kernel, bias = (tensors[int(index)] for index in layer.inputs[:3])
    stored = np.asarray(model.buffers[bias.buffer].data, np.uint8).view("<i4")
    real = stored * np.asarray(bias.quantization.scale, np.float64)
    scales = np.asarray(kernel.quantization.scale, np.float64) * float(source.quantization.scale[0])
    limited = np.rint(real / scales).clip(-_INT32_MAX, _INT32_MAX)
    bias.quantization.scale = scales.astype(np.float32)
    _set_content(model, bias, limited.astype("<i4"))


def _set_content(model: Any, tensor: Any, values: NDArray[Any]) -> None:
    model.buffers[tensor.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
