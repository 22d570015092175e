"""Converts a TensorFlow function to a quantised TFLite file, and edits such files.

The converter gives tensors names of its own, adds SignatureDefs and leaves an int8 graph between
conversions. An AutoML export has fixed tensor names, no SignatureDef and its own last operator: the
two model modules edit the file into that shape, between `unpack` and `pack`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import flatbuffers
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

FILE_IDENTIFIER: Final = b"TFL3"
BUFFER_ALIGNMENT: Final = 16

FloatImages = npt.NDArray[np.float32]


def convert(
    function: Callable[[Any], Any], size: int, samples: Iterable[FloatImages], output: tf.DType
) -> bytes:
    """Convert a function of one size x size image to an int8 graph with a uint8 input."""
    spec = tf.TensorSpec((1, size, size, 3), tf.float32, name="image")
    graph = tf.function(function, input_signature=[spec]).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample] for sample in samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = output
    return bytes(converter.convert())


def unpack(data: bytes) -> Any:
    """The file as the schema's tree of mutable objects."""
    return schema.ModelT.InitFromPackedBuf(data, 0)


def pack(model: Any, description: str) -> bytes:
    """Write the tree as a file, without SignatureDefs and with aligned constants."""
    model.description = description
    model.signatureDefs = None
    model.buffers = [_AlignedBuffer(buffer.data) for buffer in model.buffers]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


def opcode(model: Any, operator: Any) -> int:
    """The built-in code of an operator."""
    return int(model.operatorCodes[operator.opcodeIndex].builtinCode)


def set_input_name(model: Any, name: str, scale: float, zero_point: int) -> None:
    """Names the only input, after checking that its quantisation is the one expected."""
    graph = model.subgraphs[0]
    (index,) = graph.inputs
    tensor = graph.tensors[index]
    found = (tensor.type, list(tensor.quantization.scale), list(tensor.quantization.zeroPoint))
    if found != (schema.TensorType.UINT8, [scale], [zero_point]):
        raise ValueError(
            f"the input became (type, scale, zero point) {found}, not uint8 {scale} {zero_point}"
        )
    tensor.name = name


class _AlignedBuffer:
    """Replaces the schema's BufferT: aligns its data to 16 bytes, as the kernels expect."""

    def __init__(self, data: npt.NDArray[np.uint8] | None) -> None:
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
        builder.StartVector(1, len(data), BUFFER_ALIGNMENT)
        builder.head = builder.Head() - len(data)
        builder.Bytes[builder.Head() : builder.Head() + len(data)] = data
        return int(builder.EndVector())
