"""Roles of a detector's outputs in any order, activations, and inputs of every type, run."""

import itertools

import numpy as np
import pytest
from builders.answers import ask
from builders.images import encode
from builders.tflite import (
    ARG_MAX,
    AXIS_LABELS,
    FLOAT,
    INT8,
    INT32,
    INT64,
    LOGISTIC,
    RESHAPE,
    ROLES,
    SOFTMAX,
    UINT8,
    OperatorSpec,
    TensorSpec,
    classifier,
    detector,
    metadata,
    write,
)
from PIL import Image

from edge.errors import ExportError
from edge.export.read import read_export
from edge.model.contract import Normalization
from edge.model.tasks.classification import CLASSIFICATION
from edge.model.tasks.detection import DETECTION

TENSOR = {"boxes": 1, "classes": 2, "scores": 3, "count": 4}
ORDERS = list(itertools.permutations(ROLES))
LABELS = tuple(f"label {i}" for i in range(12))


def read(folder, model, labels=("a", "b", "c")):
    (folder / "model.tflite").write_bytes(model)
    (folder / "dict.txt").write_text("\n".join(labels))
    return read_export(folder).contract


def roles(contract):
    return {role: output.tensor for role, output in contract.outputs.items()}


@pytest.mark.parametrize("order", ORDERS)
def test_the_operator_tells_the_outputs_in_any_order(order, tmp_path):
    contract = read(tmp_path, detector(order, classes=3))
    assert contract.task is DETECTION
    assert roles(contract) == TENSOR
    assert contract.origins["outputs"] == "the outputs of TFLite_Detection_PostProcess"


WORDS = {
    "the signature's output names": "signature",
    "the embedded metadata's output names": "metadata_names",
    "the outputs' names": "names",
}
NAMES = [
    {
        "boxes": "detection_boxes",
        "classes": "detection_classes",
        "scores": "detection_scores",
        "count": "num_detections",
    },
    {
        "boxes": "location",
        "classes": "category",
        "scores": "score",
        "count": "number of detections",
    },
    {"boxes": "Boxes", "classes": "Categories", "scores": "Scores", "count": "Count"},
]


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("how", WORDS)
@pytest.mark.parametrize("order", [ROLES, ROLES[::-1], ("scores", "boxes", "count", "classes")])
def test_names_tell_the_outputs_where_the_operator_does_not(how, names, order, tmp_path):
    contract = read(tmp_path, detector(order, operator="MyNMS", **{WORDS[how]: names}))
    assert roles(contract) == TENSOR
    assert contract.origins["outputs"] == how


def test_the_operator_goes_before_names_that_say_otherwise(tmp_path):
    wrong = dict(zip(ROLES, ["scores", "num", "boxes", "classes"], strict=True))
    assert roles(read(tmp_path, detector(classes=3, names=wrong, signature=wrong))) == TENSOR


@pytest.mark.parametrize("whole", [INT32, INT64])
@pytest.mark.parametrize("order", ORDERS)
def test_shapes_and_types_tell_the_outputs_where_nothing_is_named(order, whole, tmp_path):
    contract = read(tmp_path, detector(order, operator="MyNMS", dtypes={"classes": whole}))
    assert roles(contract) == TENSOR
    assert contract.origins["outputs"] == "the outputs' shapes and types"


@pytest.mark.parametrize(
    "unclear",
    [
        {},  # classes and scores are both [1, 10] of floats
        {"dtypes": {"classes": INT32}, "shapes": {"boxes": [1, 10, 5]}},
        {"dtypes": {"classes": INT32, "scores": INT32}},
        {"names": {"boxes": "box", "classes": "class_a", "scores": "class_b", "count": "num"}},
    ],
)
def test_outputs_that_cannot_be_told_apart_are_refused_never_guessed(unclear, tmp_path):
    with pytest.raises(ExportError, match="cannot be told apart") as caught:
        read(tmp_path, detector(operator="MyNMS", **unclear))
    assert "TFLite_Detection_PostProcess" in caught.value.remedy


def test_outputs_without_shapes_as_real_exports_have_them_are_told_by_the_operator(tmp_path):
    assert (
        roles(read(tmp_path, detector(ROLES[::-1], classes=3, shapes=dict.fromkeys(ROLES, ()))))
        == TENSOR
    )


def test_state_beside_the_image_is_a_video_model(tmp_path):
    state = TensorSpec("raw_inputs/init_lstm_c", [1, 8, 8, 320], UINT8)
    with pytest.raises(ExportError, match=r"raw_inputs/init_lstm_c.*AutoML Video"):
        read(tmp_path, detector(classes=3, extra=[state]))


@pytest.mark.parametrize(("activation", "multi_label"), [(SOFTMAX, False), (LOGISTIC, True)])
def test_the_last_operator_tells_one_label_from_several(activation, multi_label, tmp_path):
    contract = read(tmp_path, classifier(activation=activation), LABELS)
    assert (contract.task, contract.multi_label) == (CLASSIFICATION, multi_label)


def test_operators_that_only_repack_scores_are_looked_through(tmp_path):
    tensors = [
        TensorSpec("image", [1, 2, 2, 3], UINT8),
        *(TensorSpec(f"t{i}", [1, 12]) for i in range(4)),
    ]
    dequantize, quantize = 6, 114
    chain = [
        OperatorSpec(LOGISTIC, [0], [1]),
        OperatorSpec(RESHAPE, [1], [2]),
        OperatorSpec(dequantize, [2], [3]),
        OperatorSpec(quantize, [3], [4]),
    ]
    assert read(tmp_path, write(tensors, chain, [0], [4]), LABELS).multi_label


