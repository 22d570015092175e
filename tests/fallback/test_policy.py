"""The policy as truth tables."""

from __future__ import annotations

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
from edge.model.rules import Mode, Reason, RuleOverrides, Rules, parse_modes
from edge.model.tasks.classification import Classification
from edge.model.tasks.detection import DETECTION, Detections

LOW = Rules(frozenset({Mode.LOW_CONFIDENCE}), threshold=0.5, margin=0.1, bands={"rose": (0.4, 0.9)})
SHOW_ALL = Selection(100, 0.0, {})


def classes(multi_label: bool = False, **scores: float) -> Classification:
    return Classification(tuple(scores), np.array(list(scores.values()), np.float32), multi_label)


def boxes(**scores: float) -> Detections:
    rows = len(scores)
    values = np.array(list(scores.values()), np.float32)
    return Detections(np.zeros((rows, 4), np.float32), np.arange(rows), values, tuple(scores), 20)


@pytest.mark.parametrize(
    ("prediction", "reason"),
    [
        (classes(daisy=0.9, tulip=0.05), None),
        (classes(daisy=0.49, tulip=0.05), Reason.LOW_SCORE),
        (classes(daisy=0.5, tulip=0.05), None),
        (classes(daisy=0.55, tulip=0.46), Reason.NARROW_MARGIN),
        (classes(daisy=0.55, tulip=0.44), None),
        (classes(True, daisy=0.95, tulip=0.94), None),
        (classes(rose=0.85, tulip=0.05), Reason.UNSURE_BAND),
        (classes(rose=0.9, tulip=0.05), None),
        (classes(rose=0.39, tulip=0.05), None),
        (classes(rose=0.46, tulip=0.55), Reason.NARROW_MARGIN),
        (classes(True, rose=0.45, tulip=0.95), Reason.UNSURE_BAND),
        (classes(True, rose=0.1, tulip=0.2), Reason.LOW_SCORE),
        (classes(daisy=1.0), None),
        (classes(), Reason.LOW_SCORE),
        (boxes(car=0.8, bus=0.6), None),
        (boxes(car=0.8, bus=0.4), Reason.LOW_SCORE),
        (boxes(car=0.8, rose=0.6), Reason.UNSURE_BAND),
        (boxes(car=0.8, rose=0.95), None),
        (boxes(), Reason.NOTHING_FOUND),
    ],
)
def test_an_answer_is_doubted_for_its_scores(prediction, reason):
    assert prediction.task.uncertainty(prediction, SHOW_ALL, LOW) is reason


def test_a_detector_that_shows_nothing_is_trusted_where_the_owner_says_so():
    assert DETECTION.uncertainty(boxes(), SHOW_ALL, Rules(LOW.modes, empty=False)) is None


def test_a_detector_is_judged_by_what_it_shows_and_not_by_its_noise():
    noisy = boxes(car=0.8, bus=0.2)
    assert DETECTION.uncertainty(noisy, Selection(100, 0.3, {}), LOW) is None


SURE, UNSURE = classes(daisy=0.9, tulip=0.05), classes(daisy=0.4, tulip=0.05)


@pytest.mark.parametrize(
    ("modes", "on_sure", "on_unsure", "on_failure", "on_overload"),
    [
        ("off", None, None, None, None),
        ("on_error", None, None, Reason.EDGE_FAILED, None),
        ("low_confidence", None, Reason.LOW_SCORE, None, None),
        ("overload", None, None, None, Reason.EDGE_OVERLOADED),
        (
            "prefer_cloud",
            Reason.PREFERRED,
            Reason.LOW_SCORE,
            Reason.EDGE_FAILED,
            Reason.EDGE_OVERLOADED,
        ),
        ("shadow", Reason.SHADOWED, Reason.SHADOWED, None, None),
        (
            "on_error, overload,low_confidence",
            None,
            Reason.LOW_SCORE,
            Reason.EDGE_FAILED,
            Reason.EDGE_OVERLOADED,
        ),
    ],
)
def test_each_mode_wants_the_cloud_for_its_own_reasons(
    modes, on_sure, on_unsure, on_failure, on_overload
):
    rules = Rules(parse_modes(modes))
    seen = [escalation_reason(one, SHOW_ALL, rules) for one in (SURE, UNSURE)]
    failed = [
        escalation_reason_after(error, rules)
        for error in (errors.InferenceFailed("x"), errors.Overloaded("x"))
    ]
    assert [*seen, *failed] == [on_sure, on_unsure, on_failure, on_overload]


@pytest.mark.parametrize("mode", set(Mode))
@pytest.mark.parametrize(
    "kind",
    [
        errors.BadRequest,
        errors.CorruptImage,
        errors.UnsupportedImage,
        errors.ModelNotFound,
        errors.ShuttingDown,
    ],
)
def test_no_mode_asks_the_cloud_about_a_request_that_is_wrong(mode, kind):
    assert escalation_reason_after(kind("x"), Rules(parse_modes(mode))) is None


def test_a_late_or_unavailable_edge_is_a_reason_too():
    rules = Rules(frozenset({Mode.ON_ERROR}))
    assert escalation_reason_after(errors.DeadlineExceeded("x"), rules) is Reason.EDGE_LATE
    assert escalation_reason_after(errors.ModelUnavailable("x"), rules) is Reason.EDGE_FAILED


