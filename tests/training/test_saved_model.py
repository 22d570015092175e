"""The SavedModel that `edge train` writes: read without TensorFlow, and run by it."""

import io
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from PIL import Image
from serving.process import clean_environment

from edge.errors import ExportError
from edge.export.read import read_export
from edge.export.saved_model_graph import read_bodies, split_tensor
from edge.export.saved_model_program import read_program
from edge.export.saved_model_safety import unsafe_operators
from edge.export.saved_model_signatures import find_serving_graph
from edge.model.contract import Format
from edge.training.float_layers import Convolution, Pooling, read_float_layers
from edge.training.head import Head
from edge.training.saved_model import encode_saved_model, write_saved_model

LABELS = ("disc", "Grünspan", "None_of_the_above")
SIZE = (224, 224)
TENSORFLOW_SIDE = Path(__file__).with_name("tensorflow_side.py")


def head_of(multi_label, features=1280):
    rng = np.random.default_rng(7)
    weights = rng.normal(0, 0.1, (len(LABELS), features)).astype(np.float32)
    return Head(weights, rng.normal(0, 0.1, len(LABELS)).astype(np.float32), multi_label)


@pytest.fixture(scope="module")
def classifier(embedded_models):
    return (embedded_models / "imagenet" / "model.tflite").read_bytes()


@pytest.fixture(scope="module")
def layers(classifier):
    return read_float_layers(classifier, "model.tflite")


@pytest.fixture(scope="module", params=[False, True], ids=["single-label", "multi-label"])
def written(request, layers):
    return request.param, encode_saved_model(layers, head_of(request.param), LABELS, SIZE)


def test_it_is_read_as_a_container_export_of_automl(layers, tmp_path):
    for multi_label in (False, True):
        folder = tmp_path / str(multi_label) / "0001"
        write_saved_model(folder, layers, head_of(multi_label), LABELS, SIZE)
        contract = read_export(folder).contract
        assert contract.format is Format.SAVED_MODEL
        assert contract.labels is None  # the graph names them in each answer
        assert contract.multi_label is multi_label
        assert (contract.input.name, contract.input.key) == ("image_bytes", "key")
        outputs = contract.signature.outputs
        rows = (-1, len(LABELS))
        assert {name: (dtype, shape) for name, (dtype, shape, _) in outputs.items()} == {
            "scores": ("DT_FLOAT", rows),
            "labels": ("DT_STRING", rows),
            "key": ("DT_STRING", (-1,)),
        }
        assert not contract.notes
        assert [entry.name for entry in folder.iterdir()] == ["saved_model.pb"]


def test_it_reaches_nothing_outside_of_itself(written):
    assert unsafe_operators(memoryview(written[1])) == ()


def test_the_same_model_gives_the_same_bytes(classifier, written):
    multi_label, content = written
    again = read_float_layers(classifier, "model.tflite")
    assert encode_saved_model(again, head_of(multi_label), LABELS, SIZE) == content


def test_each_node_has_a_name_of_its_own_and_takes_what_comes_before_it(written):
    meta_graph = find_serving_graph(memoryview(written[1]))
    program = read_program(meta_graph)
    assert set(program.functions) == {"is_picture_left", "read_picture"}
    bodies = {name: (one.nodes, one.arguments) for name, one in program.functions.items()}
    for nodes, arguments in (*bodies.values(), (program.graph, [])):
        assert Counter(node.name for node in nodes).most_common(1)[0][1] == 1
        known = set(arguments)
        for node in nodes:
            assert known.issuperset(node.inputs), node
            known.add(node.name)


def test_functions_return_what_they_compute(written):
    _, functions = read_bodies(find_serving_graph(memoryview(written[1])))
    for function in functions.values():
        for tensor in function.returns:
            name, _ = split_tensor(tensor)
            assert name in function.nodes or name in function.arguments


