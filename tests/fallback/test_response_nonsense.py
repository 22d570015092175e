"""Answers that no online model should give: each is refused, and none becomes a prediction."""

from __future__ import annotations

import json
import math
import unicodedata

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edge.errors import CloudNonsense
from edge.fallback.response import MAX_LABEL_CHARS, MAX_ROWS, read_response
from edge.model.prediction import Selection
from edge.model.tasks.classification import CLASSIFICATION
from edge.model.tasks.detection import DETECTION

LABELS = ("rose", "daisy")
EVERYTHING = Selection(100, 0.0, {})
BOX = {"x_min": 0.1, "y_min": 0.2, "x_max": 0.6, "y_max": 0.8}
B64 = {"b64": "ZXNwcmVzc28="}


def automl(labels=("rose",), scores=(0.9,), boxes=None):
    value = {"displayNames": _listed(labels), "confidences": _listed(scores)}
    return value if boxes is None else value | {"bboxes": _listed(boxes)}


def tensorflow(**changed):
    rows = {
        "num_detections": 1.0,
        "detection_boxes": [[0.2, 0.1, 0.8, 0.6]],
        "detection_scores": [0.75],
        "detection_classes": [2.0],
        "detection_classes_as_text": ["daisy"],
    }
    return {name: value for name, value in (rows | changed).items() if value is not None}


def own(**changed):
    one = {"label": "daisy", "index": 1, "score": 0.75, "box": BOX} | changed
    return {"task": "detection", "predictions": [one]}


def _listed(value):
    return list(value) if isinstance(value, tuple) else value


def read(value, task, labels=LABELS):
    return read_response(value, task, labels, {})


@pytest.mark.parametrize(
    "box",
    [
        [120, 400, 80, 300],  # pixels
        [0, 1.01, 0, 1],
        [-0.01, 1, 0, 1],
        [0, 1, 0, 1.5],
        [0.6, 0.1, 0.2, 0.8],  # x_min above x_max
        [0.1, 0.6, 0.8, 0.2],  # y_min above y_max
        [0, 1, 0, math.nan],
        [0, 1, 0, math.inf],
        [0, 1, 0, 10**400],
        [0, 1, 0, "1"],
        [0, 1, 0, True],
        [0, 1, 0, None],
        [0, 1, 0, [1]],
        [[0, 1, 0, 1]],
        {"x_min": 0},
        "0101",
        None,
        [],
    ],
)
def test_a_box_that_is_not_on_the_image_is_nonsense(box):
    with pytest.raises(CloudNonsense):
        read(automl(boxes=(box,)), DETECTION)


@pytest.mark.parametrize(
    "box", [[0.6, 0.1, 0.2, 0.8], [0.1, 0.6, 0.8, 0.2], [0, 0, 1, 1.6], [0, 0, 300, 400]]
)
def test_tensorflows_boxes_are_checked_too(box):
    with pytest.raises(CloudNonsense):
        read(tensorflow(detection_boxes=[box]), DETECTION)


@pytest.mark.parametrize("side", ["x_min", "y_min", "x_max", "y_max"])
def test_another_edges_boxes_are_checked_too(side):
    for wrong in (400, -1, None, "0.5", False):
        with pytest.raises(CloudNonsense):
            read(own(box={**BOX, side: wrong}), DETECTION)


def test_a_raw_detectors_box_that_is_partly_outside_is_cut_at_the_images_edge():
    prediction, _ = read(tensorflow(detection_boxes=[[-0.34, 0.1, 1.38, 0.6]]), DETECTION)
    np.testing.assert_allclose(prediction.boxes, [[0.1, 0.0, 0.6, 1.0]], atol=1e-6)


def test_rounding_of_a_box_is_forgiven():
    prediction, _ = read(automl(boxes=([-1e-7, 1.0000001, 0, 1],)), DETECTION)
    assert prediction.boxes.tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize(
    "label",
    [
        B64, None, 3, 0.5, True, [], ["rose"], {}, "", "  ", "\x00", "ro\nse", "\x1b]52;c;x\x07",
        "a\x85b", "a\u2028b", "\ud800", "x" * (MAX_LABEL_CHARS + 1), "x" * (1 << 20),
    ],
    ids=repr,
)  # fmt: skip
def test_a_label_that_is_not_readable_text_is_nonsense_in_every_shape(label):
    values = [
        (automl(labels=(label,)), CLASSIFICATION),
        ({"labels": [label], "scores": [0.8]}, CLASSIFICATION),
        (automl(labels=(label,), boxes=([0, 1, 0, 1],)), DETECTION),
        (tensorflow(detection_classes_as_text=[label]), DETECTION),
        (own(label=label), DETECTION),
    ]
    for value, task in values:
        with pytest.raises(CloudNonsense) as refused:
            read(value, task)
        assert refused.value.message.isprintable()
        assert len(refused.value.message) < 400


@pytest.mark.parametrize("label", ["Gänseblümchen", "花", "sacré\u00a0cœur", "👩‍🌾", "a" * 1024])
def test_text_of_any_language_is_a_label(label):
    _, unknown = read(automl(labels=(label,)), CLASSIFICATION)
    assert unknown == (label,)


@pytest.mark.parametrize(
    "score", ["0.5", "NaN", True, False, None, [], [0.5], {}, math.nan, -math.inf, 1.01, -0.01, 50]
)
def test_a_score_that_is_not_a_number_of_0_to_1_is_nonsense_in_every_shape(score):
    values = [
        (automl(scores=(score,)), CLASSIFICATION),
        ({"labels": ["rose"], "scores": [score]}, CLASSIFICATION),
        (tensorflow(detection_scores=[score]), DETECTION),
        (own(score=score), DETECTION),
    ]
    for value, task in values:
        with pytest.raises(CloudNonsense):
            read(value, task)


