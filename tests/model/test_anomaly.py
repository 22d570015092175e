"""The task anomaly: which of two labels is shown, how sure it is, and what the cloud may say."""

import numpy as np
import pytest

from edge.dataplane.answer import Answer, Source, answer_json
from edge.model.good_parts import GoodParts, mean_of_neighbours
from edge.model.prediction import HeatMap, Selection
from edge.model.rules import Reason, Rules
from edge.model.tasks.anomaly import ANOMALY, FEATURE_MAP, Anomaly
from edge.model.tasks.task import Classes, CloudRows, WrongCloudAnswer
from edge.repository.version import ModelRef
from edge.vision.geometry import WHOLE_IMAGE, Region

NAN = float("nan")


def scored(anomaly):
    return Anomaly(np.array([1 - anomaly, anomaly], np.float32))


def shown(threshold=0.5, of_label=None):
    return Selection(5, threshold, {} if of_label is None else {"anomaly": of_label})


@pytest.mark.parametrize(
    ("score", "selection", "label"),
    [
        (0.0, shown(), "good"),
        (0.499, shown(), "good"),
        (0.5, shown(), "anomaly"),
        (1.0, shown(), "anomaly"),
        (0.3, shown(0.3), "anomaly"),
        (0.6, shown(0.7), "good"),
        (0.6, shown(0.7, of_label=0.55), "anomaly"),
        (NAN, shown(), "anomaly"),
    ],
)
def test_it_is_an_anomaly_from_the_threshold_on_and_good_below(score, selection, label):
    (item,) = scored(score).select(selection)
    assert item.label == label
    assert item.index == ("good", "anomaly").index(label)
    expected = score if label == "anomaly" else 1 - score
    assert item.score == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("score", "selection", "rules", "reason"),
    [
        (0.2, shown(), Rules(), None),
        (0.8, shown(), Rules(), None),
        (0.47, shown(), Rules(), Reason.NARROW_MARGIN),
        (0.53, shown(), Rules(), Reason.NARROW_MARGIN),
        (0.47, shown(), Rules(margin=0.01), None),
        (0.72, shown(0.7), Rules(), Reason.NARROW_MARGIN),
        (0.53, shown(0.7), Rules(), None),
        (0.8, shown(), Rules(threshold=0.9), Reason.LOW_SCORE),
        (0.95, shown(), Rules(threshold=0.9), None),
        (0.05, shown(), Rules(threshold=0.9), None),
        (0.8, shown(), Rules(bands={"anomaly": (0.5, 0.9)}), Reason.UNSURE_BAND),
        (0.52, shown(), Rules(bands={"anomaly": (0.6, 0.9)}), None),
        (0.2, shown(), Rules(bands={"anomaly": (0.1, 0.9)}), None),
        (NAN, shown(), Rules(), Reason.LOW_SCORE),
    ],
)
def test_it_is_unsure_near_its_threshold_or_with_a_low_score(score, selection, rules, reason):
    assert ANOMALY.uncertainty(scored(score), selection, rules) is reason


@pytest.mark.parametrize(
    ("labels", "scores", "anomaly"),
    [(["anomaly", "good"], [0.8, 0.2], 0.8), (["good"], [0.9], 0.1), (["anomaly"], [0.3], 0.3)],
)
def test_the_cloud_may_name_either_label(labels, scores, anomaly):
    rows = CloudRows(labels, scores, None, ("good", "anomaly"), ())
    assert ANOMALY.read_cloud(rows).scores == pytest.approx([1 - anomaly, anomaly])


@pytest.mark.parametrize(
    ("labels", "boxes"), [(["cat"], None), ([], None), (["anomaly"], [[0.0, 0.0, 1.0, 1.0]])]
)
def test_an_online_model_of_another_kind_is_refused(labels, boxes):
    with pytest.raises(WrongCloudAnswer):
        ANOMALY.read_cloud(CloudRows(labels, [0.5] * len(labels), boxes, (), ("cat",)))


def parts_of_one_channel():
    ones = np.ones((1, 1), np.float32)
    means, whitening = np.zeros((6, 6, 1), np.float32), np.ones((36, 1, 1), np.float32)
    return GoodParts(ones, means, whitening, typical=0.1, bound=0.5)


def test_the_oddest_place_decides_and_the_answer_shows_where_it_is():
    features = np.zeros((1, 6, 6, 1), np.float32)
    features[0, 4, 1] = 9
    classes = Classes(("good", "anomaly"), good_parts=parts_of_one_channel())
    prediction = ANOMALY.read_tensors({FEATURE_MAP: features}, classes, WHOLE_IMAGE)
    answer = Answer(prediction, [], Source.EDGE, ModelRef("m", 1, "0" * 64), 1, 1)
    heat = np.array(answer_json(answer)["heat_map"])
    assert heat[4, 1] == heat.max() == pytest.approx(prediction.scores[1], abs=0.005)
    assert heat[0, 5] == heat.min() < 0.1


def test_the_answer_says_which_part_of_the_image_the_heat_map_covers():
    heat = HeatMap(np.zeros((2, 2), np.float32), Region(0.1, 0.25, 0.9, 1 - 1 / 3))
    prediction = Anomaly(np.float32([1, 0]), heat)
    answer = answer_json(Answer(prediction, [], Source.EDGE, ModelRef("m", 1, "0" * 64), 1, 1))
    region = {"x_min": 0.1, "y_min": 0.25, "x_max": 0.9, "y_max": 0.666667}
    assert answer["heat_region"] == region


@pytest.mark.parametrize(
    ("score", "labels"), [(0.2, ["good", "anomaly"]), (0.9, ["anomaly", "good"])]
)
def test_all_items_are_both_labels_whatever_the_threshold_the_likelier_first(score, labels):
    assert [item.label for item in scored(score).best(100)] == labels
    assert [item.score for item in scored(score).best(1)] == [pytest.approx(max(score, 1 - score))]


def test_an_answer_without_a_place_has_no_heat_map():
    answer = Answer(scored(0.5), [], Source.CLOUD, ModelRef("m", 1, "0" * 64), 1, 1)
    assert not {"heat_map", "heat_region"} & answer_json(answer).keys()


def test_a_heat_map_is_rounded_to_what_can_be_seen():
    heat = HeatMap(np.float32([[0.123456, 1.0]]), WHOLE_IMAGE)
    assert heat.as_json() == [[0.12, 1.0]]


def test_the_mean_of_neighbours_continues_the_edge():
    grid = np.arange(9, dtype=np.float32).reshape(3, 3, 1)
    mean = mean_of_neighbours(grid)[..., 0]
    assert mean[1, 1] == pytest.approx(4)
    assert mean[0, 0] == pytest.approx((4 * 0 + 2 * 1 + 2 * 3 + 4) / 9)
