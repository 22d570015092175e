"""The built-in classifier's backbone as a list of float32 layers, from its uint8 TFLite file.

Weights are dequantised: what the layers compute differs from the file by its rounding alone. Only
the operators of that file are known. `float_network.py` trains these layers, `saved_model.py`
writes them; neither reads the file itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge.errors import ExportError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_DTYPES: Final = {
    schema.TensorType.INT8: np.int8,
    schema.TensorType.INT32: np.int32,
}
_ACTIVATIONS: Final = {
    schema.ActivationFunctionType.NONE: "",
    schema.ActivationFunctionType.RELU: "Relu",
    schema.ActivationFunctionType.RELU6: "Relu6",
}
_PADDINGS: Final = {schema.Padding.SAME: "SAME", schema.Padding.VALID: "VALID"}


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution, a bias and an activation.

    Attributes:
        source: the number of the tensor that it takes, float32 [pictures, height, width, in].
        target: the number of the tensor that it gives.
        kernel: float32 [height, width, in, out]; depthwise [height, width, channels, 1].
        bias: float32 [out].
        strides: down and across, in pixels.
        padding: ``SAME`` or ``VALID``, as TensorFlow defines them.
        activation: an operator of TensorFlow: ``Relu``, ``Relu6``; empty for none.
    """

    source: int
    target: int
    kernel: Floats
    bias: Floats
    strides: tuple[int, int]
    padding: str
    activation: str
    is_depthwise: bool


@dataclass(frozen=True, slots=True)
class Addition:
    """The sum of two tensors, and an activation as in `Convolution`."""

    sources: tuple[int, int]
    target: int
    activation: str


@dataclass(frozen=True, slots=True)
class Pooling:
    """The mean over height and width: float32 [pictures, channels]."""

    source: int
    target: int


Layer = Convolution | Addition | Pooling


@dataclass(frozen=True, slots=True)
class FloatLayers:
    """Images to pooled features, in float32.

    Attributes:
        mean: with ``std``: what the first layer takes is (byte - mean) / std.
        image: the number of the tensor that holds it, float32 [pictures, height, width, 3].
        layers: in the order in which they run.
        features: the number of the tensor of the features, float32 [pictures, features].
    """

    mean: float
    std: float
    image: int
    layers: tuple[Layer, ...]
    features: int


def read_float_layers(data: bytes, name: object) -> FloatLayers:
    """Read the layers up to what the last fully connected one takes.

    Args:
        name: of the file, for messages.

    Raises:
        ExportError: the file has other operators than the built-in classifier.
    """
    return _Reader(data, name).read()


class _Reader:
    """Walks the operators of a file."""

    def __init__(self, data: bytes, name: object) -> None:
        model = schema.ModelT.InitFromPackedBuf(data, 0)
        self._name = name
        self._graph = model.subgraphs[0]
        self._buffers = model.buffers
        self._codes = [int(code.builtinCode) for code in model.operatorCodes]
        self._same_as: dict[int, int] = {}  # in float, QUANTIZE changes nothing

    def read(self) -> FloatLayers:
        graph = self._graph
        image = int(graph.inputs[0])
        quantization = graph.tensors[image].quantization
        last = max(
            index
            for index, operator in enumerate(graph.operators)
            if self._code(operator) == schema.BuiltinOperator.FULLY_CONNECTED
        )
        layers = []
        for operator in graph.operators[:last]:
            if self._code(operator) == schema.BuiltinOperator.QUANTIZE:
                self._same_as[int(operator.outputs[0])] = self._source(operator, 0)
            else:
                layers.append(self._layer(operator))
        return FloatLayers(
            mean=float(quantization.zeroPoint[0]),
            std=float(1 / quantization.scale[0]),
            image=image,
            layers=tuple(layers),
            features=self._source(graph.operators[last], 0),
        )

    def _layer(self, operator: Any) -> Layer:
        code, target = self._code(operator), int(operator.outputs[0])
        if code == schema.BuiltinOperator.MEAN:
            return Pooling(self._source(operator, 0), target)
        if code == schema.BuiltinOperator.ADD:
            sources = self._source(operator, 0), self._source(operator, 1)
            return Addition(sources, target, self._activation(operator))
        if code in {
            schema.BuiltinOperator.CONV_2D,
            schema.BuiltinOperator.DEPTHWISE_CONV_2D,
        }:
            return self._convolution(operator, code, target)
        raise self._unknown(f"operator {code}")

    def _convolution(self, operator: Any, code: int, target: int) -> Convolution:
        kernel, bias = (self._dequantised(int(index)) for index in operator.inputs[1:3])
        options = operator.builtinOptions
        return Convolution(
            source=self._source(operator, 0),
            target=target,
            # TFLite: out, height, width, in; depthwise 1, height, width, channels.
            kernel=kernel.transpose((1, 2, 3, 0)),
            bias=bias,
            strides=(int(options.strideH), int(options.strideW)),
            padding=_PADDINGS[options.padding],
            activation=self._activation(operator),
            is_depthwise=code == schema.BuiltinOperator.DEPTHWISE_CONV_2D,
        )

    def _code(self, operator: Any) -> int:
        return self._codes[int(operator.opcodeIndex)]

    def _source(self, operator: Any, position: int) -> int:
        tensor = int(operator.inputs[position])
        return self._same_as.get(tensor, tensor)

    def _activation(self, operator: Any) -> str:
        function = operator.builtinOptions.fusedActivationFunction
        if function not in _ACTIVATIONS:
            raise self._unknown(f"activation {function}")
        return _ACTIVATIONS[function]

    def _dequantised(self, index: int) -> Floats:
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
        real: Floats = (stored.astype(np.float32) - zero_point) * scale
        return real

    def _unknown(self, what: str) -> ExportError:
        reason = f"its {what} has no counterpart here"
        return ExportError(self._name, reason, "Train on the built-in classifier imagenet")
