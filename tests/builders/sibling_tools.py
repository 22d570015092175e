"""Exports as Teachable Machine, Lobe and Azure Custom Vision make them, of tiny models that run.

Their classes are the values of the input: a wrong range, channel order, region or kernel changes
every score.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps

from builders.tflite import (
    FLOAT,
    INT8,
    RESHAPE,
    SOFTMAX,
    UINT8,
    OperatorSpec,
    TensorSpec,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SIDE = 4
CLASSES = SIDE * SIDE * 3
LABELS = tuple(f"thing {index}" for index in range(CLASSES))
CODES = {"ADD": 0, "MUL": 18, "SUB": 41, "DIV": 42}
OPTIONS = {
    "ADD": (schema.BuiltinOptions.AddOptions, schema.AddOptionsT),
    "MUL": (schema.BuiltinOptions.MulOptions, schema.MulOptionsT),
    "SUB": (schema.BuiltinOptions.SubOptions, schema.SubOptionsT),
    "DIV": (schema.BuiltinOptions.DivOptions, schema.DivOptionsT),
}


def model(
    name: str = "image",
    *,
    dtype: int = FLOAT,
    scaling: Sequence[tuple[str, Sequence[float]]] = (),
    quantization: tuple[float, int] | None = None,
    side: int = SIDE,
    scores: str = "scores",
    metadata: bytes | None = None,
) -> bytes:
    """A classifier: scales its input by these operators, and returns a softmax of all values."""
    shape = [1, side, side, 3]
    classes = side * side * 3
    stored = quantization or {FLOAT: None, UINT8: (1.0, 0), INT8: (1.0, -128)}[dtype]
    score = {FLOAT: None, UINT8: (1 / 256, 0), INT8: (1 / 256, -128)}[dtype]
    tensors = [TensorSpec(name, shape, dtype, stored)]
    operators = []
    for operator, values in scaling:
        constant = np.array(values, "<f4").tobytes()
        tensors.append(TensorSpec(f"{operator}/y", [len(values)], data=constant))
        tensors.append(TensorSpec(f"{operator}{len(tensors)}", shape, dtype))
        kind, options = OPTIONS[operator]
        last = len(tensors) - 1
        operators.append(
            OperatorSpec(
                CODES[operator],
                [last - 2 if operators else 0, last - 1],
                [last],
                builtin_options=(kind, options()),
            )
        )
    image = len(tensors) - 1
    tensors += [
        TensorSpec("flat", [1, classes], dtype, stored),
        TensorSpec(scores, [1, classes], dtype, score),
    ]
    reshape, softmax = schema.ReshapeOptionsT(), schema.SoftmaxOptionsT()
    reshape.newShape, softmax.beta = [1, classes], 1.0
    operators += [
        OperatorSpec(
            RESHAPE,
            [image],
            [image + 1],
            builtin_options=(schema.BuiltinOptions.ReshapeOptions, reshape),
        ),
        OperatorSpec(
            SOFTMAX,
            [image + 1],
            [image + 2],
            builtin_options=(schema.BuiltinOptions.SoftmaxOptions, softmax),
        ),
    ]
    return write(tensors, operators, [0], [image + 2], metadata=metadata)


def litert_scores(content: bytes, tensor: np.ndarray) -> np.ndarray:
    """What LiteRT alone answers to a tensor [height, width, 3], dequantised."""
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    (image,), (scores,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(image["index"], tensor[np.newaxis].astype(image["dtype"]))
    interpreter.invoke()
    found = interpreter.get_tensor(scores["index"])[0].astype(np.float64)
    scale, zero_point = scores["quantization"]
    return (found - zero_point) * scale if scale else found


def photo(width: int = 24, height: int = 16) -> Image.Image:
    """Noise of low contrast, of another kind at the sides than in the centre, reddish."""
    chance = np.random.default_rng(7)
    pixels = chance.integers(100, 109, (height, width, 3), np.uint8)
    pixels[:, : width // 6] += 20
    pixels[:, :, 0] += 4
    return Image.fromarray(pixels)


def fitted(picture: Image.Image, kernel: Image.Resampling) -> np.ndarray:
    """The centred square as float32 [SIDE, SIDE, 3], 0..255, by Pillow alone."""
    return np.asarray(ImageOps.fit(picture, (SIDE, SIDE), kernel)).astype(np.float32)


def encoded(picture: Image.Image) -> bytes:
    """The picture as PNG."""
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def teachable_machine(
    folder: Path, content: bytes | None = None, name: str = "model_unquant.tflite"
) -> Path:
    """A folder as Teachable Machine's TFLite download, with numbered labels."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content or model("sequential_1_input"))
    lines = "".join(f"{index} {label}\n" for index, label in enumerate(LABELS))
    (folder / "labels.txt").write_text(lines)
    return folder


