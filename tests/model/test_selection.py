"""Which predictions are shown: truth tables of top-k, thresholds, and those of single labels."""

import numpy as np
import pytest

from edge.model.contract import Contract, Format, PixelInput, Tuning
from edge.model.prediction import Selection
from edge.model.tasks.classification import CLASSIFICATION, Classification
from edge.model.tasks.detection import DETECTION, Detections

LABELS = ("a", "b", "c", "d")


def contract(task=CLASSIFICATION, **tuning):
    spec = PixelInput("image", 0, "uint8", 4, 4)
    return Contract(
        Format.TFLITE, task, spec, LABELS, multi_label=False, outputs={}, tuning=Tuning(**tuning)
    )


@pytest.mark.parametrize(
    ("task", "tuning", "request_", "expected"),
    [
        (CLASSIFICATION, {}, {}, Selection(5, 0.0, {})),
        (DETECTION, {}, {}, Selection(100, 0.3, {})),
        (DETECTION, {"score_threshold": 0.0, "top_k": 3}, {}, Selection(3, 0.0, {})),
        (DETECTION, {"score_threshold": 0.5}, {"threshold": 0.0}, Selection(100, 0.0, {})),
        (CLASSIFICATION, {"top_k": 3}, {"top_k": 1}, Selection(1, 0.0, {})),
        (CLASSIFICATION, {"label_thresholds": {"a": 0.9}}, {}, Selection(5, 0.0, {"a": 0.9})),
        (
            CLASSIFICATION,
            {"label_thresholds": {"a": 0.9}},
            {"top_k": 2},
            Selection(2, 0.0, {"a": 0.9}),
        ),
        (
            CLASSIFICATION,
            {"label_thresholds": {"a": 0.9}},
            {"threshold": 0.1},
            Selection(5, 0.1, {}),
        ),
        (
            DETECTION,
            {"label_thresholds": {"a": 0.1}, "score_threshold": 0.6},
            {},
            Selection(100, 0.6, {"a": 0.1}),
        ),
    ],
)
def test_the_request_goes_before_the_file_and_the_file_before_the_tasks_defaults(
    task, tuning, request_, expected
):
    assert contract(task, **tuning).selection(**request_) == expected


def classified(scores):
    return Classification(LABELS, np.array(scores, np.float32), multi_label=False)


def detected(scores, classes=(0, 1, 2, 3)):
    rows = len(scores)
    boxes = np.array([[i / 10, 0, 1, 1] for i in range(rows)], np.float32)
    labels = tuple(LABELS[c] for c in classes[:rows])
    return Detections(boxes, np.array(classes[:rows]), np.array(scores, np.float32), labels, rows)


NAN = float("nan")
CASES = [
    ((0.1, 0.4, 0.3, 0.2), Selection(4, 0.0, {}), "bcda"),
    ((0.1, 0.4, 0.3, 0.2), Selection(2, 0.0, {}), "bc"),
    ((0.1, 0.4, 0.3, 0.2), Selection(4, 0.25, {}), "bc"),
    ((0.1, 0.4, 0.3, 0.2), Selection(1, 0.25, {}), "b"),
    ((0.1, 0.4, 0.3, 0.2), Selection(4, 0.9, {}), ""),
    ((0.25, 0.25, 0.25, 0.25), Selection(3, 0.0, {}), "abc"),
    ((0.3, 0.5, 0.2, 0.1), Selection(4, 0.3, {}), "ba"),
    ((0.0, 0.0, 0.0, 1.0), Selection(4, 0.0, {}), "dabc"),
    ((0.1, 0.4, 0.3, 0.2), Selection(4, 0.0, {"b": 0.5}), "cda"),
    ((0.1, 0.4, 0.3, 0.2), Selection(4, 0.35, {"a": 0.05}), "ba"),
    ((0.1, 0.4, 0.3, 0.2), Selection(1, 0.0, {"b": 0.5}), "c"),
    ((0.1, 0.4, 0.3, 0.2), Selection(1, 0.35, {"b": 0.5, "a": 0.05}), "a"),
    ((0.1, 0.4, 0.3, 0.2), Selection(2, 0.0, {"unknown": 0.5}), "bc"),
    ((NAN, 0.4, NAN, 0.2), Selection(4, 0.0, {}), "bd"),
    ((NAN, 0.4, NAN, 0.2), Selection(2, 0.0, {"a": 0.0}), "bd"),
    ((NAN,) * 4, Selection(4, 0.0, {}), ""),
    ((2.0, -1.0, 0.5, 0.0), Selection(4, 0.0, {}), "acd"),
]


@pytest.mark.parametrize("make", [classified, detected])
@pytest.mark.parametrize(("scores", "shown", "expected"), CASES)
def test_the_best_that_reach_their_threshold_are_shown_best_first(make, scores, shown, expected):
    items = make(scores).select(shown)
    assert "".join(item.label for item in items) == expected
    for item in items:
        assert item.index == LABELS.index(item.label)
        assert item.score == np.float32(scores[item.index])


def test_a_detection_keeps_its_own_box_and_a_classification_has_none():
    items = detected((0.5, 0.9, 0.7)).select(Selection(5, 0.0, {}))
    assert [round(item.box[0], 3) for item in items] == [0.1, 0.2, 0.0]
    assert all(type(edge) is float for item in items for edge in item.box)
    assert classified((1, 0, 0, 0)).select(Selection(1, 0.0, {}))[0].box is None


def test_several_rows_of_one_label_are_shown_each():
    items = detected((0.9, 0.8, 0.2), classes=(1, 1, 1)).select(Selection(5, 0.5, {}))
    assert [(item.label, item.index) for item in items] == [("b", 1), ("b", 1)]
