"""SSD MobileNetV2 for 23 classes of Open Images: the published float graph, and a uint8 export.

The package holds a TFLite file with float16 weights and two raw heads. Its graph is replayed
operator by operator as a TensorFlow function (only five kinds occur), quantised, and completed with
the anchors and the operator TFLite_Detection_PostProcess. The anchor and box-coder numbers are
those that the package's own graph states for the model (its SsdAnchorsCalculator and
TensorsToDetectionsCalculator).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from export_folder import Export
from flatbuffers import flexbuffers
from packages import APACHE_TEXT, OBJECTRON, PackageReader
from photos import CALIBRATION, CALIBRATION_CROPS, Pixels, crops, stretch
from tflite_file import FloatImages, convert, pack, set_input_name, unpack
from torch_pickle import Array

SIZE: Final = 300
MEAN: Final = 128
SCALE: Final = 1 / 128

STRIDES: Final = (16, 32, 64, 128, 256, 512)
MIN_SCALE: Final = 0.2
MAX_SCALE: Final = 0.95
LOWEST_LAYER_SCALE: Final = 0.1
ASPECT_RATIOS: Final = (1.0, 2.0, 0.5, 3.0, 0.3333)

INPUT: Final = "normalized_input_image_tensor"
POSTPROCESS: Final = "TFLite_Detection_PostProcess"
OUTPUTS: Final = (POSTPROCESS, f"{POSTPROCESS}:1", f"{POSTPROCESS}:2", f"{POSTPROCESS}:3")
MAX_DETECTIONS: Final = 40
IOU_THRESHOLD: Final = 0.6
BACKGROUND: Final = "background"

_ASSETS: Final = "package/objectron_solution_packed_assets.data"
_LABEL_MAP: Final = slice(0, 184)
_MODEL: Final = slice(184, None)
_UNKNOWN_LABEL: Final = "???"
_DESCRIPTION: Final = (
    "SSD MobileNetV2, 23 classes of Open Images, uint8. Weights: @mediapipe/objectron, Apache-2.0."
)
_MODEL_TOML: Final = """display_name = "Everyday objects (SSD MobileNetV2, Open Images)"
score_threshold = 0.5
"""

_PADDINGS: Final = {schema.Padding.SAME: "SAME", schema.Padding.VALID: "VALID"}
_ACTIVATIONS: Final[dict[int, Callable[[Any], Any]]] = {
    schema.ActivationFunctionType.NONE: lambda values: values,
    schema.ActivationFunctionType.RELU6: tf.nn.relu6,
}


class TFLiteGraph:
    """Replays a float TFLite graph in TensorFlow: images to box encodings and class scores."""

    def __init__(self, data: bytes) -> None:
        self._model = unpack(data)
        self._graph = self._model.subgraphs[0]
        self._replay: dict[int, Callable[..., Any]] = {
            schema.BuiltinOperator.DEQUANTIZE: lambda _, values: values.astype(np.float32),
            schema.BuiltinOperator.CONV_2D: _convolve,
            schema.BuiltinOperator.DEPTHWISE_CONV_2D: _convolve_depthwise,
            schema.BuiltinOperator.ADD: lambda options, *terms: _activated(options, tf.add(*terms)),
            schema.BuiltinOperator.RESHAPE: lambda _, values, shape: tf.reshape(values, shape),
            schema.BuiltinOperator.CONCATENATION: lambda options, *parts: tf.concat(
                parts, options.axis
            ),
        }

    def __call__(self, images: Any) -> tuple[Any, Any]:
        values = {self._graph.inputs[0]: images}
        for operator in self._graph.operators:
            code = self._model.operatorCodes[operator.opcodeIndex]
            inputs = [
                values[index] if index in values else self._constant(index)
                for index in operator.inputs
            ]
            kind = max(code.builtinCode, code.deprecatedBuiltinCode)
            values[operator.outputs[0]] = self._replay[kind](operator.builtinOptions, *inputs)
        boxes, logits = (values[index] for index in self._graph.outputs)
        return boxes, tf.sigmoid(logits)

    def _constant(self, index: int) -> Array:
        tensor = self._graph.tensors[index]
        dtypes = {
            schema.TensorType.FLOAT16: np.float16,
            schema.TensorType.FLOAT32: np.float32,
            schema.TensorType.INT32: np.int32,
        }
        data = self._model.buffers[tensor.buffer].data
        return np.frombuffer(data.tobytes(), dtypes[tensor.type]).reshape(tensor.shape)


def _activated(options: Any, values: Any) -> Any:
    return _ACTIVATIONS[options.fusedActivationFunction](values)


def _convolve(options: Any, images: Any, kernel: Array, bias: Array) -> Any:
    strides = (1, options.strideH, options.strideW, 1)
    kernel = kernel.transpose(1, 2, 3, 0)  # out, height, width, in -> height, width, in, out
    return _activated(
        options, tf.nn.conv2d(images, kernel, strides, _PADDINGS[options.padding]) + bias
    )


def _convolve_depthwise(options: Any, images: Any, kernel: Array, bias: Array) -> Any:
    strides = (1, options.strideH, options.strideW, 1)
    kernel = kernel.transpose(
        1, 2, 3, 0
    )  # 1, height, width, channels -> height, width, channels, 1
    return _activated(
        options, tf.nn.depthwise_conv2d(images, kernel, strides, _PADDINGS[options.padding]) + bias
    )


def anchors() -> Array:
    """The 1,917 anchors as (y centre, x centre, height, width), relative."""
    rows = [row for layer in range(len(STRIDES)) for row in _layer_anchors(layer)]
    return np.array(rows, np.float32)


def _layer_anchors(layer: int) -> list[tuple[float, float, float, float]]:
    cells = math.ceil(SIZE / STRIDES[layer])
    centres = [(index + 0.5) / cells for index in range(cells)]
    shapes = [
        (scale / math.sqrt(ratio), scale * math.sqrt(ratio))
        for scale, ratio in _layer_scales(layer)
    ]
    return [(y, x, height, width) for y in centres for x in centres for height, width in shapes]


def _layer_scales(layer: int) -> list[tuple[float, float]]:
    """Scale and aspect ratio of each anchor of a cell: three in the lowest layer, else six."""
    scale = _scale(layer)
    if layer == 0:
        return [(LOWEST_LAYER_SCALE, 1.0), (scale, 2.0), (scale, 0.5)]
    return [
        *((scale, ratio) for ratio in ASPECT_RATIOS),
        (math.sqrt(scale * _scale(layer + 1)), 1.0),
    ]


def _scale(layer: int) -> float:
    if layer == len(STRIDES):
        return 1.0
    return MIN_SCALE + (MAX_SCALE - MIN_SCALE) * layer / (len(STRIDES) - 1)


def float_network(packages: PackageReader) -> TFLiteGraph:
    """The graph with the package's weights."""
    return TFLiteGraph(packages.read(OBJECTRON, _ASSETS)[_MODEL])


