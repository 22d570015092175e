"""The built-in classifier's backbone as a TensorFlow function whose weights can be trained.

Needs TensorFlow; import this late.
"""

from __future__ import annotations

from typing import Any, Final

from edge.runtime.tensorflow import tf  # type: ignore[attr-defined]  # hides the banner
from edge.training.float_layers import Addition, Convolution, read_float_layers

_ACTIVATIONS: Final = {
    "": lambda values: values,
    "Relu": tf.nn.relu,
    "Relu6": tf.nn.relu6,
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
        read = read_float_layers(data, name)
        self.mean, self.std = read.mean, read.std
        self._image, self._features = read.image, read.features
        self._layers = read.layers
        convolutions = [layer for layer in read.layers if isinstance(layer, Convolution)]
        self.kernels: list[Any] = [tf.Variable(layer.kernel) for layer in convolutions]
        self.biases: list[Any] = [tf.Variable(layer.bias) for layer in convolutions]

    def __call__(self, images: Any) -> Any:
        """Features float32 [pictures, features] of normalised images [pictures, h, w, 3]."""
        return self.tensors(images)[self._features]

    def tensors(self, images: Any) -> dict[int, Any]:
        """What every layer gives for such images, by the tensor's number in the file."""
        values = {self._image: images}
        weights = zip(self.kernels, self.biases, strict=True)
        for layer in self._layers:
            if isinstance(layer, Convolution):
                values[layer.target] = _convolve(layer, values[layer.source], *next(weights))
            elif isinstance(layer, Addition):
                first, second = (values[source] for source in layer.sources)
                values[layer.target] = _ACTIVATIONS[layer.activation](first + second)
            else:
                values[layer.target] = tf.reduce_mean(values[layer.source], axis=(1, 2))
        return values


def _convolve(layer: Convolution, values: Any, kernel: Any, bias: Any) -> Any:
    convolve = tf.nn.depthwise_conv2d if layer.is_depthwise else tf.nn.conv2d
    strides = (1, *layer.strides, 1)
    return _ACTIVATIONS[layer.activation](convolve(values, kernel, strides, layer.padding) + bias)
