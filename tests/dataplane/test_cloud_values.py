"""What the online model and the outbox get of a frame, and what is read from their answers."""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import Future
from types import MethodType, SimpleNamespace

import numpy as np
import pytest

from edge.dataplane.answer import Answer, InferRequest, Source
from edge.dataplane.cloud_parts import CloudParts, ForwardingCaller
from edge.dataplane.cloud_values import (
    cloud_request,
    cloud_side,
    new_entry,
    outbox_receipt,
    result_json,
)
from edge.dataplane.escalation import EscalatingAnswerer
from edge.errors import OutboxError
from edge.fallback.cloud import CloudResponse
from edge.fallback.policy import Action, BlockedBy, Decision, LinkState
from edge.fallback.shares import NO_CLIENT
from edge.frame_key import digest_of, frame_key
from edge.model.contract import Contract, ModelFallback, Tuning
from edge.model.rules import Mode, Reason, Rules
from edge.model.tasks.anomaly import Anomaly
from edge.model.tasks.classification import CLASSIFICATION, Classification
from edge.model.tasks.detection import DETECTION, Detections
from edge.outbox.entry import Receipt
from edge.repository.version import ModelRef

FAR = "projects/1/locations/x/endpoints/9"
TUNING = Tuning(fallback=ModelFallback(endpoint=FAR, labels={"Rose!": "rose"}))
LABELS = tuple(f"class {number}" for number in range(150))
CLASSES = Classification(LABELS, np.linspace(0, 1, 150, dtype=np.float32), multi_label=True)
BOXES = Detections(
    np.tile(np.array([0.1, 0.2, 0.3, 0.4], np.float32), (2, 1)),
    np.array([1, 0]),
    np.array([0.25, 0.75], np.float32),
    ("b", "a"),
    9,
)


def version(task=CLASSIFICATION, labels=LABELS, **tuning):
    contract = SimpleNamespace(
        task=task,
        tuning=Tuning(fallback=TUNING.fallback, **tuning),
        multi_label=True,
        labels=labels,
    )
    contract.selection = MethodType(Contract.selection, contract)
    ref = ModelRef("flowers", 3, "sha of the model")
    return SimpleNamespace(name="flowers", version=3, ref=ref, contract=contract, labels=labels)


def cloud(prediction=CLASSES):
    return CloudResponse(prediction, ("vase",), "far", 123.4)


def test_a_question_is_the_frame_in_the_models_words():
    asked = cloud_request(b"image", version())
    assert (asked.image, asked.task, asked.labels) == (b"image", CLASSIFICATION, LABELS)
    assert (asked.renamed, asked.model, asked.endpoint) == ({"Rose!": "rose"}, "flowers", FAR)
    assert cloud_request(b"image", version(labels=None)).labels == ()


