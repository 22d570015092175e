"""TensorFlow's part of a test, in its own process: one model as TFLite and as SavedModel.

    python tensorflow_side.py FOLDER PHOTOS

verifies it twice, with nothing but the range in `model.toml` and with the lines that the first run
found, and prints the JSON of both. The SavedModel decodes and stretches in its graph, with
TensorFlow 1's kernel, as AutoML's do. The TFLite file has floats as input, whose range `model.toml`
states.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
from click.testing import CliRunner

from edge.cli import main as edge

SIDE = 16
LABELS = ["daisy", "rose", "tulip"]


class Both(tf.Module):
    def __init__(self) -> None:
        # Neighbouring pixels have opposite weights, so that the kernel matters.
        signs = np.indices((SIDE, SIDE)).sum(0) % 2 * 2 - 1
        weights = np.random.default_rng(3).normal(0, 0.5, (SIDE, SIDE, 3, len(LABELS)))
        self.weights = tf.constant(
            (weights * signs[:, :, None, None]).reshape(-1, len(LABELS)).astype(np.float32)
        )

    @tf.function(input_signature=[tf.TensorSpec([1, SIDE, SIDE, 3], tf.float32, "image")])
    def pixels(self, image):
        return tf.nn.softmax(tf.reshape(image, [-1, SIDE * SIDE * 3]) @ self.weights)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "image_bytes"),
            tf.TensorSpec([None], tf.string, "key"),
        ]
    )
    def serve(self, image_bytes, key):
        images = tf.map_fn(_stretch, image_bytes, fn_output_signature=tf.float32)
        scores = tf.nn.softmax(tf.reshape(images, [-1, SIDE * SIDE * 3]) @ self.weights)
        labels = tf.tile(tf.constant([LABELS]), [tf.shape(scores)[0], 1])
        return {"scores": scores, "labels": labels, "key": tf.identity(key)}


def _stretch(encoded):
    image = tf.cast(tf.io.decode_jpeg(encoded, channels=3), tf.float32) / 127.5 - 1
    return tf.compat.v1.image.resize_bilinear(image[tf.newaxis], [SIDE, SIDE])[0]


def verified(folder: Path, photos: Path) -> Any:
    arguments = ["verify", str(folder), str(photos), "--tolerance", "0.01", "--json"]
    return json.loads(CliRunner().invoke(edge, arguments, catch_exceptions=False).stdout)


def main(folder: Path, photos: Path) -> None:
    make(folder)
    before = verified(folder, photos)
    with (folder / "model.toml").open("a") as file:
        file.write("\n".join(before["against"][0]["preprocessing"]["model_toml"]))
    for found in (before, verified(folder, photos)):
        print(json.dumps(found))  # noqa: T201 -- for the test


def make(folder: Path) -> None:
    folder.mkdir()
    model = Both()
    tf.saved_model.save(model, str(folder / "saved_model/0001"), {"serving_default": model.serve})
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [model.pixels.get_concrete_function()], model
    )
    (folder / "model.tflite").write_bytes(converter.convert())
    (folder / "dict.txt").write_text("\n".join(LABELS))
    (folder / "model.toml").write_text("mean = 127.5\nstd = 127.5\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
