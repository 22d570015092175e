"""TensorFlow's part of the SavedModel tests, in its own process: makes exports and answers.

    python tensorflow_side.py FOLDER

writes to FOLDER/models a small export of each kind that AutoML has made (random weights, the
documented signatures, decode and resize in the graph), runs every file of FOLDER/images through
each with `tf.saved_model.load`, one by one, and writes the outputs to FOLDER/answers.json as
{model: {image: {output: value} or null where the graph fails}}.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
SIDE = 16
ROWS = 40
LABELS = ["daisy", "Löwenzahn", "rose", "sunflower", "tulip"]
RNG = np.random.default_rng(20201)


def weights(columns: int) -> np.ndarray:
    return RNG.normal(0, 0.05, (SIDE * SIDE * 3, columns)).astype(np.float32)


def pixels(encoded: Any) -> Any:
    """One decoded image in -1..1, as AutoML's graphs scale it."""
    return tf.cast(tf.io.decode_jpeg(encoded, channels=3), tf.float32) * (2 / 255) - 1


def stretch(images: Any) -> Any:
    """TensorFlow 1's bilinear kernel, without half-pixel centres."""
    return v1.image.resize_bilinear(images, [SIDE, SIDE])


def each(encoded: Any) -> Any:
    """Features of images of any sizes: each is resized before they are stacked."""
    small = tf.map_fn(
        lambda one: stretch(pixels(one)[tf.newaxis])[0], encoded, fn_output_signature=tf.float32
    )
    return tf.reshape(small, [-1, SIDE * SIDE * 3])


def stacked(encoded: Any) -> Any:
    """Features of images of one size: stacked before the resize, as in AutoML's detectors."""
    images = tf.map_fn(pixels, encoded, fn_output_signature=tf.float32)
    return tf.reshape(stretch(images), [-1, SIDE * SIDE * 3])


def names_table() -> Any:
    """The one table of an AutoML graph: class number, from 1, to name."""
    keys = tf.constant([0, *range(1, len(LABELS) + 1)], tf.int64)
    values = tf.constant(["background", *LABELS])
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), "")


def classification(encoded: Any, key: Any, matrix: Any, table: Any, squash: Any) -> dict[str, Any]:
    scores = squash(each(encoded) @ matrix)
    names = table.lookup(tf.range(1, len(LABELS) + 1, dtype=tf.int64))
    labels = tf.tile(names[tf.newaxis], [tf.shape(scores)[0], 1])
    return {"scores": scores, "labels": labels, "key": tf.identity(key)}


def detection(encoded: Any, matrices: tuple[Any, Any], table: Any) -> dict[str, Any]:
    features = stacked(encoded)
    count = tf.shape(features)[0]
    corners = tf.reshape(tf.sigmoid(features @ matrices[0] * 3), [-1, ROWS, 2, 2])
    boxes = tf.reshape(
        tf.stack([tf.reduce_min(corners, 2), tf.reduce_max(corners, 2)], 2), [-1, ROWS, 4]
    )
    multiclass = tf.nn.softmax(tf.reshape(features @ matrices[1] * 3, [-1, ROWS, 1 + len(LABELS)]))
    scores = tf.reduce_max(multiclass[:, :, 1:], 2)
    order = tf.argsort(scores, direction="DESCENDING", stable=True)
    multiclass = tf.gather(multiclass, order, batch_dims=1)
    classes = tf.argmax(multiclass[:, :, 1:], 2) + 1
    return {
        "detection_boxes": tf.gather(boxes, order, batch_dims=1),
        "detection_scores": tf.gather(scores, order, batch_dims=1),
        "detection_classes": tf.cast(classes, tf.float32),
        "detection_classes_as_text": table.lookup(classes),
        "detection_multiclass_scores": multiclass,
        "num_detections": tf.fill([count], float(ROWS)),
    }


def old_style(folder: Path, build: Any, *, keyed: bool = True) -> None:
    """Frozen by TensorFlow 1: nothing but `saved_model.pb`, and one table to initialise."""
    with tf.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.string, [None], "image_bytes")
        key = v1.placeholder(tf.string, [None], "key")
        outputs = build(image, key)
        info = v1.saved_model.utils.build_tensor_info
        inputs = {"image_bytes": image, "key": key} if keyed else {"image_bytes": image}
        signature = v1.saved_model.build_signature_def(
            {name: info(tensor) for name, tensor in inputs.items()},
            {name: info(tensor) for name, tensor in outputs.items()},
            "tensorflow/serving/predict",
        )
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, main_op=v1.tables_initializer()
        )
        builder.save()
    for empty in ("variables", "assets"):
        if (folder / empty).is_dir():
            (folder / empty).rmdir()


