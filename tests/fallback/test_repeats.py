"""Which frames repeat what was asked about just now, and what is done with them: truth tables."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from edge.fallback.policy import (
    Action,
    BlockedBy,
    CloudAvailability,
    Decision,
    LinkState,
    decide,
    reached_nobody,
)
from edge.fallback.repeats import MAX_VIEWS, Repeats, View, is_unchanged
from edge.model.prediction import Selection
from edge.model.rules import Reason
from edge.model.tasks.classification import CLASSIFICATION, Classification
from edge.model.tasks.detection import DETECTION, Detections

REPEAT_S = 5.0
CUP = View("10.0.0.1", "camera gate", "m", ("cup",), unsure=True)


@pytest.mark.parametrize(
    ("asked", "now", "repeat_s", "unchanged"),
    [
        (None, 0.0, 5.0, False),
        (100.0, 100.0, 5.0, True),
        (100.0, 104.999, 5.0, True),
        (100.0, 105.0, 5.0, False),
        (100.0, 100.0, 0.0, False),
    ],
)
def test_a_view_is_unchanged_for_so_many_seconds(asked, now, repeat_s, unchanged):
    assert is_unchanged(asked, now, repeat_s) is unchanged


@pytest.mark.parametrize(
    ("change", "is_new"),
    [
        ({}, False),
        ({"labels": ("bowl",)}, True),
        ({"labels": ("cup", "cup")}, True),
        ({"labels": ()}, True),
        ({"unsure": False}, True),
        ({"model": "other"}, True),
        ({"sender": "camera door"}, True),
        ({"client": "10.0.0.2"}, True),
    ],
)
def test_a_view_is_new_if_the_edges_answer_or_its_sender_is_another(change, is_new):
    repeats = Repeats(REPEAT_S)
    assert repeats.take(CUP, 100.0)
    assert repeats.take(replace(CUP, **change), 101.0) is is_new


def test_an_unchanged_view_is_asked_about_again_every_so_many_seconds():
    repeats = Repeats(REPEAT_S)
    asked = [second for second in range(20) if repeats.take(CUP, second)]
    assert asked == [0, 5, 10, 15]


def test_noise_between_two_views_asks_about_each_once():
    repeats = Repeats(REPEAT_S)
    bowl = replace(CUP, labels=("bowl",))
    views = itertools.islice(itertools.cycle([CUP, bowl]), 40)
    asked = [view for number, view in enumerate(views) if repeats.take(view, number / 10)]
    assert asked == [CUP, bowl]


def test_a_view_that_was_not_sent_after_all_is_new():
    repeats = Repeats(REPEAT_S)
    repeats.take(CUP, 0.0)
    repeats.forget(CUP)
    assert repeats.take(CUP, 0.1)


def test_as_many_views_as_there_may_be_are_remembered_and_the_oldest_goes():
    repeats = Repeats(REPEAT_S)
    for number in range(3 * MAX_VIEWS):
        repeats.take(replace(CUP, sender=f"camera {number}"), 0.0)
    assert len(repeats._asked) == MAX_VIEWS
    assert not repeats.take(replace(CUP, sender=f"camera {3 * MAX_VIEWS - 1}"), 0.0)
    assert repeats.take(replace(CUP, sender="camera 0"), 0.0)


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("blocked_by", [None, BlockedBy.BUSY])
@pytest.mark.parametrize("outbox", [True, False])
@pytest.mark.parametrize("link", list(LinkState))
def test_an_unchanged_frame_is_neither_sent_nor_stored_but_may_probe_the_link(
    reason, blocked_by, outbox, link
):
    availability = CloudAvailability(link, blocked_by, 1.0, outbox=outbox)
    probes = link is LinkState.HALF_OPEN and blocked_by is None
    assert decide(reason, availability, answered=True, unchanged=True) == Decision(
        Action.PROBE if probes else Action.ACCEPT, reason, BlockedBy.UNCHANGED, keep=False
    )


@pytest.mark.parametrize("blocked_by", [None, *BlockedBy])
@pytest.mark.parametrize("stored", [True, False])
def test_a_frame_reached_somebody_if_a_call_was_made_or_it_is_stored(blocked_by, stored):
    made = {
        None,
        BlockedBy.TIMED_OUT,
        BlockedBy.CALLER_GONE,
        BlockedBy.CLOUD_FAILED,
        BlockedBy.UNCHANGED,
    }
    in_vain = blocked_by not in made and not stored
    assert reached_nobody(Action.ACCEPT, blocked_by, stored=stored) is in_vain
    assert not reached_nobody(Action.PROBE, blocked_by, stored=stored)


@pytest.mark.parametrize(
    ("multi_label", "scores", "seen"),
    [
        (False, (0.4, 0.3, 0.6), ("tulip",)),
        (True, (0.4, 0.3, 0.6), ("tulip",)),
        (True, (0.5, 0.3, 0.6), ("daisy", "tulip")),
        (True, (0.4, 0.3, 0.2), ("daisy",)),
        (False, (), ()),
    ],
)
def test_a_classifier_sees_its_best_label_and_with_several_the_likely_ones(
    multi_label, scores, seen
):
    labels = ("daisy", "rose", "tulip")[: len(scores)]
    prediction = Classification(labels, np.array(scores, np.float32), multi_label)
    assert CLASSIFICATION.seen_labels(prediction, Selection(5, 0.0, {})) == seen


def test_a_detector_sees_every_object_that_it_shows_wherever_it_is():
    scores = np.array([0.9, 0.2, 0.8, 0.7], np.float32)
    labels = ("cup", "cup", "bowl", "cup")
    prediction = Detections(np.zeros((4, 4), np.float32), np.arange(4), scores, labels, 20)
    assert DETECTION.seen_labels(prediction, Selection(9, 0.3, {})) == ("bowl", "cup", "cup")