LOBE_SCALING = (("MUL", [2.0]), ("SUB", [1.0]))


def lobe(folder: Path, content: bytes | None = None, **changes: Any) -> Path:
    """A folder as Lobe's TFLite export, without `labels.txt`."""
    folder.mkdir(exist_ok=True)
    content = content or model("Image", scaling=LOBE_SCALING, scores="dense/Softmax")
    (folder / "saved_model.tflite").write_bytes(content)
    shape = [None, SIDE, SIDE, 3]
    signature = {
        "doc_id": "1",
        "doc_name": "things",
        "format": "tf_lite",
        "version": 1,
        "inputs": {"Image": {"dtype": "float32", "shape": shape, "name": "Image"}},
        "outputs": {"Confidences": {"dtype": "float32", "name": "dense/Softmax:0"}},
        "tags": None,
        "classes": {"Label": list(LABELS)},
        "filename": "saved_model.tflite",
        "export_model_version": 1,
    }
    (folder / "signature.json").write_text(json.dumps(signature | changes))
    return folder


PROPERTIES = {
    "CustomVision.Metadata.Version": "1.2",
    "CustomVision.Postprocess.Method": "ClassificationMultiClass",
    "CustomVision.Preprocess.CropHeight": "0",
    "CustomVision.Preprocess.CropMethod": "NoCrop",
    "CustomVision.Preprocess.CropWidth": "0",
    "CustomVision.Preprocess.MaxDimension": "0",
    "CustomVision.Preprocess.MaxScale": "0.0",
    "CustomVision.Preprocess.NormalizeMean": "[0.0, 0.0, 0.0]",
    "CustomVision.Preprocess.NormalizeStd": "[1.0, 1.0, 1.0]",
    "CustomVision.Preprocess.ResizeMethod": "Stretch",
    "CustomVision.Preprocess.TargetHeight": str(SIDE),
    "CustomVision.Preprocess.TargetWidth": str(SIDE),
    "Image.BitmapPixelFormat": "Rgb8",
    "Image.ColorSpaceGamma": "SRGB",
    "Image.NominalPixelRange": "NominalRange_0_255",
}


def custom_vision(
    folder: Path,
    content: bytes | None = None,
    *,
    properties: Mapping[str, Any] | None = PROPERTIES,
    **changes: Any,
) -> Path:
    """A folder as Custom Vision's TFLite export; of 2019 if it has no properties."""
    folder.mkdir(exist_ok=True)
    (folder / "model.tflite").write_bytes(content or model("Placeholder"))
    (folder / "labels.txt").write_bytes("\r\n".join(LABELS).encode())
    manifest = {
        "DomainType": "Classification",
        "Platform": "TensorFlow",
        "Flavor": "TensorFlowLite",
        "ExporterVersion": "2.0",
        "ExportedDate": "2019-05-13T12:00:00Z" if properties is None else "2023-01-01T00:00:00Z",
        "ModelFileName": "model.tflite",
        "LabelFileName": "labels.txt",
        "SchemaVersion": "1.0",
    }
    if properties is not None:
        manifest["MetadataPropsFileName"] = "metadata_properties.json"
        (folder / "metadata_properties.json").write_text(json.dumps(properties))
    (folder / "cvexport.manifest").write_text(json.dumps(manifest | changes))
    return folder
