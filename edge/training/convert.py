"""Quantises a fine-tuned network into a TFLite file of the built-in classifier's form.

Needs TensorFlow; import this late.
"""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge.runtime.tensorflow import tf  # type: ignore[attr-defined]  # hides the banner
from edge.training.tflite_file import pack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from edge.training.float_network import FloatBackbone
    from edge.training.head import Head

_UINT8_SHIFT: Final = 128


def to_tflite(
    network: FloatBackbone, head: Head, images: Iterable[NDArray[np.uint8]], size: tuple[int, int]
) -> bytes:
    """Convert with the converter of TensorFlow.

    Args:
        network: its variables become constants: the converter would leave them in float.
        images: uint8 [height, width, 3], by which ranges are chosen.
        size: height and width of the input in pixels.
    """
    network.freeze()

    def classify(pixels: Any) -> Any:
        return tf.nn.softmax(network(pixels) @ head.weights.T + head.bias)

    spec = tf.TensorSpec((1, *size, 3), tf.float32, name="image")
    graph = tf.function(classify, input_signature=[spec]).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _samples(network, images, size)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    logging.getLogger("absl").setLevel(logging.ERROR)  # advice to programmers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = bytes(converter.convert())
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].name = "image"
    model.signatureDefs = None  # AutoML's files have none
    _end_in_uint8(graph)
    return pack(model, "fine-tuned")


def _samples(
    network: FloatBackbone, images: Iterable[NDArray[np.uint8]], size: tuple[int, int]
) -> Iterator[list[Any]]:
    """Normalised images; the first one spans all bytes, so that raw bytes are right as input."""
    extremes = np.zeros((*size, 3), np.uint8)
    extremes[::2] = 255
    for image in (extremes, *images):
        normalised = (image.astype(np.float32) - network.mean) / network.std
        yield [normalised[np.newaxis].astype(np.float32)]


def _end_in_uint8(graph: Any) -> None:
    """Turn SOFTMAX (int8), QUANTIZE into QUANTIZE, SOFTMAX (uint8), as AutoML's files end.

    The step from int8 to uint8 moves the zero point by 128, before the softmax as after it.
    """
    softmax, quantize = graph.operators[-2:]
    (logits,), (between,), (scores,) = softmax.inputs, softmax.outputs, quantize.outputs
    source, target = graph.tensors[logits], graph.tensors[between]
    target.name, target.type = "logits", schema.TensorType.UINT8
    target.quantization.scale = source.quantization.scale
    target.quantization.zeroPoint = source.quantization.zeroPoint + _UINT8_SHIFT
    quantize.inputs, quantize.outputs = [logits], [between]
    softmax.inputs, softmax.outputs = [between], [scores]
    graph.operators[-2:] = [quantize, softmax]
    graph.tensors[scores].name = "scores"