def test_a_frames_key_is_of_its_bytes_and_its_model_and_nothing_else():
    asked = cloud_request(b"image", version())
    assert (
        asked.key()
        == frame_key(digest_of(b"image"), "flowers")
        == cloud_request(b"image", version(labels=())).key()
    )
    assert asked.key() != cloud_request(b"image2", version()).key()
    assert asked.key() != frame_key(digest_of(b"image"), "other")
    assert frame_key("ab", "c") != frame_key("a", "bc")
    assert len(asked.key()) == 32
    assert digest_of(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_detector_is_judged_by_its_own_rules_whatever_the_caller_asked_to_see():
    """Of the two boxes the detector itself shows only the one of which it is sure."""
    detector = version(DETECTION, score_threshold=0.5)
    for threshold in (None, 0.0, 0.9):
        request = InferRequest(math.inf, threshold=threshold)
        assert escalated(detector, BOXES, request).reason is None
    unsure = escalated(version(DETECTION, score_threshold=0.2), BOXES, InferRequest(math.inf))
    assert unsure.reason is Reason.LOW_SCORE


def test_a_classifier_is_judged_by_all_its_scores_whatever_the_caller_asked_to_see():
    request = InferRequest(math.inf, top_k=1, threshold=1.0)
    assert escalated(version(), CLASSES, request).reason is None
    unsure = Classification(LABELS, np.full(150, 0.4, np.float32), multi_label=True)
    assert escalated(version(), unsure, request).reason is Reason.LOW_SCORE


def escalated(version, prediction, request):
    """What is decided about a frame that the edge answers so, where less than 0.5 is unsure."""

    class Edge:
        async def answer(self, image, request):
            items = prediction.select(version.contract.selection(request.top_k, request.threshold))
            return Answer(prediction, items, Source.EDGE, version.ref, 64, 48)

    repository = SimpleNamespace(find=lambda *_: version)
    parts = CloudParts(repository, Rules(frozenset({Mode.LOW_CONFIDENCE}), 0.5), timeout_s=1.0)
    answerer = EscalatingAnswerer(Edge(), parts, max_pixels=10_000)
    return asyncio.run(answerer.answer(b"", request)).escalation


def test_of_the_clouds_answer_the_caller_sees_what_it_asked_for_and_never_a_class_without_a_score():
    everything = cloud_side(cloud(), version(), InferRequest(0.0, top_k=150, threshold=0.0))
    assert len(everything.items) == 149
    best_two = cloud_side(cloud(), version(), InferRequest(0.0, top_k=2))
    assert [item.label for item in best_two.items] == ["class 149", "class 148"]
    assert (
        len(cloud_side(cloud(), version(), InferRequest(0.0, top_k=150, threshold=0.5)).items) == 75
    )
    assert (everything.latency, everything.model, everything.unknown_labels) == (
        123.4,
        "far",
        ("vase",),
    )


def test_the_outbox_stores_all_that_the_cloud_said():
    stored = result_json(cloud())
    assert len(stored["predictions"]) == 100
    assert stored["predictions"][0]["label"] == "class 149"
    assert (stored["model"], stored["latency_ms"], stored["unknown_labels"]) == (
        "far",
        123.4,
        ["vase"],
    )
    few = Classification(("a", "b"), np.array([0.0, 0.001], np.float32), False)
    assert [item["label"] for item in result_json(cloud(few))["predictions"]] == ["b"]


@pytest.mark.parametrize(("score", "label"), [(0.03, "good"), (0.97, "anomaly")])
def test_the_outbox_stores_first_what_the_cloud_said_of_a_part(score, label):
    """Whoever labels with it takes the first: a good part must not become an anomaly of 3 %."""
    part = Anomaly(np.array([1 - score, score], np.float32))
    [first, second] = result_json(cloud(part))["predictions"]
    assert first["label"] == label
    assert first["score"] > second["score"]


def test_an_entry_says_of_a_frame_what_is_known_of_it():
    decision = Decision(Action.DEFER, Reason.LOW_SCORE, BlockedBy.BUDGET_SPENT, keep=True)
    entry = new_entry(
        b"image", InferRequest(0.0, camera="gate", top_k=1), version(), decision, CLASSES
    )
    assert (entry.image, entry.task, entry.model, entry.version) == (
        b"image",
        "classification",
        "flowers",
        3,
    )
    assert (entry.model_digest, entry.camera, entry.multi_label) == (
        "sha of the model",
        "gate",
        True,
    )
    assert (entry.reason, entry.blocked_by) == ("low_score", "budget_spent")
    assert [item["label"] for item in entry.items] == [f"class {n}" for n in range(149, 144, -1)]
    assert (entry.confidence, entry.label) == (1.0, "class 149")
    failed = new_entry(
        b"image", InferRequest(0.0), version(), Decision(Action.DEFER, Reason.EDGE_FAILED), None
    )
    assert (failed.items, failed.confidence, failed.label, failed.blocked_by) == ([], 0.0, "", "")


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (None, ("pending", None)),
        (OutboxError("the disk is full"), ("failed", None)),
        (Receipt("k", kept=True, known=False), ("kept", "k")),
        (Receipt("k", kept=True, known=True), ("kept", "k")),
        (Receipt("k", kept=False, known=False), ("full", "k")),
    ],
)
def test_a_receipt_says_what_is_known_of_the_frame_so_far(outcome, expected):
    future = Future()
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    elif outcome is not None:
        future.set_result(outcome)
    found = outbox_receipt(future)
    assert (found.state, found.key) == expected


@pytest.mark.parametrize(("max_calls", "share"), [(8, 4), (5, 2), (2, 1), (1, 1)])
def test_forwarding_has_half_of_the_slots_one_when_half_open_and_none_when_calls_are_blocked(
    max_calls, share
):
    link = SimpleNamespace(
        max_calls=max_calls, blocked_for=lambda client: blocked[client], state=LinkState.UP
    )
    blocked = {NO_CLIENT: None}
    caller = ForwardingCaller(link, None)
    slots = {}
    for state in LinkState:
        link.state = state
        slots[state] = caller.free_slots()
    assert slots == {
        LinkState.UP: share,
        LinkState.HALF_OPEN: 1,
        LinkState.DOWN: 0,
        LinkState.ABSENT: 0,
    }
    link.state = LinkState.UP
    for blocked_by in BlockedBy:
        blocked[NO_CLIENT] = blocked_by
        assert caller.free_slots() == 0
