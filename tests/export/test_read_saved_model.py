"""Signatures read out of `saved_model.pb` without TensorFlow."""

import subprocess
import sys

import pytest
from builders.saved_model import DETECTIONS, FLOAT, IMAGE, SCORES, STRING, saved_model

from edge.export.read import read_export
from edge.model.contract import EncodedInput, Format
from edge.model.tasks.classification import CLASSIFICATION
from edge.model.tasks.detection import DETECTION

ENCODED = {"encoded_image": (STRING, [-1]), "key": (STRING, [-1])}
WITHOUT_KEY = {"encoded_image": (STRING, [-1])}
MAIN = "serving_default"


def read(folder, signatures, labels=None, **parts):
    (folder / "saved_model.pb").write_bytes(saved_model(signatures, **parts))
    if labels is not None:
        (folder / "dict.txt").write_text("\n".join(labels))
    return read_export(folder).contract


def test_a_classification_signature_is_read(tmp_path):
    contract = read(tmp_path, {MAIN: (IMAGE, SCORES)})
    assert (contract.format, contract.task, contract.multi_label) == (
        Format.SAVED_MODEL,
        CLASSIFICATION,
        False,
    )
    assert contract.input == EncodedInput(MAIN, "image_bytes", "key")
    assert contract.labels is None
    assert contract.origins["labels"] == "the model's own output labels"
    assert contract.signature.outputs["scores"] == ("DT_FLOAT", (-1, 3), "scores:0")
    assert contract.signature.method == "predict"


def test_a_detection_signature_is_read(tmp_path):
    contract = read(tmp_path, {MAIN: (ENCODED, DETECTIONS)})
    assert contract.task is DETECTION
    assert contract.input.name == "encoded_image"
    assert contract.signature.outputs["detection_boxes"][1] == (-1, 40, 4)


@pytest.mark.parametrize(
    ("signatures", "chosen", "key"),
    [
        ({"a": (IMAGE, SCORES), MAIN: (IMAGE, SCORES)}, MAIN, "key"),
        (
            {f"{MAIN}_without_key": (WITHOUT_KEY, DETECTIONS), MAIN: (ENCODED, DETECTIONS)},
            MAIN,
            "key",
        ),
        ({f"{MAIN}_without_key": (WITHOUT_KEY, DETECTIONS)}, f"{MAIN}_without_key", None),
        ({"x_without_key": (WITHOUT_KEY, DETECTIONS), "x": (ENCODED, DETECTIONS)}, "x", "key"),
        ({MAIN: ({"x": (FLOAT, [1])}, SCORES), "images": (IMAGE, SCORES)}, "images", "key"),
        ({"__saved_model_init_op": ({}, {"op": (FLOAT, [])}), MAIN: (IMAGE, SCORES)}, MAIN, "key"),
    ],
)
def test_the_signature_to_serve_is_chosen(signatures, chosen, key, tmp_path):
    contract = read(tmp_path, signatures)
    assert (contract.input.signature, contract.input.key) == (chosen, key)


@pytest.mark.parametrize(
    ("nodes", "multi_label"),
    [
        ([("scores", "Sigmoid", ["x"])], True),
        ([("scores", "Softmax", ["x"])], False),
        (
            [
                ("scores", "Identity", ["s:0"]),
                ("s", "Reshape", ["t", "shape"]),
                ("t", "Sigmoid", ["x"]),
            ],
            True,
        ),
        ([("scores", "Identity", ["scores"])], False),
        ([("scores", "PartitionedCall", ["x"])], False),
        ([], False),
    ],
)
def test_a_sigmoid_before_the_scores_means_several_labels(nodes, multi_label, tmp_path):
    assert read(tmp_path, {MAIN: (IMAGE, SCORES)}, nodes=nodes).multi_label is multi_label


def test_a_label_file_is_used_where_the_graph_names_nothing(tmp_path):
    contract = read(tmp_path, {MAIN: (IMAGE, {"scores": (FLOAT, [-1, 3])})}, "abc")
    assert (contract.labels, contract.origins["labels"]) == (("a", "b", "c"), "dict.txt")


def test_the_graphs_own_labels_go_before_a_file(tmp_path):
    assert read(tmp_path, {MAIN: (IMAGE, SCORES)}, ["x"]).labels is None


def test_reading_imports_no_tensorflow(tmp_path, repository_root):
    (tmp_path / "saved_model.pb").write_bytes(saved_model({MAIN: (IMAGE, SCORES)}))
    script = (
        "import sys, pathlib; from edge.export.read import read_export; "
        "read_export(pathlib.Path(sys.argv[1])); assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=repository_root, check=True)
