"""What the online model and the outbox are given of a frame, and what is taken from their answers."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace

import numpy as np
import pytest

from edge.errors import OutboxError
from edge.exchange import ForwardingAsker, judged, kept, new_entry, question, result_json, said
from edge.fallback.cloud import CloudAnswer
from edge.fallback.policy import Action, Decision, Hindrance, LinkState, Reason
from edge.frame_key import digest_of, frame_key
from edge.model.contract import FallbackTuning, Task, Tuning
from edge.model.prediction import Classification, Detections, Item
from edge.outbox.entry import Receipt
from edge.service import Query

FAR = "projects/1/locations/x/endpoints/9"
TUNING = Tuning(fallback=FallbackTuning(endpoint=FAR, labels={"Rose!": "rose"}))
LABELS = tuple(f"class {number}" for number in range(150))
CLASSES = Classification(LABELS, np.linspace(0, 1, 150, dtype=np.float32), multi_label=True)
BOXES = Detections(
    np.tile(np.array([0.1, 0.2, 0.3, 0.4], np.float32), (2, 1)),
    np.array([1, 0]),
    np.array([0.25, 0.75], np.float32),
    ("b", "a"),
    9,
)


def servable(task=Task.CLASSIFICATION, labels=LABELS, **tuning):
    contract = SimpleNamespace(
        task=task,
        tuning=Tuning(fallback=TUNING.fallback, **tuning),
        multi_label=True,
        labels=labels,
    )
    export = SimpleNamespace(digest="sha of the model")
    return SimpleNamespace(name="flowers", version=3, contract=contract, export=export, labels=labels)


def cloud(prediction=CLASSES):
    return CloudAnswer(prediction, ("vase",), "far", 123.4)


def test_a_question_is_the_frame_in_the_models_words():
    asked = question(b"image", servable())
    assert (asked.image, asked.task, asked.labels) == (b"image", Task.CLASSIFICATION, LABELS)
    assert (asked.renamed, asked.model, asked.endpoint) == ({"Rose!": "rose"}, "flowers", FAR)
    assert question(b"image", servable(labels=None)).labels == ()


def test_a_frames_key_is_of_its_bytes_and_its_model_and_nothing_else():
    asked = question(b"image", servable())
    assert asked.key() == frame_key(digest_of(b"image"), "flowers") == question(b"image", servable(labels=())).key()
    assert asked.key() != question(b"image2", servable()).key()
    assert asked.key() != frame_key(digest_of(b"image"), "other")
    assert frame_key("ab", "c") != frame_key("a", "bc")
    assert len(asked.key()) == 32
    assert digest_of(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_detector_is_judged_by_its_own_rules_whatever_the_caller_asked_to_see():
    detector = servable(Task.DETECTION, score_threshold=0.5)
    shown = judged(SimpleNamespace(prediction=BOXES, items=[]), detector)
    assert [item.label for item in shown] == ["a"]
    asked_for = [Item("x", 0, 0.5)]
    assert judged(SimpleNamespace(prediction=CLASSES, items=asked_for), servable()) is asked_for


def test_of_the_clouds_answer_the_caller_sees_what_it_asked_for_and_never_a_class_without_a_score():
    everything = said(cloud(), servable(), Query(0.0, top_k=150, threshold=0.0))
    assert len(everything.items) == 149
    assert [item.label for item in said(cloud(), servable(), Query(0.0, top_k=2)).items] == ["class 149", "class 148"]
    assert len(said(cloud(), servable(), Query(0.0, top_k=150, threshold=0.5)).items) == 75
    assert (everything.latency, everything.model, everything.unknown_labels) == (123.4, "far", ("vase",))


def test_the_outbox_stores_all_that_the_cloud_said():
    stored = result_json(cloud())
    assert len(stored["predictions"]) == 100
    assert stored["predictions"][0]["label"] == "class 149"
    assert (stored["model"], stored["latency_ms"], stored["unknown_labels"]) == ("far", 123.4, ["vase"])
    few = Classification(("a", "b"), np.array([0.0, 0.001], np.float32), False)
    assert [item["label"] for item in result_json(cloud(few))["predictions"]] == ["b"]


def test_an_entry_says_of_a_frame_what_is_known_of_it():
    decision = Decision(Action.DEFER, Reason.LOW_SCORE, Hindrance.BUDGET_SPENT, keep=True)
    entry = new_entry(b"image", Query(0.0, camera="gate", top_k=1), servable(), decision, CLASSES)
    assert (entry.image, entry.task, entry.model, entry.version) == (b"image", "classification", "flowers", 3)
    assert (entry.model_digest, entry.camera, entry.multi_label) == ("sha of the model", "gate", True)
    assert (entry.reason, entry.hindrance) == ("low_score", "budget_spent")
    assert [item["label"] for item in entry.items] == [f"class {n}" for n in range(149, 144, -1)]
    assert (entry.certainty, entry.label) == (1.0, "class 149")
    failed = new_entry(b"image", Query(0.0), servable(), Decision(Action.DEFER, Reason.EDGE_FAILED), None)
    assert (failed.items, failed.certainty, failed.label, failed.hindrance) == ([], 0.0, "", "")


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
def test_what_became_of_a_kept_frame_is_told_as_far_as_it_is_known(outcome, expected):
    future = Future()
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    elif outcome is not None:
        future.set_result(outcome)
    found = kept(future)
    assert (found.state, found.key) == expected


@pytest.mark.parametrize(("most", "share"), [(8, 4), (5, 2), (2, 1), (1, 1)])
def test_forwarding_has_half_of_the_places_and_one_at_a_trial_and_none_where_the_way_is_not_free(most, share):
    link = SimpleNamespace(most_calls=most, hindrance=None, state=LinkState.UP)
    asker = ForwardingAsker(link, None)
    places = {}
    for state in LinkState:
        link.state = state
        places[state] = asker.places()
    assert places == {LinkState.UP: share, LinkState.TRIAL: 1, LinkState.DOWN: 0, LinkState.ABSENT: 0}
    link.state = LinkState.UP
    for hindrance in Hindrance:
        link.hindrance = hindrance
        assert asker.places() == 0