@pytest.mark.parametrize("operator", [ARG_MAX, RESHAPE, "Mystery"])
def test_an_output_that_no_activation_makes_is_no_classifier(operator, tmp_path):
    with pytest.raises(ExportError, match="not an image classifier"):
        read(tmp_path, classifier(activation=operator), LABELS)


@pytest.mark.parametrize(
    ("shape", "dtype", "words"),
    [
        ([1, 8], UINT8, r"image \[1, 8\]"),
        ([1, 8, 8, 1], UINT8, r"image \[1, 8, 8, 1\]"),
        ([1, 3, 8, 8], UINT8, r"image \[1, 3, 8, 8\]"),
        ([1, 8, 8, 3], INT32, r"int32 \[1, 8, 8, 3\]"),
        ([4, 8, 8, 3], UINT8, r"uint8 \[4, 8, 8, 3\]"),
        ([1, -1, -1, 3], UINT8, r"uint8 \[1, -1, -1, 3\]"),
    ],
)
def test_an_input_that_is_no_single_rgb_image_is_refused_with_what_it_is(
    shape, dtype, words, tmp_path
):
    tensors = [TensorSpec("image", shape, dtype), TensorSpec("scores", [1, 12])]
    with pytest.raises(ExportError, match=words):
        read(tmp_path, write(tensors, [OperatorSpec(SOFTMAX, [0], [1])], [0], [1]), LABELS)


def test_a_model_of_two_images_or_none_is_refused(tmp_path):
    tensors = [TensorSpec(name, [1, 8, 8, 3], UINT8) for name in ("left", "right")] + [
        TensorSpec("scores", [1, 12])
    ]
    for inputs in ([0, 1], []):
        with pytest.raises(ExportError, match="not one RGB image"):
            read(tmp_path, write(tensors, [OperatorSpec(SOFTMAX, [0], [2])], inputs, [2]), LABELS)


def normalised(mean, std):
    files = [{"name": "scores", "files": {"labels.txt": AXIS_LABELS}}]
    return metadata(files, (mean, std))


@pytest.mark.parametrize(
    ("dtype", "stated", "expected"),
    [
        (FLOAT, ([0.0], [1.0]), Normalization((0.0,), (1.0,))),
        (
            FLOAT,
            ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]),
            Normalization((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)),
        ),
        (FLOAT, ([5.0], [1.0, 2.0, 3.0]), Normalization((5.0,), (1.0, 2.0, 3.0))),
    ],
)
def test_the_stated_normalisation_of_a_float_input_is_read(dtype, stated, expected, tmp_path):
    data = classifier(dtype=dtype, metadata=normalised(*stated))
    assert read(tmp_path, data, LABELS).input.normalization == expected


@pytest.mark.parametrize(
    "stated",
    [
        None,
        ([1.0, 2.0], [4.0]),
        ([1.0], [0.0]),
        ([1.0], [-1.0]),
        ([float("nan")], [1.0]),
        ([0.0], [float("inf")]),
    ],
)
def test_a_float_input_whose_range_nothing_states_is_refused_with_what_to_set(stated, tmp_path):
    data = classifier(dtype=FLOAT, metadata=normalised(*stated) if stated else None)
    with pytest.raises(ExportError, match="nothing says which pixels its float32 input") as caught:
        read(tmp_path, data, LABELS)
    for words in ("mean", "std", "model.toml", "channel_order"):
        assert words in caught.value.remedy
    assert "Vertex" not in caught.value.message


PIXELS = np.array([[[10, 12, 14], [16, 18, 12]], [[11, 13, 15], [17, 10, 12]]], np.uint8)


@pytest.mark.parametrize(
    ("dtype", "activation", "stated", "fed"),
    [
        (UINT8, SOFTMAX, None, lambda x: x),
        (
            UINT8,
            SOFTMAX,
            ([127.5], [127.5]),
            lambda x: x,
        ),  # speaks of float inputs: not applied to bytes
        (INT8, SOFTMAX, None, lambda x: x),  # shifted by 128, as is its zero point
        (FLOAT, SOFTMAX, ([10.0], [2.0]), lambda x: (x - 10) / 2),
        (FLOAT, LOGISTIC, ([10.0], [2.0]), lambda x: (x - 10) / 2),
    ],
)
def test_the_pixels_reach_the_model_as_its_input_wants_them(
    dtype, activation, stated, fed, tmp_path
):
    data = classifier(
        dtype=dtype, activation=activation, metadata=normalised(*stated) if stated else None
    )
    read(tmp_path, data, LABELS)
    x = fed(PIXELS.reshape(-1).astype(np.float64))
    expected = np.exp(x) / np.exp(x).sum() if activation == SOFTMAX else 1 / (1 + np.exp(-x))
    answer = ask(tmp_path, encode(Image.fromarray(PIXELS), "PNG"))
    np.testing.assert_allclose(
        answer.prediction.scores, expected, atol=1 / 128 if dtype != FLOAT else 1e-5
    )
    assert answer.prediction.labels == LABELS