UP, TRIAL, DOWN, ABSENT = LinkState.UP, LinkState.HALF_OPEN, LinkState.DOWN, LinkState.ABSENT
FINE = CloudAvailability(UP, None, 1.0, outbox=True)


@pytest.mark.parametrize(
    ("reason", "means", "answered", "decision"),
    [
        (None, FINE, True, Decision(Action.ACCEPT)),
        (None, CloudAvailability(DOWN, None, 1, outbox=True), True, Decision(Action.ACCEPT)),
        (Reason.LOW_SCORE, FINE, True, Decision(Action.ESCALATE, Reason.LOW_SCORE)),
        (Reason.PREFERRED, FINE, True, Decision(Action.ESCALATE, Reason.PREFERRED)),
        (Reason.SHADOWED, FINE, True, Decision(Action.SHADOW, Reason.SHADOWED)),
        (Reason.EDGE_FAILED, FINE, False, Decision(Action.ESCALATE, Reason.EDGE_FAILED)),
        (
            Reason.LOW_SCORE,
            CloudAvailability(TRIAL, None, 1, outbox=True),
            True,
            Decision(Action.PROBE, Reason.LOW_SCORE, BlockedBy.LINK_DOWN, keep=True),
        ),
        (
            Reason.EDGE_FAILED,
            CloudAvailability(TRIAL, None, 1, outbox=True),
            False,
            Decision(Action.ESCALATE, Reason.EDGE_FAILED),
        ),
        (
            Reason.PREFERRED,
            CloudAvailability(TRIAL, None, 1, outbox=True),
            True,
            Decision(Action.PROBE, Reason.PREFERRED, BlockedBy.LINK_DOWN),
        ),
        (
            Reason.SHADOWED,
            CloudAvailability(TRIAL, None, 1, outbox=True),
            True,
            Decision(Action.SHADOW, Reason.SHADOWED),
        ),
        *[
            (reason, means, True, Decision(action, reason, blocked_by, keep=action is Action.DEFER))
            for means, blocked_by in [
                (CloudAvailability(DOWN, None, 1, outbox=True), BlockedBy.LINK_DOWN),
                (CloudAvailability(ABSENT, None, 1, outbox=True), BlockedBy.NO_ENDPOINT),
                (
                    CloudAvailability(UP, BlockedBy.BUDGET_SPENT, 1, outbox=True),
                    BlockedBy.BUDGET_SPENT,
                ),
                (
                    CloudAvailability(UP, BlockedBy.RATE_LIMITED, 1, outbox=True),
                    BlockedBy.RATE_LIMITED,
                ),
                (CloudAvailability(UP, None, 0.001, outbox=True), BlockedBy.NO_TIME),
                (CloudAvailability(UP, None, -3, outbox=True), BlockedBy.NO_TIME),
            ]
            for reason, action in [
                (Reason.LOW_SCORE, Action.DEFER),
                (Reason.NOTHING_FOUND, Action.DEFER),
                (Reason.EDGE_LATE, Action.DEFER),
                (Reason.PREFERRED, Action.ACCEPT),
                (Reason.SHADOWED, Action.ACCEPT),
            ]
        ],
        (
            Reason.LOW_SCORE,
            CloudAvailability(DOWN, None, 1, outbox=False),
            True,
            Decision(Action.ACCEPT, Reason.LOW_SCORE, BlockedBy.LINK_DOWN),
        ),
    ],
)
def test_a_decision_follows_from_the_reason_and_the_means(reason, means, answered, decision):
    assert decide(reason, means, answered=answered) == decision


def test_a_call_that_failed_leaves_the_frame_to_the_outbox_or_the_edge():
    kept = after_failure(Reason.LOW_SCORE, BlockedBy.TIMED_OUT, outbox=True)
    assert kept == Decision(Action.DEFER, Reason.LOW_SCORE, BlockedBy.TIMED_OUT, keep=True)
    assert (
        after_failure(Reason.LOW_SCORE, BlockedBy.TIMED_OUT, outbox=False).action is Action.ACCEPT
    )
    assert (
        after_failure(Reason.PREFERRED, BlockedBy.CLOUD_FAILED, outbox=True).action is Action.ACCEPT
    )


@pytest.mark.parametrize(
    "text", ["", "sometimes", "off,on_error", "shadow,low_confidence", "prefer_cloud,overload"]
)
def test_modes_that_make_no_sense_are_refused(text):
    with pytest.raises(ValueError, match=r"not a mode|cannot be combined"):
        parse_modes(text)


def test_a_models_own_file_goes_before_the_services_settings():
    rules = LOW.with_overrides(RuleOverrides(modes=parse_modes("on_error"), threshold=0.8))
    assert rules == Rules(
        frozenset({Mode.ON_ERROR}), threshold=0.8, margin=0.1, bands={"rose": (0.4, 0.9)}
    )
    assert LOW.with_overrides(RuleOverrides()) == LOW
    assert LOW.with_overrides(RuleOverrides(modes=parse_modes("off"))).modes == frozenset()
