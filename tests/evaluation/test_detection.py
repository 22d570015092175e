"""Average precision as COCO defines it, by hand and as pycocotools computes it; confusion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.datasets.dataset import LabeledBox
from edge.evaluation.detection import DetectionTally, match, overlaps
from edge.model.prediction import Selection
from edge.model.tasks.detection import Detections

EVERYTHING = Selection(100, 0.0, {})


def detections(*rows):
    """Rows of label, score and box."""
    boxes = np.array([row[2] for row in rows], np.float32).reshape(-1, 4)
    scores = np.array([row[1] for row in rows], np.float32)
    labels = tuple(row[0] for row in rows)
    return Detections(boxes, np.zeros(len(rows), np.intp), scores, labels, len(rows))


def tally(*pictures, threshold=0.5, labels=("cat", "dog")):
    """Pictures of true (label, box) and found (label, score, box)."""
    made = DetectionTally(labels)
    for truth, rows in pictures:
        found = detections(*rows)
        shown = found.select(Selection(100, threshold, {}))
        made.add([LabeledBox(label, box) for label, box in truth], found, shown)
    return made


coordinate = st.integers(0, 16).map(lambda step: step / 16)
box = st.tuples(coordinate, coordinate, coordinate, coordinate).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)
boxes = st.lists(box, max_size=6).map(lambda rows: np.array(rows, np.float64).reshape(-1, 4))


@given(boxes, boxes)
def test_overlaps_are_symmetric_shares(first, second):
    overlap = overlaps(first, second)
    assert overlap.shape == (len(first), len(second))
    assert ((overlap >= 0) & (overlap <= 1)).all()
    assert np.array_equal(overlap, overlaps(second, first).T)
    areas = (first[:, 2] - first[:, 0]) * (first[:, 3] - first[:, 1])
    assert np.diag(overlaps(first, first)) == pytest.approx((areas > 0).astype(float))


@given(boxes, boxes, st.sampled_from([0.25, 0.5, 0.75]))
def test_no_true_box_is_matched_twice_nor_below_the_threshold(found, true, threshold):
    overlap = overlaps(found, true)
    matched = match(overlap, threshold)
    claimed = [one for one in matched if one is not None]
    assert len(claimed) == len(set(claimed))
    assert all(overlap[row, one] >= threshold for row, one in enumerate(matched) if one is not None)
    left = set(range(len(true))) - set(claimed)
    for row, one in enumerate(matched):
        assert one is not None or all(overlap[row, column] < threshold for column in left)


WHOLE, LEFT, RIGHT = (0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)


def test_a_found_object_counts_once():
    twice = tally(([("cat", LEFT)], [("cat", 0.9, LEFT), ("cat", 0.8, LEFT)]))
    assert twice.average_precisions("cat") == [pytest.approx(1.0)] * 10
    assert twice.confusion.tolist() == [[1, 0, 0], [0, 0, 0], [1, 0, 0]]


def test_a_false_alarm_before_the_object_halves_the_precision():
    made = tally(([("cat", LEFT)], [("cat", 0.9, RIGHT), ("cat", 0.8, LEFT)]))
    assert made.average_precisions("cat")[0] == pytest.approx(0.5)


def test_a_box_that_is_too_large_is_found_up_to_its_overlap():
    """LEFT within WHOLE has an IoU of exactly .5."""
    made = tally(([("cat", LEFT)], [("cat", 0.9, WHOLE)]))
    assert made.average_precisions("cat") == [pytest.approx(1.0), *[0.0] * 9]


def test_a_label_that_is_not_there_has_no_average_precision():
    made = tally(([("cat", LEFT)], [("dog", 0.9, LEFT)]))
    assert made.average_precisions("dog") == [None] * 10
    assert made.average_precisions("cat") == [0.0] * 10


def test_what_is_there_by_what_was_shown_for_it():
    made = tally(
        ([("cat", LEFT), ("dog", RIGHT)], [("dog", 0.9, LEFT), ("dog", 0.4, RIGHT)]),
        ([], [("cat", 0.7, WHOLE)]),
        ([("dog", WHOLE)], [("dog", 0.6, (0.0, 0.0, 0.8, 1.0)), ("cat", 0.95, WHOLE)]),
    )
    cat, dog, nothing = range(3)
    assert made.confusion[cat, dog] == 1  # taken for a dog
    assert made.confusion[dog, nothing] == 1  # below the threshold: missed
    assert made.confusion[nothing, cat] == 2
    assert made.confusion[dog, dog] == 1  # the right label goes before the better box
    assert made.confusion.sum() == 5


def test_a_label_that_nobody_named_gets_a_row_of_its_own():
    made = tally(([], [("class 7", 0.9, WHOLE)]))
    assert made.labels == ("cat", "dog", "class 7")
    assert made.confusion[3, 2] == 1


def random_set():
    """Forty pictures with up to four objects, found with errors, as pycocotools got them."""
    rng = np.random.default_rng(5)
    pictures = []
    for _ in range(40):
        truth, rows = [], []
        for _ in range(rng.integers(0, 5)):
            corner, size = rng.uniform(0, 0.6, 2), rng.uniform(0.1, 0.4, 2)
            label = ("cat", "dog", "bird")[rng.integers(0, 3)]
            true = (*corner, *(corner + size))
            truth.append((label, true))
            if rng.uniform() < 0.8:
                moved = np.array(true) + rng.normal(0, 0.03, 4)
                said = label if rng.uniform() < 0.85 else "cat"
                rows.append((said, round(rng.uniform(0.2, 1), 3), tuple(moved)))
        for _ in range(rng.integers(0, 3)):
            corner, size = rng.uniform(0, 0.6, 2), rng.uniform(0.1, 0.4, 2)
            label = ("cat", "dog", "bird")[rng.integers(0, 3)]
            rows.append((label, round(rng.uniform(0, 0.7), 3), (*corner, *(corner + size))))
        pictures.append((truth, rows))
    return pictures


def test_average_precision_is_that_of_pycocotools():
    """Values of COCOeval on `random_set`, with boxes in pixels of 1000 x 1000."""
    made = tally(*random_set(), labels=("cat", "dog", "bird"))
    by_label = [made.average_precisions(label) for label in ("cat", "dog", "bird")]
    assert np.mean(by_label) == pytest.approx(PYCOCOTOOLS["ap"], abs=1e-4)
    assert np.mean([one[0] for one in by_label]) == pytest.approx(PYCOCOTOOLS["ap50"], abs=1e-4)
    assert np.mean([one[5] for one in by_label]) == pytest.approx(PYCOCOTOOLS["ap75"], abs=1e-4)


PYCOCOTOOLS = {"ap": 0.152812, "ap50": 0.470583, "ap75": 0.041107}
