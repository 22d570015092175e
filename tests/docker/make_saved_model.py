"""Writes a SavedModel of the form that AutoML's container export has; needs TensorFlow.

    python make_saved_model.py FOLDER

Two classes, decided by the mean of red against that of blue: the scores follow from the picture,
so that a wrong one is noticed. Run as a script, also inside the full image.
"""

import sys

import tensorflow as tf

LABELS = ("red", "blue")
SIZE = 224


class RedOrBlue(tf.Module):
    """Map `image_bytes` and `key` to `scores`, `labels`, `key`, decoding as AutoML's models do."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, name="image_bytes"),
            tf.TensorSpec([None], tf.string, name="key"),
        ]
    )
    def serve(self, image_bytes, key):
        """The signature."""
        means = tf.map_fn(self._channel_means, image_bytes, fn_output_signature=tf.float32)
        scores = tf.nn.softmax(tf.stack([means[:, 0], means[:, 2]], axis=1) / 32)
        return {"scores": scores, "labels": tf.tile([LABELS], [tf.shape(scores)[0], 1]), "key": key}

    def _channel_means(self, encoded):
        pixels = tf.io.decode_jpeg(encoded, channels=3)
        return tf.reduce_mean(tf.image.resize(pixels, (SIZE, SIZE)), axis=(0, 1))


if __name__ == "__main__":
    module = RedOrBlue()
    tf.saved_model.save(module, sys.argv[1], signatures={"serving_default": module.serve})