class NewDetector(tf.Module):
    """As newer exporters do: `encoded_image`, variables in files, a twin signature without key."""

    def __init__(self) -> None:
        super().__init__()
        self.boxes = tf.Variable(weights(ROWS * 4))
        self.classes = tf.Variable(weights(ROWS * (1 + len(LABELS))))
        self.table = names_table()

    def _detect(self, encoded: Any) -> dict[str, Any]:
        info = tf.constant([[[480.0, 640.0], [1.0, 1.0]]])
        outputs = detection(encoded, (self.boxes, self.classes), self.table)
        return outputs | {"image_info": tf.tile(info, [tf.shape(encoded)[0], 1, 1])}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "encoded_image"), tf.TensorSpec([None], tf.string, "key")])  # fmt: skip  # noqa: E501 -- one signature
    def with_key(self, encoded_image: Any, key: Any) -> dict[str, Any]:
        return self._detect(encoded_image) | {"key": tf.identity(key)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "encoded_image")])
    def without_key(self, encoded_image: Any) -> dict[str, Any]:
        return self._detect(encoded_image)


class NewClassifier(tf.Module):
    """Multi-label, with variables in files."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = tf.Variable(weights(len(LABELS)))
        self.table = names_table()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes"), tf.TensorSpec([None], tf.string, "key")])  # fmt: skip  # noqa: E501 -- one signature
    def serve(self, image_bytes: Any, key: Any) -> dict[str, Any]:
        return classification(image_bytes, key, self.matrix, self.table, tf.sigmoid)


def make(models: Path) -> None:
    matrix, boxes, classes = (
        weights(len(LABELS)),
        weights(ROWS * 4),
        weights(ROWS * (1 + len(LABELS))),
    )

    def old_classifier(image: Any, key: Any) -> dict[str, Any]:
        return classification(image, key, tf.constant(matrix), names_table(), tf.nn.softmax)

    def old_detector(image: Any, key: Any) -> dict[str, Any]:
        found = detection(image, (tf.constant(boxes), tf.constant(classes)), names_table())
        info = tf.constant([[512, 512, 1, 0, 512, 512]], tf.int32)
        return found | {
            "image_info": tf.tile(info, [tf.shape(image)[0], 1]),
            "key": tf.identity(key),
        }

    def scores_alone(image: Any, _: Any) -> dict[str, Any]:
        return {"scores": tf.nn.softmax(each(image) @ tf.constant(matrix))}

    old_style(models / "scores-alone", scores_alone, keyed=False)
    (models / "scores-alone" / "dict.txt").write_text("\n".join(LABELS), "utf-8")
    old_style(models / "classifier" / "0001", old_classifier)  # as Google's container mounts it
    old_style(models / "detector", old_detector)
    new_classifier, new_detector = NewClassifier(), NewDetector()
    tf.saved_model.save(
        new_classifier, str(models / "new-classifier"), {"serving_default": new_classifier.serve}
    )
    signatures = {
        "serving_default": new_detector.with_key,
        "serving_default_without_key": new_detector.without_key,
    }
    tf.saved_model.save(new_detector, str(models / "new-detector" / "7"), signatures)


def answers(folder: Path, images: list[Path]) -> dict[str, Any]:
    model = tf.saved_model.load(str(folder), tags=["serve"])
    serve = model.signatures["serving_default"]
    inputs = set(serve.structured_input_signature[1])
    (image_input,) = inputs - {"key"}
    found: dict[str, Any] = {}
    for image in images:
        feeds = {image_input: tf.constant([image.read_bytes()])}
        if "key" in inputs:
            feeds["key"] = tf.constant([image.name])
        try:
            outputs = serve(**feeds)
        except tf.errors.InvalidArgumentError:
            found[image.name] = None
            continue
        found[image.name] = {output: plain(tensor.numpy()[0]) for output, tensor in outputs.items()}
    return found


def plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return [plain(one) for one in value] if isinstance(value, np.ndarray) else value.item()


def main(folder: Path) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(1)
    make(folder / "models")
    images = sorted((folder / "images").iterdir())
    judged = {
        model.relative_to(folder / "models").parts[0]: answers(model.parent, images)
        for model in sorted((folder / "models").rglob("saved_model.pb"))
    }
    (folder / "answers.json").write_text(json.dumps(judged))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
