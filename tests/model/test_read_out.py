"""Raw outputs to predictions: counted rows, class numbers, clipping, dequantising, bad values."""

import numpy as np
import pytest

from edge.model.contract import Contract, Format, PixelInput, Quantization, TensorOutput, Tuning
from edge.model.tasks.classification import CLASSIFICATION
from edge.model.tasks.detection import DETECTION
from edge.vision.geometry import WHOLE_IMAGE, Region

LABELS = ("cat", "dog", "cow")
ROLES = ("boxes", "classes", "scores", "count")


def contract(labels=LABELS, quantized=None, multi_label=False):
    roles = {role: TensorOutput(role, i, "float32") for i, role in enumerate(ROLES)}
    roles |= {role: TensorOutput(role, 0, "uint8", how) for role, how in (quantized or {}).items()}
    spec = PixelInput("image", 0, "uint8", 4, 4)
    return Contract(Format.TFLITE, DETECTION, spec, labels, multi_label, roles, Tuning())


def read(raw, how, region=WHOLE_IMAGE):
    return how.task.read_tensors(how.real(raw), how.classes, region)


def outputs(rows=4, count=4.0, boxes=None, classes=(0, 1, 2, 0), scores=(0.9, 0.8, 0.7, 0.6)):
    return {
        "boxes": np.array(boxes or [[0.1, 0.2, 0.3, 0.4]] * rows, np.float32)[None],
        "classes": np.array([classes], np.float32),
        "scores": np.array([scores], np.float32),
        "count": np.array([count], np.float32),
    }


@pytest.mark.parametrize(
    ("count", "rows"),
    [(4, 4), (2, 2), (0, 0), (1.6, 2), (99, 4), (-3, 0), (float("nan"), 0), (float("inf"), 4)],
)
def test_only_counted_rows_are_read(count, rows):
    found = read(outputs(count=count), contract(), WHOLE_IMAGE)
    assert len(found.boxes) == len(found.classes) == len(found.scores) == len(found.labels) == rows
    assert found.capacity == 4


def test_boxes_come_out_as_x_before_y_and_clipped():
    boxes = [[0.1, 0.2, 0.3, 0.4], [-0.34, 0.5, 1.38, 0.9], [0, 0, 1, 1], [np.nan, 0, 1, 1]]
    found = read(outputs(boxes=boxes), contract(), WHOLE_IMAGE)
    expected = [[0.2, 0.1, 0.4, 0.3], [0.5, 0, 0.9, 1], [0, 0, 1, 1], [0, 0, 1, 1]]
    np.testing.assert_allclose(found.boxes, expected, atol=1e-6)


def test_boxes_of_a_crop_are_carried_to_the_image_before_they_are_clipped():
    crop = Region(0.25, 0.0, 0.75, 1.0)
    found = read(outputs(boxes=[[0.0, -0.5, 1.0, 0.5]] * 4), contract(), crop)
    np.testing.assert_allclose(found.boxes[0], [0, 0, 0.5, 1])


def test_tflite_classes_count_from_nought():
    assert read(outputs(), contract(), WHOLE_IMAGE).labels == ("cat", "dog", "cow", "cat")


def test_a_class_outside_of_the_labels_is_shown_by_its_number_and_never_as_another():
    found = read(outputs(classes=(3, -1, 2, 0)), contract(), WHOLE_IMAGE)
    assert found.labels == ("class 3", "class -1", "cow", "cat")


def test_a_class_that_is_no_number_is_none_of_the_models():
    found = read(outputs(classes=(np.nan, np.inf, 2, 0)), contract(), WHOLE_IMAGE)
    assert not set(found.labels[:2]) & set(LABELS)
    assert found.labels[2:] == ("cow", "cat")


def test_quantised_outputs_are_dequantised():
    raw = outputs()
    raw["scores"] = np.array([[255, 128, 64, 0]], np.uint8)
    found = read(raw, contract(quantized={"scores": Quantization(1 / 256, 0)}), WHOLE_IMAGE)
    np.testing.assert_allclose(found.scores, [255 / 256, 0.5, 0.25, 0])


@pytest.mark.parametrize(
    ("stored", "dtype", "quantization", "real"),
    [
        (
            [0, 64, 255, 32, 128],
            np.uint8,
            Quantization(1 / 256, 0),
            [0, 0.25, 0.99609375, 0.125, 0.5],
        ),
        ([-128, 127, 0], np.int8, Quantization(1 / 256, -128), [0, 0.99609375, 0.5]),
        ([0.25, 0.75], np.float32, None, [0.25, 0.75]),
    ],
)
def test_a_classifiers_scores_are_dequantised(stored, dtype, quantization, real):
    scores = TensorOutput("scores", 0, np.dtype(dtype).name, quantization)
    spec = PixelInput("image", 0, "uint8", 4, 4)
    names = tuple(map(str, range(len(real))))
    of_classifier = Contract(
        Format.TFLITE, CLASSIFICATION, spec, names, True, {"scores": scores}, Tuning()
    )
    found = read({"scores": np.array([stored], dtype)}, of_classifier)
    np.testing.assert_allclose(found.scores, real)
    assert found.scores.dtype == np.float32
    assert (found.labels, found.multi_label) == (names, True)


def signature_outputs(**changes):
    whole = {
        "detection_boxes": np.array([[[0.1, 0.2, 0.3, 0.4]] * 3], np.float32),
        "detection_scores": np.array([[0.9, 0.8, 0.7]], np.float32),
        "detection_classes": np.array([[1, 3, 2]], np.float32),
        "detection_classes_as_text": np.array([[b"cat", b"cow", b"dog"]], object),
        "num_detections": np.array([3.0], np.float32),
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


@pytest.mark.parametrize("labels", [None, LABELS])
def test_a_saved_models_classes_count_from_one_and_name_themselves(labels):
    found = DETECTION.read_signature(signature_outputs(), contract(labels).classes)
    assert found.classes.tolist() == [0, 2, 1]
    assert found.labels == ("cat", "cow", "dog")
    np.testing.assert_allclose(found.boxes[0], [0.2, 0.1, 0.4, 0.3])


def test_a_label_file_names_the_classes_where_the_graph_does_not():
    assert DETECTION.read_signature(
        signature_outputs(detection_classes_as_text=None), contract().classes
    ).labels == (
        "cat",
        "cow",
        "dog",
    )


@pytest.mark.parametrize(("count", "rows"), [(np.array([1.0]), 1), (None, 3)])
def test_a_saved_models_count_is_kept_to_where_there_is_one(count, rows):
    found = DETECTION.read_signature(
        signature_outputs(num_detections=count), contract(None).classes
    )
    assert (len(found.scores), found.capacity) == (rows, 3)


def test_a_saved_models_scores_keep_the_models_order_and_its_labels():
    raw = {
        "scores": np.array([[0.1, 0.7, 0.2]]),
        "labels": np.array([[b"a", "ä".encode(), b"\xff"]], object),
    }
    found = CLASSIFICATION.read_signature(raw, contract(None).classes)
    assert found.labels == ("a", "ä", "\ufffd")
    np.testing.assert_allclose(found.scores, [0.1, 0.7, 0.2], rtol=1e-6)
