"""When two answers are the same, how recorded ones are read, and how the online model is asked."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from builders.cloud import ANSWER, Cloud, HandClock, make_link
from builders.tflite import tiny_export
from builders.waiting import wait

from edge.errors import CloudError, CloudNonsense, InputError
from edge.evaluation.parity.difference import Expected, compare
from edge.evaluation.parity.parity import Parity
from edge.evaluation.parity.preprocessing import MAX_PICTURES, Choice, Fit, _judge
from edge.evaluation.parity.recorded import RecordedAnswers
from edge.evaluation.parity.sources import NoMoreAnswers, OnlineModel
from edge.export.pixel_range import SIGNED_UNIT, UNIT
from edge.export.read import read_export
from edge.fallback.budget import Limits
from edge.model.contract import ChannelOrder, Resize, Tuning
from edge.model.prediction import Selection
from edge.model.tasks.classification import CLASSIFICATION, Classification
from edge.model.tasks.detection import DETECTION, Detections
from edge.repository.version import ModelVersion
from edge.vision.resize import Kernel

LABELS = ("a", "b", "c")
SHOWN = Selection(100, 0.3, {})


def classified(*scores, multi_label=False, labels=LABELS):
    return Classification(labels, np.array(scores, np.float32), multi_label)


def expected(prediction, named=None):
    return Expected(prediction, frozenset(prediction.labels if named is None else named))


@pytest.mark.parametrize(
    ("own", "wanted", "same", "agrees"),
    [
        ((0.7, 0.2, 0.1), (0.9, 0.1, 0.0), True, True),
        ((0.45, 0.5, 0.05), (0.5, 0.45, 0.05), False, True),  # within twice the tolerance
        ((0.4, 0.6, 0.0), (0.6, 0.4, 0.0), False, False),
        ((0.0, 0.9, 0.1), (0.5, 0.0, 0.5), False, False),
    ],
)
def test_single_label_answers(own, wanted, same, agrees):
    found = compare(classified(*own), expected(classified(*wanted)), SHOWN, 0.05)
    assert (found.same, found.agrees) == (same, agrees)
    assert found.worst == pytest.approx(max(abs(a - b) for a, b in zip(own, wanted, strict=True)))


@pytest.mark.parametrize(
    ("own", "wanted", "same", "agrees"),
    [
        ((0.9, 0.6, 0.1), (0.7, 0.9, 0.4), True, True),
        ((0.9, 0.49, 0.1), (0.9, 0.52, 0.1), False, True),
        ((0.9, 0.2, 0.1), (0.9, 0.8, 0.1), False, False),
    ],
)
def test_multi_label_answers(own, wanted, same, agrees):
    found = compare(
        classified(*own, multi_label=True),
        expected(classified(*wanted, multi_label=True)),
        SHOWN,
        0.05,
    )
    assert (found.same, found.agrees) == (same, agrees)


def test_a_label_that_was_not_recorded_is_not_taken_for_zero():
    wanted = expected(classified(0.6, 0.0, 0.0), named=["a"])
    found = compare(classified(0.6, 0.4, 0.0), wanted, SHOWN, 0.05)
    assert found.scores == (pytest.approx(0.0),)


def test_labels_are_compared_by_name_and_not_by_place():
    wanted = expected(classified(0.1, 0.9, labels=("b", "a")))
    found = compare(classified(0.9, 0.1, 0.0), wanted, SHOWN, 0.05)
    assert found.same
    assert found.worst == pytest.approx(0.0, abs=1e-6)


def test_a_broken_score_is_a_difference():
    found = compare(classified(np.nan, 0, 0), expected(classified(0.9, 0.1, 0)), SHOWN, 0.05)
    assert found.worst == pytest.approx(0.9)


def found_objects(*rows):
    boxes = np.array([row[2] for row in rows], np.float32).reshape(-1, 4)
    scores = np.array([row[1] for row in rows], np.float32)
    labels = tuple(row[0] for row in rows)
    return Detections(boxes, np.zeros(len(rows), np.intp), scores, labels, len(rows))


LEFT, RIGHT, WIDE = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0), (0.0, 0.0, 0.625, 1.0)


@pytest.mark.parametrize(
    ("own", "wanted", "same", "agrees", "overlap"),
    [
        ([("a", 0.9, LEFT)], [("a", 0.8, LEFT)], True, True, 1.0),
        ([("a", 0.9, WIDE)], [("a", 0.9, LEFT)], True, True, 0.8),
        ([("a", 0.9, LEFT)], [("b", 0.9, LEFT)], False, False, None),
        ([("a", 0.9, LEFT)], [("a", 0.9, RIGHT)], False, False, None),
        ([("a", 0.9, LEFT), ("a", 0.32, RIGHT)], [("a", 0.9, LEFT)], False, True, 1.0),
        ([("a", 0.9, LEFT)], [("a", 0.9, LEFT), ("a", 0.7, LEFT)], False, False, 1.0),
        ([("a", 0.1, LEFT)], [], True, True, None),
    ],
)
def test_objects(own, wanted, same, agrees, overlap):
    found = compare(found_objects(*own), expected(found_objects(*wanted)), SHOWN, 0.05)
    assert (found.same, found.agrees) == (same, agrees)
    if overlap is not None:
        assert found.overlaps[0] == pytest.approx(overlap)
    assert (found.distance == 0) == (same and own[0][1:] == (wanted or own)[0][1:])


ROWS = {
    "predict": {
        "file": "x/1.jpg",
        "task": "classification",
        "predictions": [{"label": "b", "index": 1, "score": 0.8}],
    },
    "Vertex AI's batch prediction": {
        "instance": {"content": "gs://bucket/1.jpg", "mimeType": "image/jpeg"},
        "prediction": {"ids": ["7"], "displayNames": ["b"], "confidences": [0.8]},
    },
    "TensorFlow Serving": {"image": "1.jpg", "labels": ["b", "a"], "scores": [0.8, 0.2]},
    "by hand": {"file": "1.jpg", "predictions": [{"label": "b", "score": 0.8}]},
    "with what a person sees": {
        "file": "1.jpg",
        "labels": ["c"],
        "predictions": [{"label": "b", "index": 1, "score": 0.8}],
        "certain": True,
    },
}


@pytest.mark.parametrize("shape", ROWS)
@pytest.mark.parametrize("as_list", [False, True])
def test_recorded_answers_of_every_shape(shape, as_list, tmp_path):
    other = {"file": "other.jpg", "predictions": [{"label": "a", "score": 1.0}]}
    rows = [ROWS[shape], other]
    lines = json.dumps(rows) if as_list else "\n".join(map(json.dumps, rows)) + "\n"
    (tmp_path / "answers").write_text(lines)
    found = RecordedAnswers(tmp_path / "answers").find("y/1.jpg", CLASSIFICATION, LABELS, {})
    by_label = dict(zip(found.prediction.labels, found.prediction.scores.tolist(), strict=True))
    assert by_label["b"] == pytest.approx(0.8)
    assert "b" in found.named
    assert "c" not in found.named


def test_recorded_objects_and_renamed_labels(tmp_path):
    box = {"x_min": 0.0, "y_min": 0.0, "x_max": 0.5, "y_max": 1.0}
    row = {"file": "1.jpg", "predictions": [{"label": "A2", "score": 0.8, "box": box}]}
    nothing = {"file": "2.jpg", "predictions": []}
    (tmp_path / "answers").write_text("\n".join(map(json.dumps, [row, nothing])))
    answers = RecordedAnswers(tmp_path / "answers")
    found = answers.find("1.jpg", DETECTION, LABELS, {"A2": "a"})
    assert found.prediction.labels == ("a",)
    assert not answers.find("2.jpg", DETECTION, LABELS, {}).prediction.labels


def test_the_whole_name_of_a_picture_goes_before_its_last_part(tmp_path):
    rows = [
        {"file": f"{place}/1.jpg", "predictions": [{"label": label, "score": 0.9}]}
        for place, label in (("x", "a"), ("y", "b"))
    ]
    (tmp_path / "answers").write_text("\n".join(map(json.dumps, rows)))
    answers = RecordedAnswers(tmp_path / "answers")
    assert answers.find("y/1.jpg", CLASSIFICATION, LABELS, {}).named == {"b"}
    with pytest.raises(InputError, match="several answers"):
        answers.find("z/1.jpg", CLASSIFICATION, LABELS, {})
    assert answers.find("z/2.jpg", CLASSIFICATION, LABELS, {}) is None


def test_a_recorded_error_is_no_answer(tmp_path):
    (tmp_path / "answers").write_text('{"file": "1.jpg", "error": {"code": "corrupt_image"}}')
    answers = RecordedAnswers(tmp_path / "answers")
    assert answers.find("1.jpg", CLASSIFICATION, LABELS, {}) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "line 1 is not JSON"),
        (b"[1]", "answer 1: an answer is a JSON object"),
        (b'{"file": "a", "scores": []}\n\n{"scores": []}', "line 3 names no picture"),
        (b"\xff\xfe", "cannot be read"),
        (b"[" * 100_000, "is not JSON"),
    ],
)
def test_what_is_no_file_of_answers_is_refused_with_its_place(content, words, tmp_path):
    (tmp_path / "answers").write_bytes(content)
    with pytest.raises(InputError, match=words):
        RecordedAnswers(tmp_path / "answers")


def test_a_recorded_answer_of_another_shape_makes_no_sense(tmp_path):
    (tmp_path / "answers").write_text('{"file": "1.jpg", "verdict": "rose"}')
    with pytest.raises(InputError, match="The recording's answer has an unknown shape"):
        RecordedAnswers(tmp_path / "answers").find("1.jpg", CLASSIFICATION, LABELS, {})


def difference(distance):
    own = classified(0.5 + distance / 2, 0.5, 0)
    return compare(own, expected(classified(0.5, 0.5, 0)), SHOWN, 0.05)


def test_what_was_expected_is_kept_of_the_first_and_the_worst_pictures_only():
    parity = Parity("x")
    rng = np.random.default_rng(3)
    distances = rng.permutation(500) / 1_000
    for number, distance in enumerate(distances):
        parity.add(number, difference(distance), expected(classified(1, 0, 0)))
    assert len(parity.sample) == MAX_PICTURES
    half = MAX_PICTURES // 2
    assert set(range(half)) <= set(parity.sample)
    worst = set(np.argsort(-distances[half:])[:half] + half)
    assert set(parity.sample) == set(range(half)) | worst


def choice(crop=None, kernel=Kernel.BILINEAR, order=ChannelOrder.RGB, scale=None):
    return Choice(crop, kernel, order, scale)


def test_the_nearest_choice_explains_if_it_is_clearly_nearer():
    fits = [Fit(choice(), 0.2), Fit(choice(crop=0.875), 0.01), Fit(choice(crop=1.0), 0.1)]
    found = _judge(fits, Tuning(), 5, 0.02)
    assert found.explains
    assert found.lines == ['resize = "center_crop"', "crop_fraction = 0.875"]


def test_of_choices_as_near_the_one_with_the_fewest_changes_is_taken():
    both = choice(crop=1.0, kernel=Kernel.LANCZOS)
    fits = [Fit(choice(), 0.2), Fit(both, 0.0100), Fit(choice(crop=1.0), 0.0109)]
    assert _judge(fits, Tuning(), 5, 0.02).best.choice == choice(crop=1.0)


@pytest.mark.parametrize(("current", "distance"), [(0.02, 0.02), (0.02, 0.016), (0.2, 0.021)])
def test_a_choice_that_is_hardly_nearer_or_still_far_explains_nothing(current, distance):
    found = _judge([Fit(choice(), current), Fit(choice(crop=1.0), distance)], Tuning(), 5, 0.02)
    assert not found.explains
    assert found.lines == []


def test_the_lines_set_whatever_differs():
    current = choice(crop=0.875, scale=UNIT)
    best = choice(kernel=Kernel.TENSORFLOW_V1, order=ChannelOrder.BGR, scale=SIGNED_UNIT)
    tuning = Tuning(resize=Resize.CENTER_CROP, crop_fraction=0.875)
    found = _judge([Fit(current, 0.5), Fit(best, 0.0)], tuning, 5, 0.02)
    assert found.lines == [
        'resize = "stretch"',
        "# and remove crop_fraction",
        'kernel = "tensorflow_v1"',
        'channel_order = "bgr"',
        "mean = 127.5",
        "std = 127.5",
    ]


@pytest.fixture
def version(tmp_path):
    return ModelVersion("m", 1, read_export(tiny_export(tmp_path)))


def test_the_online_model_is_asked_until_its_budget_is_spent(version):
    cloud = Cloud()
    source = OnlineModel(make_link(cloud, HandClock(), limits=Limits(calls_per_day=2)), version, 1)
    for _ in range(2):
        assert source.expect("1.jpg", b"image").named == {"a"}
    with pytest.raises(NoMoreAnswers, match="budget_spent"):
        source.expect("3.jpg", b"image")
    source.close()
    assert len(cloud.calls) == 2
    assert not cloud.open


def test_an_online_model_that_cannot_be_reached_is_said(version, monkeypatch):
    monkeypatch.setattr("edge.evaluation.parity.sources._CONNECT_S", 0.3)
    cloud = Cloud()
    cloud.reachable = False
    link = make_link(cloud, HandClock())
    with pytest.raises(CloudError, match="cannot be asked"):
        OnlineModel(link, version, 1)
    wait(lambda: not link._thread.is_alive())


def test_an_error_of_the_online_model_is_of_one_picture_only(version):
    cloud = Cloud()
    cloud.script = [CloudNonsense("odd"), ANSWER]
    source = OnlineModel(make_link(cloud, HandClock()), version, 1)
    with pytest.raises(CloudNonsense):
        source.expect("1.jpg", b"image")
    assert source.expect("2.jpg", b"image") is not None
    source.close()


def test_the_recorded_answers_of_the_documentation_are_read(repository_root, tmp_path):
    text = (repository_root / "docs/evaluation.md").read_text("utf-8")
    (lines,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    (tmp_path / "answers").write_text(lines)
    answers = RecordedAnswers(tmp_path / "answers")
    found = [
        answers.find(f"photos/{name}.jpg", CLASSIFICATION, ("rose", "tulip"), {})
        for name in (1, 2, 3)
    ]
    scores = [round(float(one.prediction.scores.max()), 2) for one in found]
    assert scores == [0.91, 0.8, 0.7]
