"""TensorFlow's part of the test of SavedModels, in its own process.

    python tensorflow_side.py MODEL FOLDER

runs FOLDER/pictures/* through FOLDER/model-0 (single-label) and FOLDER/model-1 (multi-label), and
through the backbone of MODEL, a TFLite file, with the heads in FOLDER/model-*.npz, as TensorFlow
builds, decodes and stretches it. Prints the JSON of both.
"""

import json
import sys
from pathlib import Path

import numpy as np

from edge.runtime.tensorflow import tf
from edge.training.float_network import FloatBackbone

HEIGHT, WIDTH = 224, 224


def expected_scores(backbone, head, encoded, multi_label):
    rows = []
    for content in encoded:
        pixels = tf.io.decode_image(content, channels=3, expand_animations=False)
        stretched = tf.image.resize(pixels, (HEIGHT, WIDTH), antialias=True)
        normalised = (stretched - backbone.mean) / backbone.std
        logits = backbone(normalised[tf.newaxis]) @ head["weights"].T + head["bias"]
        scores = tf.sigmoid(logits) if multi_label else tf.nn.softmax(logits)
        rows.append(scores[0].numpy().tolist())
    return rows


def answers(folder, encoded):
    serve = tf.saved_model.load(str(folder)).signatures["serving_default"]
    keys = tf.constant([str(number) for number in range(len(encoded))])
    batch = serve(image_bytes=tf.constant(encoded), key=keys)
    single = [
        serve(image_bytes=tf.constant([content]), key=keys[:1])["scores"] for content in encoded
    ]
    return {
        "one by one": np.concatenate(single).tolist(),
        "batch": batch["scores"].numpy().tolist(),
        "labels": [[label.decode() for label in row] for row in batch["labels"].numpy()],
        "keys": [key.decode() for key in batch["key"].numpy()],
        "with a broken picture": failure(serve, [encoded[0], b"no picture"]),
    }


def failure(serve, encoded):
    try:
        serve(image_bytes=tf.constant(encoded), key=tf.constant(["", ""]))
    except tf.errors.OpError as error:
        return type(error).__name__
    return None


def main(model, folder):
    encoded = [file.read_bytes() for file in sorted((folder / "pictures").iterdir())]
    backbone = FloatBackbone(model.read_bytes(), model.name)
    found = []
    for multi_label in (False, True):
        head = np.load(folder / f"model-{int(multi_label)}.npz")
        expected = expected_scores(backbone, head, encoded, multi_label)
        found.append(
            {"expected": expected, **answers(folder / f"model-{int(multi_label)}", encoded)}
        )
    print(json.dumps(found))  # noqa: T201 -- for the test


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
