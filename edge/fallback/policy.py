"""Whether the edge's answer is good enough, and what to do where it is not. Pure: no clock, no I/O.

Two questions, each a function. `wish`: is there a reason to ask the cloud? `decide`: given the means, is the cloud
asked now, is the frame kept for later, or does the edge's answer stand?
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from edge.errors import DeadlineExceeded, InferenceFailed, ModelUnavailable, Overloaded
from edge.model.prediction import Classification

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.errors import EdgeError
    from edge.model.contract import FallbackTuning
    from edge.model.prediction import Item, Prediction


class Mode(StrEnum):
    """When the cloud is wanted."""

    OFF = "off"
    ON_ERROR = "on_error"
    LOW_CONFIDENCE = "low_confidence"
    OVERLOAD = "overload"
    PREFER_CLOUD = "prefer_cloud"
    SHADOW = "shadow"


_ALONE = frozenset({Mode.OFF, Mode.PREFER_CLOUD, Mode.SHADOW})
"""Modes that cannot be joined with others: each already says what happens with every frame."""


class Reason(StrEnum):
    """Why the cloud is wanted."""

    LOW_SCORE = "low_score"
    NARROW_MARGIN = "narrow_margin"
    UNSURE_BAND = "unsure_band"
    NOTHING_FOUND = "nothing_found"
    EDGE_FAILED = "edge_failed"
    EDGE_OVERLOADED = "edge_overloaded"
    EDGE_LATE = "edge_late"
    PREFERRED = "preferred"
    SHADOWED = "shadowed"


_EVERY_FRAME = frozenset({Reason.PREFERRED, Reason.SHADOWED})
"""Reasons that say nothing against the edge's answer: such a frame is not worth keeping for later."""


class Hindrance(StrEnum):
    """Why the cloud, though wanted, did not answer."""

    NO_ENDPOINT = "no_endpoint"
    LINK_DOWN = "link_down"
    BUDGET_SPENT = "budget_spent"
    RATE_LIMITED = "rate_limited"
    BUSY = "busy"
    NO_TIME = "no_time"
    TIMED_OUT = "timed_out"
    CALLER_GONE = "caller_gone"
    CLOUD_FAILED = "cloud_failed"


class Action(StrEnum):
    """What is done."""

    ACCEPT = "accept"
    """The edge's answer stands."""
    ESCALATE = "escalate"
    """The cloud is asked, and the caller waits for it within the deadline."""
    TRY = "try"
    """The cloud is asked beside, to learn whether it is well again; else as DEFER or ACCEPT."""
    SHADOW = "shadow"
    """The cloud is asked beside and compared; the edge's answer goes out at once."""
    DEFER = "defer"
    """The frame is kept in the outbox; the edge's answer goes out."""


class LinkState(StrEnum):
    """What is known of the way to the cloud."""

    ABSENT = "absent"
    UP = "up"
    TRIAL = "trial"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Rules:
    """When an answer is good enough.

    Attributes:
        modes: when the cloud is wanted; empty means never.
        threshold: a score under it is unsure, 0..1: the best one's in classification, any shown one's in detection.
        margin: the best two classes nearer than that are unsure, 0..1; not for multi-label models.
        bands: label to (low, high): a score of the label with low <= score < high is unsure; goes before ``threshold``.
        empty: a detector that shows nothing is unsure.
    """

    modes: frozenset[Mode] = frozenset()
    threshold: float = 0.5
    margin: float = 0.1
    bands: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    empty: bool = True


@dataclass(frozen=True, slots=True)
class Means:
    """What there is to ask the cloud with, at one moment.

    Attributes:
        link: the way to the cloud.
        hindrance: what else stands against a call now: budget, rate, too many under way.
        seconds: that the cloud could take before the frame's deadline.
        outbox: whether frames can be kept.
    """

    link: LinkState
    hindrance: Hindrance | None
    seconds: float
    outbox: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done, why, and what stood in the way of more.

    Attributes:
        keep: the frame goes to the outbox, whatever else is done.
    """

    action: Action
    reason: Reason | None = None
    hindrance: Hindrance | None = None
    keep: bool = False


_DIGITS = 6  # scores are float32: 0.9 is 0.89999998, and is shown and judged as 0.9

LEAST_SECONDS = 0.02
"""Less than that is not worth a call: no answer crosses a network in it."""


def parse_modes(text: str) -> frozenset[Mode]:
    """Modes separated by commas; ``off`` gives the empty set.

    Raises:
        ValueError: an unknown mode, or two that contradict each other; the message is fit for a stranger.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in set(Mode)]
    if unknown or not names:
        raise ValueError(f"{', '.join(unknown) or 'nothing'} is no mode; modes: {', '.join(Mode)}")
    modes = frozenset(Mode(name) for name in names)
    alone = sorted(modes & _ALONE)
    if alone and len(modes) > 1:
        raise ValueError(f"{alone[0]} cannot be joined with other modes")
    return modes - {Mode.OFF}