def normalised(pixels: Pixels) -> FloatImages:
    """RGB bytes as the float graph takes them, a batch of one."""
    return ((pixels.astype(np.float32) - MEAN) * SCALE)[None]


def make_export(packages: PackageReader) -> Export:
    """The uint8 model with its side files."""
    labels = _labels(packages)
    model = unpack(convert(float_network(packages), SIZE, _calibration(packages), tf.float32))
    set_input_name(model, INPUT, SCALE, MEAN)
    _append_postprocess(model, len(labels) - 1)
    return Export(
        model=pack(model, _DESCRIPTION),
        labels=labels,
        metadata=_metadata(),
        settings=_MODEL_TOML,
        licence=_licence(packages),
    )


def _calibration(packages: PackageReader) -> list[FloatImages]:
    whole = (stretch(photo.open(packages), SIZE) for photo in CALIBRATION)
    parts = crops(CALIBRATION, CALIBRATION_CROPS, SIZE, packages)
    return [normalised(pixels) for source in (whole, parts) for pixels in source]


def _append_postprocess(model: Any, classes: int) -> None:
    """Adds the anchors and the post-processing operator behind the two heads."""
    graph = model.subgraphs[0]
    by_width = {int(graph.tensors[index].shape[-1]): index for index in graph.outputs}
    boxes, scores = by_width[4], by_width[classes + 1]
    graph.tensors[boxes].name, graph.tensors[scores].name = (
        "raw_outputs/box_encodings",
        "raw_outputs/class_scores",
    )
    inputs = [boxes, scores, _add_tensor(model, "anchors", anchors())]
    outputs = [_add_tensor(model, name) for name in OUTPUTS]
    graph.operators.append(_postprocess_operator(model, inputs, outputs, classes))
    graph.outputs = outputs


def _add_tensor(model: Any, name: str, values: Array | None = None) -> int:
    """Adds a float32 tensor, constant where values are given; its index."""
    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.shape = name, schema.TensorType.FLOAT32, []
    if values is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.astype("<f4").tobytes(), np.uint8)
        tensor.shape, tensor.buffer = list(values.shape), len(model.buffers)
        model.buffers.append(buffer)
    tensors = model.subgraphs[0].tensors
    tensors.append(tensor)
    return len(tensors) - 1


def _postprocess_operator(model: Any, inputs: list[int], outputs: list[int], classes: int) -> Any:
    code = schema.OperatorCodeT()
    code.customCode, code.version = POSTPROCESS, 1
    code.builtinCode = schema.BuiltinOperator.CUSTOM
    code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs, operator.outputs = inputs, outputs
    operator.customOptions = np.frombuffer(
        flexbuffers.Dumps(_postprocess_options(classes)), np.uint8
    )
    return operator


def _postprocess_options(classes: int) -> dict[str, Any]:
    """AutoML's options: class-agnostic suppression, the best class of each box, 40 rows."""
    return {
        "detections_per_class": 100,
        "h_scale": 5.0,
        "max_classes_per_detection": 1,
        "max_detections": MAX_DETECTIONS,
        "nms_iou_threshold": IOU_THRESHOLD,
        "nms_score_threshold": 1e-8,
        "num_classes": classes,
        "use_regular_nms": False,
        "w_scale": 5.0,
        "x_scale": 10.0,
        "y_scale": 10.0,
    }


def _labels(packages: PackageReader) -> tuple[str, ...]:
    unknown, *labels = packages.read(OBJECTRON, _ASSETS)[_LABEL_MAP].decode("utf-8").split("\n")
    if unknown != _UNKNOWN_LABEL:
        raise ValueError(f"the label map begins with {unknown!r}")
    return (BACKGROUND, *(label for label in labels if label))


def _metadata() -> dict[str, object]:
    return {
        "inferenceType": "QUANTIZED_UINT8",
        "inputShape": [1, SIZE, SIZE, 3],
        "inputTensor": INPUT,
        "maxDetections": MAX_DETECTIONS,
        "outputTensorRepresentation": [
            "bounding_boxes",
            "class_labels",
            "class_confidences",
            "num_of_boxes",
        ],
        "outputTensors": list(OUTPUTS),
    }


def _licence(packages: PackageReader) -> str:
    parts = (
        (
            f"The package {OBJECTRON.name} {OBJECTRON.version} states "
            '"license": "Apache-2.0" and carries no licence file.'
        ),
        "The Apache License 2.0 in full:",
        packages.read(APACHE_TEXT, "absl_py-2.5.1.dist-info/licenses/LICENSE").decode(),
    )
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"