@pytest.mark.parametrize(
    ("value", "task"),
    [
        (automl(labels="rose", scores=(0.1, 0.2, 0.3, 0.4)), CLASSIFICATION),
        (automl(scores={"0.9": 0.9}), CLASSIFICATION),
        (automl(labels=None), CLASSIFICATION),
        (automl(labels=("rose", "daisy")), CLASSIFICATION),
        ({"labels": [["rose"]], "scores": [[0.9]]}, CLASSIFICATION),
        ({"labels": ["rose"]}, CLASSIFICATION),
        ({"displayNames": ["rose"]}, CLASSIFICATION),
        (automl(boxes=([0, 1, 0, 1], [0, 1, 0, 1])), DETECTION),
        (automl(boxes={}), DETECTION),
        (tensorflow(num_detections=-1.0), DETECTION),
        (tensorflow(num_detections=2.0), DETECTION),
        (tensorflow(num_detections=0.5), DETECTION),
        (tensorflow(num_detections=math.nan), DETECTION),
        (tensorflow(num_detections="1"), DETECTION),
        (tensorflow(num_detections=True), DETECTION),
        (tensorflow(detection_classes_as_text=None, detection_classes=[0.0]), DETECTION),
        (tensorflow(detection_classes_as_text=None, detection_classes=[1.5]), DETECTION),
        (tensorflow(detection_classes_as_text=None, detection_classes=["2"]), DETECTION),
        (tensorflow(detection_classes_as_text=None, detection_classes=None), DETECTION),
        ({"predictions": {}}, DETECTION),
        ({"predictions": ["rose"]}, DETECTION),
        ({"predictions": [None]}, DETECTION),
        ({"predictions": [{"label": "rose"}]}, CLASSIFICATION),
        (automl(labels=("rose",) * (MAX_ROWS + 1), scores=(0.0,) * (MAX_ROWS + 1)), CLASSIFICATION),
        ({"\x1b[2J" * 1000: 1}, CLASSIFICATION),
        ("\x1b[2J" * 1000, CLASSIFICATION),
        ([], CLASSIFICATION),
        (None, CLASSIFICATION),
    ],
)
def test_lists_that_are_none_or_not_parallel_are_nonsense(value, task):
    with pytest.raises(CloudNonsense) as refused:
        read(value, task)
    assert refused.value.message.isprintable()
    assert len(refused.value.message) < 400


NUMBERS = st.one_of(
    st.floats(),
    st.floats(-0.5, 1.5),
    st.integers(-3, 500),
    st.sampled_from([10**400, True, "0.5"]),
)
TEXTS = st.one_of(st.sampled_from(["rose", "daisy", "vase", ""]), st.text(st.characters()))
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda some: st.one_of(st.lists(some, max_size=5), st.dictionaries(TEXTS, some, max_size=3)),
    max_leaves=8,
)
BOXES = st.one_of(ANYTHING, st.lists(NUMBERS, min_size=4, max_size=4))
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        **{
            name: st.one_of(ANYTHING, st.lists(st.one_of(TEXTS, ANYTHING), max_size=3))
            for name in ("displayNames", "labels", "detection_classes_as_text")
        },
        **{
            name: st.one_of(ANYTHING, st.lists(NUMBERS, max_size=3))
            for name in ("confidences", "scores", "detection_scores", "detection_classes")
        },
        **{
            name: st.one_of(ANYTHING, st.lists(BOXES, max_size=3))
            for name in ("bboxes", "detection_boxes")
        },
        "num_detections": ANYTHING,
        "task": st.one_of(ANYTHING, st.sampled_from(["classification", "detection"])),
        "predictions": st.one_of(
            ANYTHING,
            st.lists(
                st.fixed_dictionaries(
                    {"label": TEXTS, "score": NUMBERS},
                    optional={"box": st.dictionaries(st.sampled_from(list(BOX)), NUMBERS)},
                ),
                max_size=3,
            ),
        ),
    },
)


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    value=st.one_of(FIELDS, ANYTHING),
    task=st.sampled_from([CLASSIFICATION, DETECTION]),
    labels=st.sampled_from([LABELS, ()]),
)
@example(automl(boxes=([120, 400, 80, 300],)), DETECTION, LABELS)
@example({"labels": [B64], "scores": [0.8]}, CLASSIFICATION, LABELS)
@example(tensorflow(), DETECTION, ())
@example(own(), DETECTION, LABELS)
def test_whatever_comes_is_a_sane_prediction_or_nonsense_and_nothing_else(value, task, labels):
    try:
        prediction, unknown = read(value, task, labels)
    except CloudNonsense:
        return
    assert prediction.task is task
    assert len(prediction.labels) == len(prediction.scores)
    assert np.all((prediction.scores >= 0) & (prediction.scores <= 1))
    assert set(unknown) <= set(prediction.labels)
    items = prediction.select(EVERYTHING)
    for item in items:
        assert type(item.label) is str
        assert item.label.strip()
        assert not any(unicodedata.category(char) in {"Cc", "Cs"} for char in item.label)
        if task is DETECTION:
            x_min, y_min, x_max, y_max = item.box
            assert 0 <= x_min <= x_max <= 1
            assert 0 <= y_min <= y_max <= 1
        else:
            assert item.box is None
    json.dumps([item.as_json() for item in items], allow_nan=False).encode()
