"""TensorFlow's part of the tests of the sibling tools' SavedModels, in its own process.

    python sibling_side.py FOLDER

writes to FOLDER/models a SavedModel as each tool exports it, with the values of its input as
classes, runs FOLDER/photo.png through each with Pillow and TensorFlow alone, as the tool's own code
does, and writes the scores to FOLDER/answers.json.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps

v1 = tf.compat.v1
SIDE = 4
CLASSES = SIDE * SIDE * 3
LABELS = [f"thing {index}" for index in range(CLASSES)]
PROPERTIES = {
    "CustomVision.Preprocess.NormalizeMean": "[0.0, 0.0, 0.0]",
    "CustomVision.Preprocess.NormalizeStd": "[1.0, 1.0, 1.0]",
    "CustomVision.Preprocess.ResizeMethod": "Stretch",
    "CustomVision.Preprocess.CropMethod": "NoCrop",
    "Image.BitmapPixelFormat": "Rgb8",
    "Image.NominalPixelRange": "NominalRange_0_255",
}


class TeachableMachine(tf.Module):
    """Keras names the input after the model."""

    @tf.function(
        input_signature=[tf.TensorSpec([None, SIDE, SIDE, 3], tf.float32, "sequential_1_input")]
    )
    def serve(self, sequential_1_input: Any) -> dict[str, Any]:
        return {"sequential_3": tf.nn.softmax(tf.reshape(sequential_1_input, [-1, CLASSES]))}


class CustomVision(tf.Module):
    """With variables in files; may scale its input first."""

    def __init__(self, factor: float, offset: float) -> None:
        super().__init__()
        self.ones = tf.Variable(tf.ones([CLASSES]))
        self.factor, self.offset = factor, offset

    @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 3], tf.float32, "data")])
    def serve(self, data: Any) -> dict[str, Any]:
        if self.factor != 1:
            data = data * self.factor - self.offset
        return {"model_output": tf.nn.softmax(tf.reshape(data, [-1, CLASSES]) * self.ones)}


def lobe(folder: Path) -> None:
    """Of TensorFlow 1; the graph itself goes on from 0..1 to -1..1."""
    with tf.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.float32, [None, SIDE, SIDE, 3], "Image")
        weights = v1.get_variable("ones", [CLASSES], initializer=v1.ones_initializer())
        scores = tf.nn.softmax(tf.reshape(image * 2.0 - 1.0, [-1, CLASSES]) * weights)
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(folder), {"Image": image}, {"Confidences": scores})
    signature = {
        "format": "tf",
        "filename": "saved_model.pb",
        "inputs": {
            "Image": {"dtype": "float32", "shape": [None, SIDE, SIDE, 3], "name": "Image:0"}
        },
        "outputs": {"Confidences": {"dtype": "float32", "name": "Softmax:0"}},
        "classes": {"Label": LABELS},
        "tags": ["serve"],
    }
    (folder / "signature.json").write_text(json.dumps(signature))


def teachable_machine(folder: Path) -> None:
    model = TeachableMachine()
    saved = folder / "model.savedmodel"
    tf.saved_model.save(model, str(saved), {"serving_default": model.serve})
    numbered = "".join(f"{index} {label}\n" for index, label in enumerate(LABELS))
    (folder / "labels.txt").write_text(numbered)


def custom_vision(
    folder: Path, properties: dict[str, str] | None, factor: float = 1.0, offset: float = 0.0
) -> None:
    model = CustomVision(factor, offset)
    tf.saved_model.save(model, str(folder), {"serving_default": model.serve})
    manifest = {
        "DomainType": "Classification",
        "Flavor": "TensorFlowSavedModel",
        "ExporterVersion": "2.0",
        "ExportedDate": "2019-06-01" if properties is None else "2023-06-01",
        "ModelFileName": "saved_model.pb",
        "LabelFileName": "labels.txt",
    }
    if properties is not None:
        manifest["MetadataPropsFileName"] = "metadata_properties.json"
        (folder / "metadata_properties.json").write_text(json.dumps(properties))
    (folder / "labels.txt").write_bytes("\r\n".join(LABELS).encode())
    (folder / "cvexport.manifest").write_text(json.dumps(manifest))


def main(folder: Path) -> None:
    models = folder / "models"
    unit = PROPERTIES | {"Image.NominalPixelRange": "Normalized_0_1"}
    teachable_machine(models / "converted_savedmodel")
    lobe(models / "lobe")
    custom_vision(models / "cv-2019", None)
    custom_vision(models / "cv-bytes", PROPERTIES)
    custom_vision(models / "cv-unit", unit, 2.0, 1.0)
    custom_vision(folder / "contradicted", PROPERTIES, 2.0, 1.0)

    photo = Image.open(folder / "photo.png").convert("RGB")
    size = (SIDE, SIDE)

    def fit(kernel: Any) -> Any:
        return np.asarray(ImageOps.fit(photo, size, kernel), np.float32)

    stretched = np.asarray(photo.resize(size, Image.Resampling.BILINEAR), np.float32)
    bgr = fit(Image.Resampling.BILINEAR)[:, :, ::-1]
    fed = {
        "converted_savedmodel": fit(Image.Resampling.LANCZOS) / 127.5 - 1,
        "lobe": fit(Image.Resampling.BICUBIC) / 255,
        "cv-2019": bgr - np.array([105, 117, 124], np.float32),
        "cv-bytes": stretched,
        "cv-unit": stretched / 255,
    }
    answers = {}
    for name, tensor in fed.items():
        (saved,) = (models / name).rglob("saved_model.pb")
        serve = tf.saved_model.load(str(saved.parent), tags=["serve"]).signatures["serving_default"]
        (argument,) = serve.structured_input_signature[1]
        batch = tf.constant(np.ascontiguousarray(tensor)[np.newaxis], tf.float32)
        ((_, scores),) = serve(**{argument: batch}).items()
        answers[name] = scores.numpy()[0].tolist()
    (folder / "answers.json").write_text(json.dumps(answers))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
