"""The last convolutions of a TFLite classifier in float, as fine-tuning has them."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge.training.requantize import tail_outputs

TAIL = 7
CONVOLUTIONS = (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D)


def dequantised(model, tensor):
    """The real values of a constant."""
    stored = np.asarray(model.buffers[tensor.buffer].data, np.uint8)
    stored = stored.view(np.int8 if tensor.type == schema.TensorType.INT8 else "<i4")
    shape = [1] * len(tensor.shape)
    shape[int(tensor.quantization.quantizedDimension)] = -1
    scale = np.asarray(tensor.quantization.scale, np.float32).reshape(shape)
    return stored.reshape(tensor.shape).astype(np.float32) * scale


def tail_weights(data):
    """Kernels and biases of the last convolutions, as the network in float has them."""
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    graph = model.subgraphs[0]
    codes = [code.builtinCode for code in model.operatorCodes]
    weights = []
    for operator in graph.operators:
        if codes[operator.opcodeIndex] in CONVOLUTIONS:
            kernel, bias = (
                dequantised(model, graph.tensors[index]) for index in operator.inputs[1:3]
            )
            weights.append((kernel.transpose((1, 2, 3, 0)), bias))
    return weights[-TAIL:]


def tail_ranges(data):
    """As the file has them."""
    graph = schema.ModelT.InitFromPackedBuf(data, 0).subgraphs[0]
    ranges = {}
    for number in tail_outputs(data, TAIL):
        quantization = graph.tensors[number].quantization
        scale, zero_point = quantization.scale[0], quantization.zeroPoint[0]
        ranges[number] = ((-128 - zero_point) * scale, (127 - zero_point) * scale)
    return ranges
