"""Writes a classifier's TFLite file with another last layer, by LiteRT's own schema classes.

No converter is needed: only the last layer's constants and the quantisation of what follows change.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge.errors import ExportError
from edge.model.contract import Quantization

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge.training.int8_head import Int8Head

IDENTIFIER: Final = b"TFL3"
_BUFFER_ALIGNMENT: Final = 16  # as the kernels expect of constants
_INITIAL_BYTES: Final = 6 << 20

_SCORES: Final = Quantization(1 / 256, 0)
"""Of uint8 scores; both activations demand it."""

_UINT8_SHIFT: Final = 128
"""From an int8 zero point to the uint8 one of the same values."""

_TAIL: Final = (
    schema.BuiltinOperator.FULLY_CONNECTED,
    schema.BuiltinOperator.QUANTIZE,
    schema.BuiltinOperator.SOFTMAX,
)
"""The operators that the built-in classifier ends in; a multi-label one ends in LOGISTIC."""


class ClassifierFile:
    """A TFLite classifier that ends as the built-in one: the head is replaced, the rest stays.

    Attributes:
        features: quantisation of what the last layer takes.
        feature_count: how many numbers that is.
    """

    def __init__(self, data: bytes, name: object) -> None:
        """Take the file apart.

        Args:
            name: of the file, for messages.

        Raises:
            ExportError: it ends in other operators.
        """
        self._model = schema.ModelT.InitFromPackedBuf(data, 0)
        graph = self._model.subgraphs[0]
        tail = graph.operators[-len(_TAIL) :]
        codes = tuple(self._code(operator) for operator in tail)
        if codes[:-1] != _TAIL[:-1] or codes[-1] not in {
            schema.BuiltinOperator.SOFTMAX,
            schema.BuiltinOperator.LOGISTIC,
        }:
            reason = "it does not end in a fully connected int8 layer, as the built-in classifier"
            raise ExportError(name, reason, "Train on the built-in classifier imagenet")
        self._layer, self._quantize, self._activation = tail
        pooled = graph.tensors[self._layer.inputs[0]]
        self.features = Quantization(
            float(pooled.quantization.scale[0]), int(pooled.quantization.zeroPoint[0])
        )
        self.feature_count = math.prod(int(side) for side in pooled.shape)

    def replace_head(self, head: Int8Head, *, multi_label: bool) -> None:
        """Put in another last layer, with as many outputs as the head has labels."""
        tensors = self._model.subgraphs[0].tensors
        weights, bias = (tensors[index] for index in self._layer.inputs[1:3])
        logits = tensors[self._layer.outputs[0]]
        labels = len(head.bias)
        self._set_constant(weights, head.weights)
        weights.quantization.scale = head.scales
        weights.quantization.zeroPoint = np.zeros(labels, np.int64)
        self._set_constant(bias, head.bias)
        bias.quantization.scale = (head.scales * np.float32(self.features.scale)).astype(np.float32)
        bias.quantization.zeroPoint = np.zeros(labels, np.int64)
        _describe_values(logits, head.logits)
        uint8_logits = Quantization(
            head.logits.scale, head.logits.zero_point + _UINT8_SHIFT
        )  # as AutoML's files end: what is left is done in uint8
        _describe_values(tensors[self._quantize.outputs[0]], uint8_logits)
        scores = tensors[self._activation.outputs[0]]
        _describe_values(scores, _SCORES)
        for tensor in (logits, tensors[self._quantize.outputs[0]], scores):
            tensor.shape = np.array([1, labels], np.int32)
            tensor.shapeSignature = None
        self._set_activation(multi_label=multi_label)

    def add_metadata(self, entries: Mapping[str, bytes]) -> None:
        """Add named buffers, which a program that does not know them passes over."""
        known = [entry for entry in self._model.metadata or [] if _text(entry.name) not in entries]
        for name, content in entries.items():
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(content, np.uint8)
            self._model.buffers.append(buffer)
            entry = schema.MetadataT()
            entry.name, entry.buffer = name, len(self._model.buffers) - 1
            known.append(entry)
        self._model.metadata = known

    def pack(self, description: str) -> bytes:
        """Write the file."""
        return pack(self._model, description)

    def _code(self, operator: Any) -> int:
        return int(self._model.operatorCodes[operator.opcodeIndex].builtinCode)

    def _set_constant(self, tensor: Any, values: NDArray[Any]) -> None:
        little_endian = values.astype(values.dtype.newbyteorder("<"), copy=False)
        content = np.frombuffer(little_endian.tobytes(), np.uint8)
        self._model.buffers[tensor.buffer].data = content
        tensor.shape = np.array(values.shape, np.int32)

    def _set_activation(self, *, multi_label: bool) -> None:
        code = self._model.operatorCodes[self._activation.opcodeIndex]
        if not multi_label:
            kind, options = schema.BuiltinOptions.SoftmaxOptions, schema.SoftmaxOptionsT()
            options.beta = 1.0
            number = schema.BuiltinOperator.SOFTMAX
        else:
            kind, options = schema.BuiltinOptions.NONE, None
            number = schema.BuiltinOperator.LOGISTIC
        code.builtinCode = code.deprecatedBuiltinCode = number
        code.version = 1
        self._activation.builtinOptionsType, self._activation.builtinOptions = kind, options


def pack(model: Any, description: str) -> bytes:
    """Write a tree of the schema's objects as a file, its constants aligned."""
    model.description = description
    model.buffers = [_AlignedBuffer(buffer.data) for buffer in model.buffers]
    builder = flatbuffers.Builder(_INITIAL_BYTES)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def _describe_values(tensor: Any, quantization: Quantization) -> None:
    tensor.quantization.scale = np.array([quantization.scale], np.float32)
    tensor.quantization.zeroPoint = np.array([quantization.zero_point], np.int64)
    tensor.quantization.min = tensor.quantization.max = None


def _text(name: bytes | str | None) -> str:
    return name.decode() if isinstance(name, bytes) else name or ""


class _AlignedBuffer:
    """Replaces the schema's BufferT, whose data is not aligned."""

    def __init__(self, data: NDArray[np.uint8] | None) -> None:
        self.data = data

    def _pack(self, builder: flatbuffers.Builder) -> int:
        vector = None if self.data is None else self._pack_data(builder)
        schema.BufferStart(builder)
        if vector is not None:
            schema.BufferAddData(builder, vector)
        return int(schema.BufferEnd(builder))

    Pack = _pack  # the name that the schema's ModelT calls

    def _pack_data(self, builder: flatbuffers.Builder) -> int:
        data = np.asarray(self.data, np.uint8).tobytes()
        builder.StartVector(1, len(data), _BUFFER_ALIGNMENT)
        builder.head = builder.Head() - len(data)
        builder.Bytes[builder.Head() : builder.Head() + len(data)] = data
        return int(builder.EndVector())
