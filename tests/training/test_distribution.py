"""How far a picture may be from training: bounds that hold for new ones, and strangers beyond."""

import struct

import numpy as np
import pytest
from builders.damaged_bytes import damaged
from hypothesis import given
from hypothesis import strategies as st

from edge.dataplane.answer import Answer, Source, answer_json
from edge.export.distribution_buffer import HEADER, decode_distribution, encode_distribution
from edge.model.contract import Quantization
from edge.model.prediction import Selection
from edge.model.rules import Reason, Rules
from edge.model.tasks.classification import CLASSIFICATION, Classification
from edge.model.tasks.task import Classes
from edge.model.training_distribution import TrainingDistribution
from edge.repository.version import ModelRef
from edge.training.distribution_fit import fit_distribution
from edge.training.feature_table import FeatureTable
from edge.vision.geometry import WHOLE_IMAGE

FEATURES = 48
QUANTIZATION = Quantization(0.05, 0)


def pictures(count, seed, labels=3, spread=10.0, shift=0.0):
    """Stored features of pictures around a centre for each label, and the labels."""
    centres = np.random.default_rng(0).uniform(-60, 60, (labels, FEATURES))
    rng = np.random.default_rng(seed)
    numbers = np.arange(count) % labels
    rows = centres[numbers] + rng.normal(0, spread, (count, FEATURES)) + shift
    return rows.round().clip(-128, 127).astype(np.int8), numbers


@pytest.fixture(scope="module")
def fitted():
    rows, labels = pictures(300, seed=1)
    distribution = fit_distribution(FeatureTable(rows, QUANTIZATION), labels)
    assert distribution is not None
    return distribution


def real(rows):
    return rows.astype(np.float32) * np.float32(QUANTIZATION.scale)


def share_unlike(distribution, rows):
    return np.mean([distribution.is_unlike(row) for row in real(rows)])


def test_about_one_known_picture_in_twenty_is_beyond_the_bound(fitted):
    rows, _ = pictures(600, seed=2)
    assert 0.01 < share_unlike(fitted, rows) < 0.10


@pytest.mark.parametrize("shift", [40, -40])
def test_pictures_from_elsewhere_are_beyond_it(fitted, shift):
    rows, _ = pictures(100, seed=3, shift=shift)
    assert share_unlike(fitted, rows) == 1


def test_a_label_that_varies_more_has_a_wider_bound():
    tight, labels = pictures(300, seed=4, spread=4)
    wide, _ = pictures(300, seed=4, spread=25)
    rows = np.where((labels == 1)[:, None], wide, tight)
    distribution = fit_distribution(FeatureTable(rows, QUANTIZATION), labels)
    assert distribution.bounds[1] > 1.2 * distribution.bounds[0]


def test_too_few_pictures_give_no_bound():
    rows, labels = pictures(19, seed=5)
    assert fit_distribution(FeatureTable(rows, QUANTIZATION), labels) is None


def test_the_buffer_gives_back_what_was_written(fitted):
    read = decode_distribution(encode_distribution(fitted), FEATURES)
    rows, _ = pictures(50, seed=6)
    assert np.allclose(read.distances(real(rows)), fitted.distances(real(rows)), rtol=1e-4)
    assert np.array_equal(read.bounds, fitted.bounds)


@given(data=st.data())
def test_a_damaged_buffer_is_refused_or_gives_bounded_numbers(fitted, data):
    content = damaged(data, encode_distribution(fitted))
    try:
        read = decode_distribution(content, FEATURES)
    except (ValueError, struct.error):
        return
    assert read.basis.shape == fitted.basis.shape
    assert all(np.isfinite(part).all() for part in (read.mean, read.basis, read.bounds))


@pytest.mark.parametrize(
    ("features", "dimensions", "groups"),
    [(FEATURES, 10**9, 1), (FEATURES, 1, 10**9), (FEATURES, 1, 0), (FEATURES + 1, 1, 1)],
)
def test_stated_sizes_beyond_reason_are_refused(features, dimensions, groups):
    with pytest.raises(ValueError, match="another model"):
        decode_distribution(HEADER.pack(b"EDGETD01", features, dimensions, groups), FEATURES)


def one_dimension(bound):
    ones = np.ones((1, 1), np.float32)
    zeros = np.zeros(1, np.float32)
    return TrainingDistribution(zeros, ones, ones, ones * 0, 1.0, np.array([bound], np.float32))


@pytest.mark.parametrize(
    ("feature", "unlike"), [(0.0, False), (2.0, False), (2.1, True), (-3.0, True), (np.nan, True)]
)
def test_the_bound_itself_is_still_known_and_what_is_no_number_is_not(feature, unlike):
    assert one_dimension(2.0).is_unlike(np.array([feature], np.float32)) is unlike


def predicted(feature, distribution):
    outputs = {
        "scores": np.array([[0.01, 0.99]], np.float32),
        "features": np.array([[feature]], np.float32),
    }
    classes = Classes(("a", "b"), distribution=distribution)
    return CLASSIFICATION.read_tensors(outputs, classes, WHOLE_IMAGE)


@pytest.mark.parametrize(
    ("feature", "distribution", "unlike", "reason"),
    [
        (0.0, one_dimension(2.0), False, None),
        (9.0, one_dimension(2.0), True, Reason.UNLIKE_TRAINING),
        (9.0, None, None, None),
    ],
)
def test_an_answer_to_a_stranger_is_not_certain_whatever_its_score(
    feature, distribution, unlike, reason
):
    prediction = predicted(feature, distribution)
    assert prediction.unlike_training is unlike
    assert CLASSIFICATION.uncertainty(prediction, Selection(5, 0.0, {}), Rules()) is reason


@pytest.mark.parametrize("unlike", [True, False, None])
def test_the_answer_says_so_only_if_the_model_can_tell(unlike):
    prediction = Classification(("a",), np.ones(1, np.float32), False, unlike)
    answer = Answer(prediction, [], Source.EDGE, ModelRef("m", 1, "0" * 64), 1, 1)
    body = answer_json(answer)
    assert body.get("unlike_training") is unlike
    assert ("unlike_training" in body) is (unlike is not None)