def tuned(rules: Rules, tuning: FallbackTuning) -> Rules:
    """The service's rules with what a model's own file says in their place."""
    given = {
        "modes": None if tuning.mode is None else parse_modes(tuning.mode),
        "threshold": tuning.threshold,
        "margin": tuning.margin,
        "bands": tuning.bands or None,
        "empty": tuning.empty,
    }
    return replace(rules, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]


def wish(prediction: Prediction, shown: Sequence[Item], rules: Rules) -> Reason | None:
    """Why the cloud is wanted though the edge answered; ``None`` where it is not."""
    if Mode.SHADOW in rules.modes:
        return Reason.SHADOWED
    doubtful = doubt(prediction, shown, rules) if rules.modes & {Mode.LOW_CONFIDENCE, Mode.PREFER_CLOUD} else None
    if doubtful is None and Mode.PREFER_CLOUD in rules.modes:
        return Reason.PREFERRED
    return doubtful


def wish_after(error: EdgeError, rules: Rules) -> Reason | None:
    """Why the cloud is wanted where the edge has no answer; ``None`` where the error stands.

    An image that cannot be read or a request that is wrong is so for the cloud too.
    """
    for kind, reason, modes in _AFTER:
        if isinstance(error, kind) and modes & rules.modes:
            return reason
    return None


_AFTER: Sequence[tuple[type[EdgeError], Reason, frozenset[Mode]]] = (
    (InferenceFailed, Reason.EDGE_FAILED, frozenset({Mode.ON_ERROR, Mode.PREFER_CLOUD})),
    (ModelUnavailable, Reason.EDGE_FAILED, frozenset({Mode.ON_ERROR, Mode.PREFER_CLOUD})),
    (Overloaded, Reason.EDGE_OVERLOADED, frozenset({Mode.OVERLOAD, Mode.PREFER_CLOUD})),
    (DeadlineExceeded, Reason.EDGE_LATE, frozenset({Mode.ON_ERROR, Mode.OVERLOAD, Mode.PREFER_CLOUD})),
)


def doubt(prediction: Prediction, shown: Sequence[Item], rules: Rules) -> Reason | None:
    """What speaks against the edge's answer.

    Args:
        prediction: all the model said; a classifier is judged by it, whatever the caller asked to be shown.
        shown: a detector is judged by what it shows, since its rows under the threshold are noise.
    """
    if isinstance(prediction, Classification):
        return _doubt_classes(prediction, rules)
    if not shown:
        return Reason.NOTHING_FOUND if rules.empty else None
    for item in shown:
        if item.label in rules.bands:
            if _within(item.score, rules.bands[item.label]):
                return Reason.UNSURE_BAND
        elif round(item.score, _DIGITS) < rules.threshold:
            return Reason.LOW_SCORE
    return None


def _doubt_classes(prediction: Classification, rules: Rules) -> Reason | None:
    scores, labels = prediction.scores, prediction.labels
    if not len(scores):
        return Reason.LOW_SCORE
    first = int(scores.argmax())
    if rules.bands:
        for index in range(len(scores)) if prediction.multi_label else (first,):
            band = rules.bands.get(labels[index])
            if band is not None and _within(float(scores[index]), band):
                return Reason.UNSURE_BAND
    best = round(float(scores[first]), _DIGITS)
    if labels[first] not in rules.bands and best < rules.threshold:
        return Reason.LOW_SCORE
    if not prediction.multi_label and len(scores) > 1:
        second = round(float(np.partition(scores, -2)[-2]), _DIGITS)
        return Reason.NARROW_MARGIN if round(best - second, _DIGITS) < rules.margin else None
    return None


def _within(score: float, band: tuple[float, float]) -> bool:
    return band[0] <= round(score, _DIGITS) < band[1]


def decide(reason: Reason | None, means: Means, *, answered: bool) -> Decision:
    """What is done with a frame.

    Args:
        answered: the edge has an answer; without one a caller has nothing to lose by waiting.
    """
    if reason is None:
        return Decision(Action.ACCEPT)
    hindrance = _hindrance(means)
    if hindrance is not None:
        return _without_cloud(reason, hindrance, outbox=means.outbox)
    if reason is Reason.SHADOWED:
        return Decision(Action.SHADOW, reason)
    if means.link is LinkState.TRIAL and answered:
        return Decision(Action.TRY, reason, Hindrance.LINK_DOWN, keep=means.outbox and reason not in _EVERY_FRAME)
    return Decision(Action.ESCALATE, reason)


def after_failure(reason: Reason, hindrance: Hindrance, *, outbox: bool) -> Decision:
    """What is done with a frame whose cloud answer did not come."""
    return _without_cloud(reason, hindrance, outbox=outbox)


def _without_cloud(reason: Reason, hindrance: Hindrance, *, outbox: bool) -> Decision:
    keep = outbox and reason not in _EVERY_FRAME
    return Decision(Action.DEFER if keep else Action.ACCEPT, reason, hindrance, keep)


def _hindrance(means: Means) -> Hindrance | None:
    if means.link is LinkState.ABSENT:
        return Hindrance.NO_ENDPOINT
    if means.link is LinkState.DOWN:
        return Hindrance.LINK_DOWN
    if means.seconds < LEAST_SECONDS:
        return Hindrance.NO_TIME
    return means.hindrance