def test_the_weights_are_in_it_as_float32(written, layers):
    for layer in layers.layers:
        if isinstance(layer, Convolution):
            assert np.ascontiguousarray(layer.kernel, "<f4").tobytes() in written[1]
    assert len(written[1]) < 14_000_000  # 3.4 million weights, four bytes each


def test_the_layers_are_those_of_efficientnet_lite0(layers):
    convolutions = [one for one in layers.layers if isinstance(one, Convolution)]
    assert len(convolutions) == 49
    assert sum(one.is_depthwise for one in convolutions) == 16
    assert convolutions[0].kernel.shape == (3, 3, 3, 32)
    assert convolutions[1].kernel.shape == (3, 3, 32, 1)
    assert convolutions[-1].kernel.shape == (1, 1, 320, 1280)
    assert convolutions[0].strides == (2, 2)
    assert isinstance(layers.layers[-1], Pooling)
    assert (layers.mean, layers.std) == (127.0, 128.0)


def test_a_file_of_other_operators_is_refused(classifier):
    model = schema.ModelT.InitFromPackedBuf(classifier, 0)
    for code in model.operatorCodes:
        if code.builtinCode == schema.BuiltinOperator.ADD:
            code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.MUL
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    with pytest.raises(ExportError, match="has no counterpart here"):
        read_float_layers(bytes(builder.Output()), "model.tflite")


def pictures(photo):
    """Encoded pictures of all sizes, kinds and colours that the graph decodes."""
    image = Image.open(photo).convert("RGB")
    forms = {
        "photo": (image, "JPEG"),
        "larger": (image.resize((1500, 900)), "JPEG"),
        "smaller than the input": (image.resize((100, 75)), "JPEG"),
        "as the input": (image.resize(SIZE), "PNG"),
        "16x9": (image.resize((16, 9)), "PNG"),
        "one pixel": (image.resize((1, 1)), "PNG"),
        "narrow": (image.resize((30, 700)), "PNG"),
        "grey JPEG": (image.convert("L"), "JPEG"),
        "grey PNG": (image.convert("L"), "PNG"),
        "transparent PNG": (image.convert("RGBA"), "PNG"),
        "GIF": (image.convert("P"), "GIF"),
        "BMP": (image, "BMP"),
    }
    for name, (form, kind) in forms.items():
        file = io.BytesIO()
        form.save(file, kind)
        yield name, file.getvalue()


@pytest.mark.slow  # TensorFlow runs it, in a process of its own
def test_it_answers_as_a_model_that_tensorflow_itself_built(embedded_models, layers, tmp_path):
    """One picture at a time and all in one batch; a picture that is none fails its batch alone."""
    sent = dict(pictures(embedded_models / "photos" / "coffee.jpg"))
    (tmp_path / "pictures").mkdir()
    for number, content in enumerate(sent.values()):
        (tmp_path / "pictures" / f"{number:02}").write_bytes(content)
    for multi_label in (False, True):
        folder, head = tmp_path / f"model-{int(multi_label)}", head_of(multi_label)
        write_saved_model(folder, layers, head, LABELS, SIZE)
        np.savez(folder.with_suffix(".npz"), weights=head.weights, bias=head.bias)
    model = embedded_models / "imagenet" / "model.tflite"
    done = subprocess.run(
        [sys.executable, TENSORFLOW_SIDE, model, tmp_path],
        env=clean_environment(),
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    found = json.loads(done.stdout)
    assert len(found) == 2
    for answers in found:
        expected = np.array(answers["expected"])
        assert expected.shape == (len(sent), len(LABELS))
        assert expected.std(axis=0).min() > 1e-3  # pictures are told apart
        np.testing.assert_allclose(answers["one by one"], expected, rtol=0, atol=1e-5)
        np.testing.assert_allclose(answers["batch"], expected, rtol=0, atol=1e-5)
        assert answers["labels"] == [list(LABELS)] * len(sent)
        assert answers["keys"] == [str(number) for number in range(len(sent))]
        assert answers["with a broken picture"] == "InvalidArgumentError"
