"""The built-in classifier's backbone as a TensorFlow function, from its uint8 TFLite file.

Weights are dequantised: what TensorFlow then computes differs from the file by its rounding alone.
Only the operators of that file are known. Imported late: it needs TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge.errors import ExportError
from edge.runtime.tensorflow import tf  # type: ignore[attr-defined]  # hides the banner

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DTYPES: Final = {
    schema.TensorType.INT8: np.int8,
    schema.TensorType.INT32: np.int32,
}
_ACTIVATIONS: Final = {
    schema.ActivationFunctionType.NONE: lambda values: values,
    schema.ActivationFunctionType.RELU: tf.nn.relu,
    schema.ActivationFunctionType.RELU6: tf.nn.relu6,
}
_PADDINGS: Final = {schema.Padding.SAME: "SAME", schema.Padding.VALID: "VALID"}
_CONVOLUTIONS: Final = {
    schema.BuiltinOperator.CONV_2D,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D,
}


class FloatBackbone(tf.Module):  # type: ignore[misc]
    """Images to pooled features, in float32.

    Attributes:
        mean: with ``std``: what the network takes is (byte - mean) / std.
        kernels: variables of the convolutions in the order in which they run.
        biases: parallel to them.
    """

    def __init__(self, data: bytes, name: object) -> None:
        """Read the weights.

        Raises:
            ExportError: the file has other operators than the built-in classifier.
        """
        super().__init__()
        model = schema.ModelT.InitFromPackedBuf(data, 0)
        self._graph = model.subgraphs[0]
        self._buffers = model.buffers
        self._codes = [int(code.builtinCode) for code in model.operatorCodes]
        image = self._graph.tensors[self._graph.inputs[0]].quantization
        self.std = float(1 / image.scale[0])
        self.mean = float(image.zeroPoint[0])
        last = max(
            index
            for index, operator in enumerate(self._graph.operators)
            if self._codes[operator.opcodeIndex] == schema.BuiltinOperator.FULLY_CONNECTED
        )
        self._operators = self._graph.operators[:last]
        self._features = int(self._graph.operators[last].inputs[0])
        self.kernels: list[Any] = []
        self.biases: list[Any] = []
        for operator in self._operators:
            code = self._codes[operator.opcodeIndex]
            if code in _CONVOLUTIONS:
                self._add_variables(operator)
            elif code not in {
                schema.BuiltinOperator.QUANTIZE,
                schema.BuiltinOperator.ADD,
                schema.BuiltinOperator.MEAN,
            }:
                reason = f"its operator {code} has no counterpart here"
                raise ExportError(name, reason, "Train on the built-in classifier imagenet")

    def __call__(self, images: Any) -> Any:
        """Features float32 [pictures, features] of normalised images [pictures, h, w, 3]."""
        return self.tensors(images)[self._features]

    def tensors(self, images: Any) -> dict[int, Any]:
        """What every operator gives for such images, by the tensor's number in the file."""
        values = {int(self._graph.inputs[0]): images}
        layers = zip(self.kernels, self.biases, strict=True)
        for operator in self._operators:
            code = self._codes[operator.opcodeIndex]
            layer = next(layers) if code in _CONVOLUTIONS else None
            values[int(operator.outputs[0])] = self._run(operator, code, layer, values)
        return values

    def _run(self, operator: Any, code: int, layer: Any, values: dict[int, Any]) -> Any:
        first = values[int(operator.inputs[0])]
        options = operator.builtinOptions
        if code == schema.BuiltinOperator.QUANTIZE:
            return first
        if code == schema.BuiltinOperator.MEAN:
            return tf.reduce_mean(first, axis=(1, 2))
        activation = _ACTIVATIONS[options.fusedActivationFunction]
        if code == schema.BuiltinOperator.ADD:
            return activation(first + values[int(operator.inputs[1])])
        kernel, bias = layer
        convolve = (
            tf.nn.conv2d if code == schema.BuiltinOperator.CONV_2D else tf.nn.depthwise_conv2d
        )
        strides = (1, options.strideH, options.strideW, 1)
        return activation(convolve(first, kernel, strides, _PADDINGS[options.padding]) + bias)

    def _add_variables(self, operator: Any) -> None:
        kernel, bias = (self._dequantised(int(index)) for index in operator.inputs[1:3])
        # TFLite: out, height, width, in; depthwise 1, height, width, channels.
        self.kernels.append(tf.Variable(kernel.transpose((1, 2, 3, 0))))
        self.biases.append(tf.Variable(bias))

    def _dequantised(self, index: int) -> NDArray[np.float32]:
        tensor = self._graph.tensors[index]
        content = np.asarray(self._buffers[tensor.buffer].data, np.uint8)
        stored = content.view(_DTYPES[tensor.type]).reshape(tensor.shape)
        scale = np.asarray(tensor.quantization.scale, np.float32)
        zero_point = np.asarray(tensor.quantization.zeroPoint, np.float32)
        axis = int(tensor.quantization.quantizedDimension)
        if len(scale) > 1:
            shape = [1] * stored.ndim
            shape[axis] = len(scale)
            scale, zero_point = scale.reshape(shape), zero_point.reshape(shape)
        real: NDArray[np.float32] = (stored.astype(np.float32) - zero_point) * scale
        return real
