"""Whether an answer is certain: one rule, whoever answered and whatever the request selects."""

from __future__ import annotations

import asyncio
import math
from types import SimpleNamespace

import numpy as np
import pytest
from builders.answers import ask
from builders.escalation import answering_cloud, build, cloud_says, running, small_repository
from builders.images import encode, noise
from builders.tflite import classifier

from edge.dataplane.answer import InferRequest, answer_json
from edge.dataplane.local import LocalAnswerer
from edge.model.contract import Contract, Format, ModelFallback, PixelInput, Tuning
from edge.model.prediction import Nearest, Selection, find_nearest
from edge.model.rules import RuleOverrides, Rules
from edge.model.tasks.classification import Classification
from edge.model.tasks.detection import Detections
from edge.repository.version import ModelRef
from edge.runtime.pipeline import DecodeOptions, FrameResult, StageTimes
from edge.runtime.pool import WorkerPool
from edge.settings import Settings
from edge.wiring.bootstrap import build_service

LABELS = ("a", "b", "c")
PHOTO = encode(noise(9, 9), "PNG")


def classified(*scores, multi_label=False):
    return Classification(LABELS, np.array(scores, np.float32), multi_label)


def detected(*scores):
    boxes = np.tile(np.array([[0.0, 0.0, 1.0, 1.0]], np.float32), (len(scores), 1))
    classes = np.arange(len(scores))
    return Detections(boxes, classes, np.array(scores, np.float32), LABELS[: len(scores)], 3)


def answered(prediction, rules=None, tuning=None, **request):
    """The edge's answer where its model predicts so."""
    contract = Contract(
        Format.TFLITE,
        prediction.task,
        PixelInput("image", 0, "uint8", 4, 4),
        LABELS,
        multi_label=False,
        outputs={},
        tuning=tuning or Tuning(),
    )
    result = FrameResult(prediction, 9, 9, StageTimes())
    version = SimpleNamespace(
        contract=contract, ref=ModelRef("m", 1, ""), predict=lambda *_: result
    )
    pool = WorkerPool(1, 1)
    repository = SimpleNamespace(get=lambda *_: version)
    answerer = LocalAnswerer(repository, pool, DecodeOptions(100), rules or Rules())
    try:
        return asyncio.run(answerer.answer(PHOTO, InferRequest(math.inf, **request)))
    finally:
        pool.close()


def own_rules(**overrides):
    return Tuning(fallback=ModelFallback(rules=RuleOverrides(**overrides)))


@pytest.mark.parametrize(
    ("prediction", "certain"),
    [
        (classified(0.6, 0.3, 0.1), True),
        (classified(0.5, 0.4, 0.1), True),  # a margin of 0.1 is wide enough
        (classified(0.49, 0.1, 0.1), False),
        (classified(0.55, 0.46, 0.0), False),
        (classified(math.nan, 0.9, 0.0), False),
        (classified(0.9, 0.88, 0.0, multi_label=True), True),  # no margin: both can be seen
        (classified(0.49, 0.1, 0.1, multi_label=True), False),
        (detected(0.9, 0.6, 0.1), True),
        (detected(0.9, 0.4, 0.1), False),  # a box that is shown, but weak
        (detected(0.2, 0.1), False),  # nothing found
        (detected(), False),
        (detected(math.nan), False),
    ],
)
def test_the_services_threshold_and_margin_decide(prediction, certain):
    answer = answered(prediction)
    assert answer.certain is certain
    assert answer_json(answer)["certain"] is certain


@pytest.mark.parametrize(
    ("prediction", "overrides", "certain"),
    [
        (classified(0.4, 0.1, 0.1), {"threshold": 0.3}, True),
        (classified(0.9, 0.05, 0.05), {"threshold": 0.95}, False),
        (classified(0.9, 0.05, 0.05), {"margin": 0.9}, False),
        (classified(0.9, 0.05, 0.05), {"bands": {"a": (0.8, 0.95)}}, False),
        (detected(0.2), {"empty": False}, True),
    ],
)
def test_a_models_own_rules_go_before_the_services(prediction, overrides, certain):
    assert answered(prediction).certain is not certain
    assert answered(prediction, tuning=own_rules(**overrides)).certain is certain


@pytest.mark.parametrize("prediction", [classified(0.6, 0.3, 0.1), detected(0.9, 0.6)])
@pytest.mark.parametrize("request_", [{"top_k": 1}, {"threshold": 1.0}, {"threshold": 0.0}])
def test_what_the_request_selects_does_not_change_it(prediction, request_):
    assert answered(prediction, **request_).certain


def test_where_nothing_is_shown_the_answer_says_what_came_nearest():
    answer = answer_json(answered(detected(0.1, 0.21)))
    assert answer["predictions"] == []
    assert answer["nearest"] == {
        "label": "b",
        "index": 1,
        "score": 0.21,
        "box": {"x_min": 0, "y_min": 0, "x_max": 1, "y_max": 1},
        "threshold": 0.3,
    }
    assert "nearest" not in answer_json(answered(detected(0.1, 0.4)))


def test_the_threshold_is_that_of_the_nearest_label():
    shown = Selection(5, 0.3, {"a": 0.9})
    assert find_nearest(detected(0.8, 0.2), shown) == Nearest(
        detected(0.8, 0.2).select(Selection(1, 0, {}))[0], 0.9
    )


@pytest.mark.parametrize("prediction", [detected(), detected(0.0), detected(math.nan, 1e-9)])
def test_a_score_of_nothing_is_near_to_nothing(prediction):
    assert find_nearest(prediction, Selection(5, 0.3, {})) is None


@pytest.mark.parametrize(("score", "certain"), [(0.75, True), (0.4, False)])
def test_an_answer_of_the_cloud_has_its_own_certainty(tmp_path, score, certain):
    async def ask_the_cloud():
        cloud = answering_cloud()
        cloud.usual = cloud_says("label 3", score)
        service = build(small_repository(tmp_path), cloud, "prefer_cloud", threshold=0.5)
        async with running(service):
            return await service.infer(PHOTO, InferRequest(math.inf))

    answer = asyncio.run(ask_the_cloud())
    assert (answer.source, answer.certain) == ("cloud", certain)


@pytest.mark.parametrize("side", [0.5, 1.5])
def test_the_owners_threshold_counts_without_an_online_model(tmp_path, side):
    (tmp_path / "model.tflite").write_bytes(classifier())
    (tmp_path / "dict.txt").write_text("\n".join(f"label {i}" for i in range(12)))
    best = ask(tmp_path, PHOTO).items[0].score
    settings = Settings(
        models=tmp_path, workers=1, fallback={"threshold": min(1.0, best * side), "margin": 0.0}
    )

    async def infer():
        service = build_service(settings)
        service.load_models()
        try:
            return await service.infer(PHOTO, InferRequest(math.inf))
        finally:
            await service.stop()

    assert asyncio.run(infer()).certain is (side < 1)
