"""The policy's questions over everything that they can be asked."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edge import errors
from edge.fallback.policy import (
    Action,
    BlockedBy,
    CloudAvailability,
    Decision,
    LinkState,
    after_failure,
    decide,
    escalation_reason,
    escalation_reason_after,
)
from edge.model.prediction import Selection
from edge.model.rules import Mode, Reason, Rules, parse_modes
from edge.model.tasks.classification import Classification
from edge.model.tasks.detection import Detections

FAILED, FULL, LATE = Reason.EDGE_FAILED, Reason.EDGE_OVERLOADED, Reason.EDGE_LATE
AFTER = {
    (Mode.ON_ERROR, errors.InferenceFailed): FAILED,
    (Mode.ON_ERROR, errors.ModelUnavailable): FAILED,
    (Mode.ON_ERROR, errors.DeadlineExceeded): LATE,
    (Mode.OVERLOAD, errors.Overloaded): FULL,
    (Mode.OVERLOAD, errors.DeadlineExceeded): LATE,
    (Mode.PREFER_CLOUD, errors.InferenceFailed): FAILED,
    (Mode.PREFER_CLOUD, errors.ModelUnavailable): FAILED,
    (Mode.PREFER_CLOUD, errors.Overloaded): FULL,
    (Mode.PREFER_CLOUD, errors.DeadlineExceeded): LATE,
}
"""Wherever an error of the edge's is not in it, the error stands."""


def kinds(parent=errors.EdgeError):
    for kind in parent.__subclasses__():
        yield kind
        yield from kinds(kind)


KINDS = sorted(
    {kind for kind in kinds() if kind.__module__ == errors.__name__}, key=lambda kind: kind.__name__
)


def made(kind):
    return kind("f", "r", "x") if issubclass(kind, errors.ExportError) else kind("x")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", list(Mode))
def test_each_mode_stands_in_for_its_own_errors_and_no_other(mode, kind):
    assert escalation_reason_after(made(kind), Rules(parse_modes(mode))) is AFTER.get((mode, kind))


def test_there_is_more_than_one_kind_of_error():
    assert len(KINDS) > 20
    assert {kind for _, kind in AFTER} < set(KINDS)


def classes(best):
    return Classification(("a", "b"), np.array([best, 0.1], np.float32), False)


def boxes(*scores):
    count = len(scores)
    rows = np.zeros((count, 4), np.float32)
    return Detections(
        rows, np.zeros(count, np.intp), np.array(scores, np.float32), ("a",) * count, 9
    )


ANSWERS = {
    "sure class": (classes(0.9), None),
    "unsure class": (classes(0.4), Reason.LOW_SCORE),
    "narrow class": (
        Classification(("a", "b"), np.array([0.6, 0.55], np.float32), False),
        Reason.NARROW_MARGIN,
    ),
    "sure box": (boxes(0.9, 0.8), None),
    "unsure box": (boxes(0.9, 0.4), Reason.LOW_SCORE),
    "no box": (boxes(), Reason.NOTHING_FOUND),
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("mode", list(Mode))
def test_each_mode_wishes_for_the_cloud_after_its_own_answers(mode, name):
    answer, doubt = ANSWERS[name]
    expected = {
        Mode.LOW_CONFIDENCE: doubt,
        Mode.PREFER_CLOUD: doubt or Reason.PREFERRED,
        Mode.SHADOW: Reason.SHADOWED,
    }
    shown = Selection(9, 0.0, {})
    assert escalation_reason(answer, shown, Rules(parse_modes(mode))) is expected.get(mode)


KEPT = {
    Reason.LOW_SCORE,
    Reason.NARROW_MARGIN,
    Reason.UNSURE_BAND,
    Reason.NOTHING_FOUND,
    Reason.UNLIKE_TRAINING,
    Reason.EDGE_FAILED,
    Reason.EDGE_OVERLOADED,
    Reason.EDGE_LATE,
}
"""What is worth keeping for later: something spoke against the edge's answer."""


def stands(reason, blocked_by, outbox):
    """What is done without the cloud."""
    if outbox and reason in KEPT:
        return Decision(Action.DEFER, reason, blocked_by, keep=True)
    return Decision(Action.ACCEPT, reason, blocked_by, keep=False)


def hindered(link, blocked_by, seconds):
    if link is LinkState.ABSENT:
        return BlockedBy.NO_ENDPOINT
    if link is LinkState.DOWN:
        return BlockedBy.LINK_DOWN
    return blocked_by if seconds >= 0.02 else BlockedBy.NO_TIME


@pytest.mark.parametrize("outbox", [True, False], ids=["outbox", "none"])
@pytest.mark.parametrize("answered", [True, False], ids=["answered", "failed"])
@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("link", list(LinkState))
def test_whatever_blocks_a_call_is_named_and_without_it_the_cloud_is_asked(
    link, reason, answered, outbox
):
    for blocked_by, seconds in itertools.product(
        [None, *BlockedBy], [5.0, 0.02, 0.0199, 0.0, -1.0]
    ):
        decision = decide(
            reason, CloudAvailability(link, blocked_by, seconds, outbox), answered=answered
        )
        stands_against = hindered(link, blocked_by, seconds)
        if stands_against is not None:
            assert decision == stands(reason, stands_against, outbox)
        elif reason is Reason.SHADOWED:
            assert decision == Decision(Action.SHADOW, reason)
        elif link is LinkState.UP or not answered:
            assert decision == Decision(Action.ESCALATE, reason)
        else:
            keep = outbox and reason in KEPT
            assert decision == Decision(Action.PROBE, reason, BlockedBy.LINK_DOWN, keep)


@pytest.mark.parametrize("reason", list(Reason))
def test_after_every_failure_of_the_cloud_the_frame_is_kept_or_the_edges_answer_stands(reason):
    for blocked_by, outbox in itertools.product(BlockedBy, [True, False]):
        assert after_failure(reason, blocked_by, outbox=outbox) == stands(
            reason, blocked_by, outbox
        )


def test_without_a_reason_nothing_is_done_whatever_the_means():
    for link, blocked_by, outbox in itertools.product(LinkState, [None, *BlockedBy], [True, False]):
        for answered in (True, False):
            assert decide(
                None, CloudAvailability(link, blocked_by, 1.0, outbox), answered=answered
            ) == Decision(Action.ACCEPT)
