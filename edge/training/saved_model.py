"""Writes the SavedModel of an AutoML export: encoded images in, scores and labels out.

Needs TensorFlow; import this late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.runtime.tensorflow import tf  # type: ignore[attr-defined]  # hides the banner

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.training.float_network import FloatBackbone
    from edge.training.head import Head


def write_saved_model(
    folder: Path, backbone: FloatBackbone, head: Head, labels: Sequence[str], size: tuple[int, int]
) -> None:
    """Write the float network with AutoML's signature.

    ``image_bytes`` and ``key``, string [N], give ``scores`` float32 [N, labels], ``labels`` string
    [N, labels] and ``key``. The graph decodes JPEG, PNG, GIF and BMP and stretches the whole image.

    Args:
        size: height and width of the input in pixels.
    """
    network = _Classifier(backbone, head, labels, size)
    tf.saved_model.save(network, str(folder), signatures={"serving_default": network.serve})


class _Classifier(tf.Module):  # type: ignore[misc]
    """The network as a graph. Weights are constants, as in a graph that AutoML froze."""

    def __init__(
        self, backbone: FloatBackbone, head: Head, labels: Sequence[str], size: tuple[int, int]
    ) -> None:
        super().__init__()
        self._backbone = backbone
        self._head = head
        self._labels = [label.encode() for label in labels]
        self._size = size

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[
            tf.TensorSpec([None], tf.string, name="image_bytes"),
            tf.TensorSpec([None], tf.string, name="key"),
        ]
    )
    def serve(self, image_bytes: Any, key: Any) -> dict[str, Any]:
        """The signature."""
        images = tf.map_fn(self._pixels, image_bytes, fn_output_signature=tf.float32)
        images.set_shape([None, *self._size, 3])
        logits = self._backbone(images) @ self._head.weights.T + self._head.bias
        scores = tf.sigmoid(logits) if self._head.multi_label else tf.nn.softmax(logits)
        labels = tf.tile([self._labels], [tf.shape(scores)[0], 1])
        return {"scores": scores, "labels": labels, "key": tf.identity(key)}

    def _pixels(self, encoded: Any) -> Any:
        pixels = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        small = tf.image.resize(pixels, self._size, antialias=True)
        return (small - self._backbone.mean) / self._backbone.std
