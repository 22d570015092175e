"""What is not served is refused at load with file, reason and remedy, in words of the user's world."""

import pytest
from builders.saved_model import FLOAT, IMAGE, SCORES, STRING, saved_model
from builders.tflite import classifier, detector

from edge.errors import ExportError
from edge.export.read import read_export

LABELS = "\n".join(f"label {i}" for i in range(12))
MODEL = classifier()
GRAPH = saved_model({"serving_default": (IMAGE, SCORES)})
OTHER_INPUT = {"serving_default": ({"x": (FLOAT, [-1, 224, 224, 3])}, {"y": (FLOAT, [-1, 3])})}

STATE = {"serving_default": ({**IMAGE, "state": (STRING, [-1])}, SCORES)}
NAMELESS = {"serving_default": (IMAGE, {"scores": (FLOAT, [-1, 3])})}
FOREIGN = {"model.tflite": b"hello world, this is no model", "dict.txt": LABELS}

REFUSED = {  # files, then what file, reason and remedy speak of
    "TF.js": ({"model.json": "{}", "group1-shard1of1.bin": b"", "dict.txt": "a"}, "", "TensorFlow.js", '"TFLite"'),
    "Core ML": ({"model.mlmodel": b"\x08", "dict.txt": "a"}, "", "Core ML", '"TFLite"'),
    "Core ML package": ({"m.mlpackage/Manifest.json": "{}"}, "", "Core ML", '"TFLite"'),
    "ONNX": ({"model.onnx": b"\x08"}, "", "ONNX", '"TFLite"'),
    "Keras": ({"model.keras": b"\x08"}, "", "Keras", '"TFLite"'),
    "Edge TPU": ({"edgetpu_model.tflite": detector(operator="edgetpu-custom-op"), "dict.txt": "a"},
                 "/edgetpu_model.tflite", "Edge TPU", 'plain "TFLite"'),
    "labels of another model": ({"m.tflite": MODEL, "dict.txt": "a\nb"},
                                "/dict.txt", "2 labels.*12 classes", "this exact"),
    "empty folder": ({}, "", "it is empty", '"TFLite"'),
    "no model": ({"dict.txt": "a"}, "", r"no model is in it \(dict.txt\)", '"TFLite"'),
    "several models": ({"a.tflite": MODEL, "b.tflite": MODEL, "dict.txt": LABELS},
                       "", "a.tflite, b.tflite", "Name the one"),
    "foreign file": ({"model.tflite": b"hello world, this is no model", "dict.txt": LABELS},
                     "/model.tflite", "not a TFLite file", "Download"),
    "empty file": ({"model.tflite": b"", "dict.txt": LABELS}, "/model.tflite", "not a TFLite file", "Download"),
    "zip called tflite": ({"model.tflite": b"PK\x03\x04" + bytes(40), "dict.txt": LABELS},
                          "/model.tflite", "not a TFLite file", "Download"),
    "renamed pb": ({"model.pb": GRAPH}, "", r"holds model.pb, but no saved_model.pb", "Rename"),
    "truncated pb": ({"saved_model.pb": GRAPH[:-5]}, "/saved_model.pb", "truncated", "Download"),
    "empty pb": ({"saved_model.pb": b""}, "/saved_model.pb", "not a SavedModel", "Download"),
    "foreign pb": ({"saved_model.pb": b"hello"}, "/saved_model.pb", "not a SavedModel", "Download"),
    "training graph": ({"saved_model.pb": saved_model({"serving_default": (IMAGE, SCORES)}, tags=["train"])},
                       "/saved_model.pb", "'serve'", "Download"),
    "no signature": ({"saved_model.pb": saved_model({})}, "/saved_model.pb", "it has none", '"Container"'),
    "unknown signature": ({"saved_model.pb": saved_model(OTHER_INPUT)},
                          "/saved_model.pb", "serving_default: x -> y", '"Container"'),
    "a further input": ({"saved_model.pb": saved_model(STATE)},
                        "/saved_model.pb", "image_bytes, key, state", '"Container"'),
    "no labels anywhere": ({"saved_model.pb": saved_model(NAMELESS)},
                           "/saved_model.pb", "no output labels", "dict.txt"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_an_export_that_cannot_be_served_says_file_reason_and_remedy(case, tmp_path):
    files, file, reason, remedy = REFUSED[case]
    folder = tmp_path / "export"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ExportError, match=reason) as caught:
        read_export(folder)
    assert caught.value.file == f"{folder}{file}"
    assert remedy in caught.value.remedy
    assert caught.value.message.endswith(".")
    assert ".." not in caught.value.message


@pytest.mark.parametrize("name", ["model.json", "model.mlmodel", "model.onnx", "model.keras"])
def test_a_single_file_of_another_format_is_called_by_its_name(name, tmp_path):
    (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(ExportError, match=r"TensorFlow\.js|Core ML|ONNX|Keras"):
        read_export(tmp_path / name)


def test_a_path_that_is_not_there_is_said_to_be_so(tmp_path):
    with pytest.raises(ExportError, match="no such file"):
        read_export(tmp_path / "gone")


@pytest.mark.parametrize("source", ["flowers/model.tflite", "drugs-detection/drug_detection_v3.tflite"])
def test_a_real_model_cut_anywhere_is_refused(shared_exports, source, tmp_path):
    """All but a cut in the zip behind the flatbuffer, which a reader of the flatbuffer cannot see."""
    whole = (shared_exports / source).read_bytes()
    (tmp_path / "dict.txt").write_bytes((shared_exports / source).with_name("dict.txt").read_bytes())
    model = tmp_path / "model.tflite"
    cuts = [*range(0, 64, 7), *(len(whole) * part // 40 for part in range(1, 40)), len(whole) - 5000]
    for cut in cuts:
        model.write_bytes(whole[:cut])
        with pytest.raises(ExportError, match=r"truncated or not a TFLite file") as caught:
            read_export(tmp_path)
        assert caught.value.file == str(model)


def test_a_saved_model_cut_anywhere_is_refused(tmp_path):
    for cut in range(len(GRAPH)):
        (tmp_path / "saved_model.pb").write_bytes(GRAPH[:cut])
        with pytest.raises(ExportError):
            read_export(tmp_path)
