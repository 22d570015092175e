"""What online models return, in the three shapes that are read."""

from __future__ import annotations

import numpy as np
import pytest

from edge.errors import CloudNonsense
from edge.fallback.response import read_response
from edge.model.contract import Task

LABELS = ("rose", "daisy")
BOX = {"x_min": 0.1, "y_min": 0.2, "x_max": 0.6, "y_max": 0.8}


def read(value, task=Task.CLASSIFICATION, renamed=None):
    return read_response(value, task, LABELS, renamed or {})


@pytest.mark.parametrize(
    "value",
    [
        {"ids": ["1", "2"], "displayNames": ["daisy", "rose"], "confidences": [0.75, 0.25]},
        {"labels": ["daisy", "rose"], "scores": [0.75, 0.25], "key": "1"},
        {
            "task": "classification",
            "predictions": [
                {"label": "daisy", "index": 1, "score": 0.75},
                {"label": "rose", "index": 0, "score": 0.25},
            ],
        },
    ],
    ids=["automl", "tf_serving", "edge"],
)
def test_a_classification_is_read_in_the_edges_order(value):
    prediction, unknown = read(value)
    assert prediction.labels == LABELS
    assert prediction.scores.tolist() == [0.25, 0.75]
    assert unknown == ()
    assert not prediction.multi_label


@pytest.mark.parametrize(
    "value",
    [
        {"displayNames": ["daisy"], "confidences": [0.75], "bboxes": [[0.1, 0.6, 0.2, 0.8]]},
        {
            "num_detections": 1.0,
            "detection_boxes": [[0.2, 0.1, 0.8, 0.6], [0, 0, 0, 0]],
            "detection_scores": [0.75, 0.0],
            "detection_classes": [2.0, 1.0],
            "detection_classes_as_text": ["daisy", ""],
        },
        {"task": "detection", "predictions": [{"label": "daisy", "index": 1, "score": 0.75, "box": BOX}]},
    ],
    ids=["automl", "tf_serving", "edge"],
)
def test_detections_are_read_with_their_corners(value):
    prediction, unknown = read(value, Task.DETECTION)
    np.testing.assert_allclose(prediction.boxes, [[0.1, 0.2, 0.6, 0.8]], atol=1e-6)
    assert (prediction.labels, prediction.classes.tolist(), unknown) == (("daisy",), [1], ())


def test_a_label_is_renamed_before_it_is_looked_up():
    prediction, unknown = read(
        {"displayNames": ["Gänseblümchen"], "confidences": [1]}, renamed={"Gänseblümchen": "daisy"}
    )
    assert prediction.scores.tolist() == [0.0, 1.0]
    assert unknown == ()


def test_unknown_labels_stand_behind_the_known_ones_once_each():
    prediction, unknown = read({"displayNames": ["vase", "rose"], "confidences": [0.6, 0.4]})
    assert prediction.labels == (*LABELS, "vase")
    assert unknown == ("vase",)


def test_nothing_found_is_an_answer():
    prediction, _ = read({"displayNames": [], "confidences": [], "bboxes": []}, Task.DETECTION)
    assert len(prediction.scores) == 0


@pytest.mark.parametrize(
    ("value", "task"),
    [
        ({"displayNames": [], "confidences": []}, Task.CLASSIFICATION),
        ({"displayNames": ["rose"], "confidences": [0.5], "bboxes": [[0, 1, 0, 1]]}, Task.CLASSIFICATION),
        ({"displayNames": ["rose"], "confidences": [0.5]}, Task.DETECTION),
        ({"displayNames": ["rose"], "confidences": [0.5], "bboxes": [["NaN", 1, 0, 1]]}, Task.DETECTION),
        ({"displayNames": ["rose"], "confidences": [0.5], "bboxes": [[0, 1, 0]]}, Task.DETECTION),
    ],
    ids=["no class", "boxes for a class", "no boxes", "box of no number", "box of three"],
)
def test_an_answer_that_does_not_fit_the_task_is_nonsense(value, task):
    with pytest.raises(CloudNonsense):
        read(value, task)


def test_of_a_class_named_twice_the_better_score_counts():
    prediction, _ = read({"displayNames": ["rose", "daisy", "rose"], "confidences": [0.5, 0.25, 0.125]})
    assert prediction.scores.tolist() == [0.5, 0.25]


def test_rounding_beyond_one_is_forgiven():
    prediction, _ = read({"displayNames": ["rose"], "confidences": [1.0000001]})
    assert prediction.scores.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("score", ["NaN", float("inf"), None, "x", {}, 1.5, -0.5, 97.0])
def test_a_score_that_is_no_number_or_not_within_0_and_1_is_nonsense(score):
    with pytest.raises(CloudNonsense):
        read({"displayNames": ["rose"], "confidences": [score]})


@pytest.mark.parametrize(
    "boxes", [[[0.1, 0.2], [0.3, 0.4]], [[0.1] * 8] * 2, [[0.1] * 4, [0.1] * 3], [[], []], [0.1, 0.2]]
)
def test_boxes_that_have_not_four_corners_are_nonsense(boxes):
    value = {"displayNames": ["rose", "daisy"], "confidences": [0.5, 0.5], "bboxes": boxes}
    with pytest.raises(CloudNonsense):
        read(value, Task.DETECTION)


def test_where_the_edge_has_no_list_of_labels_none_is_called_unknown():
    value = {"displayNames": ["car", "bus"], "confidences": [0.9, 0.8], "bboxes": [[0, 1, 0, 1]] * 2}
    prediction, unknown = read_response(value, Task.DETECTION, (), {})
    assert (prediction.labels, prediction.classes.tolist(), unknown) == (("car", "bus"), [-1, -1], ())


def test_a_detector_of_tensorflow_that_names_no_class_is_told_by_numbers_from_nothing():
    value = {"detection_boxes": [[0, 0, 1, 1]] * 2, "detection_scores": [0.9, 0.5], "detection_classes": [1.0, 3.0]}
    prediction, unknown = read(value, Task.DETECTION)
    assert prediction.labels == unknown == ("class 0", "class 2")


@pytest.mark.parametrize(("scores", "multi_label"), [([0.9, 0.8], True), ([0.75, 0.25], False), ([0.5, 0.5005], False)])
def test_scores_that_add_up_to_more_than_one_are_of_several_classes(scores, multi_label):
    prediction, _ = read({"labels": ["rose", "daisy"], "scores": scores})
    assert prediction.multi_label is multi_label
