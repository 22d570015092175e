"""Whether the edge's answer is good enough, and what to do if it is not. Pure: no clock, no I/O.

Two questions, each a function. `escalation_reason`: is there a reason to ask the cloud? `decide`:
given what is available, is the cloud asked now, is the frame stored for later, or does the edge's
answer stand?
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from edge.errors import DeadlineExceeded, InferenceFailed, ModelUnavailable, Overloaded
from edge.model.rules import Mode, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.errors import EdgeError
    from edge.model.prediction import Selection
    from edge.model.rules import Rules
    from edge.model.tasks.task import Prediction


_EVERY_FRAME = frozenset({Reason.PREFERRED, Reason.SHADOWED})
"""Reasons that say nothing against the edge's answer: such frames are not worth storing."""


class BlockedBy(StrEnum):
    """Why the cloud did not answer although it was wanted."""

    NO_ENDPOINT = "no_endpoint"
    LINK_DOWN = "link_down"
    BUDGET_SPENT = "budget_spent"
    SHARE_SPENT = "share_spent"
    RATE_LIMITED = "rate_limited"
    BUSY = "busy"
    NO_TIME = "no_time"
    TIMED_OUT = "timed_out"
    CALLER_GONE = "caller_gone"
    CLOUD_FAILED = "cloud_failed"
    UNCHANGED = "unchanged"


class Action(StrEnum):
    """What is done with a frame."""

    ACCEPT = "accept"
    """The edge's answer stands."""
    ESCALATE = "escalate"
    """The cloud is asked, and the caller waits for it within the deadline."""
    PROBE = "probe"
    """As DEFER or ACCEPT; the cloud is asked in the background to learn whether it works again."""
    SHADOW = "shadow"
    """The cloud is asked in the background and compared; the edge's answer goes out at once."""
    DEFER = "defer"
    """The frame is stored in the outbox; the edge's answer goes out."""


class LinkState(StrEnum):
    """What is known of the link to the cloud."""

    ABSENT = "absent"
    UP = "up"
    HALF_OPEN = "half_open"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class CloudAvailability:
    """Whether the cloud can be asked at this moment.

    Attributes:
        link: state of the link.
        blocked_by: what else prevents a call: the budget, the rate, too many calls under way.
        seconds: that the cloud could take before the frame's deadline.
        outbox: whether there is an outbox to store frames in.
    """

    link: LinkState
    blocked_by: BlockedBy | None
    seconds: float
    outbox: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a frame, why, and what prevented more.

    Attributes:
        action: what to do.
        reason: why the cloud is wanted; ``None`` if it is not.
        blocked_by: why it is not asked although it is wanted.
        keep: store the frame in the outbox, whatever the action.
    """

    action: Action
    reason: Reason | None = None
    blocked_by: BlockedBy | None = None
    keep: bool = False


MIN_SECONDS = 0.02
"""No answer crosses a network in less time, so that a call would be wasted."""


def escalation_reason(prediction: Prediction, shown: Selection, rules: Rules) -> Reason | None:
    """Why the cloud is wanted although the edge answered; ``None`` if it is not.

    Args:
        prediction: everything that the edge's model predicted.
        shown: what the model shows by its own settings, whatever the caller asked for.
        rules: when an answer is good enough.
    """
    if Mode.SHADOW in rules.modes:
        return Reason.SHADOWED
    uncertainty = None
    if rules.modes & {Mode.LOW_CONFIDENCE, Mode.PREFER_CLOUD}:
        uncertainty = prediction.task.uncertainty(prediction, shown, rules)
    if uncertainty is None and Mode.PREFER_CLOUD in rules.modes:
        return Reason.PREFERRED
    return uncertainty


def escalation_reason_after(error: EdgeError, rules: Rules) -> Reason | None:
    """Why the cloud is wanted after an error of the edge; ``None`` if the error stands.

    An image that cannot be read or a request that is wrong would fail in the cloud as well.
    """
    for kind, reason, modes in _REASONS_BY_ERROR:
        if isinstance(error, kind) and modes & rules.modes:
            return reason
    return None


_REASONS_BY_ERROR: Sequence[tuple[type[EdgeError], Reason, frozenset[Mode]]] = (
    (InferenceFailed, Reason.EDGE_FAILED, frozenset({Mode.ON_ERROR, Mode.PREFER_CLOUD})),
    (ModelUnavailable, Reason.EDGE_FAILED, frozenset({Mode.ON_ERROR, Mode.PREFER_CLOUD})),
    (Overloaded, Reason.EDGE_OVERLOADED, frozenset({Mode.OVERLOAD, Mode.PREFER_CLOUD})),
    (
        DeadlineExceeded,
        Reason.EDGE_LATE,
        frozenset({Mode.ON_ERROR, Mode.OVERLOAD, Mode.PREFER_CLOUD}),
    ),
)


def is_unsure(reason: Reason) -> bool:
    """Whether the reason says something against the edge's answer."""
    return reason not in _EVERY_FRAME


def decide(
    reason: Reason | None,
    availability: CloudAvailability,
    *,
    answered: bool,
    unchanged: bool = False,
) -> Decision:
    """What to do with a frame.

    Args:
        reason: why the cloud is wanted; ``None`` if it is not.
        availability: whether it can be asked.
        answered: the edge has an answer; without one, the caller loses nothing by waiting.
        unchanged: the same view was asked about or stored just now (`edge.fallback.repeats`): it
            is neither sent nor stored again, but may be the probe of a link that is half-open.
    """
    if reason is None:
        return Decision(Action.ACCEPT)
    if unchanged:
        return _decide_unchanged(reason, availability)
    blocked_by = _blocked_by(availability)
    if blocked_by is not None:
        return after_failure(reason, blocked_by, outbox=availability.outbox)
    if reason is Reason.SHADOWED:
        return Decision(Action.SHADOW, reason)
    if availability.link is LinkState.HALF_OPEN and answered:
        keep = availability.outbox and is_unsure(reason)
        return Decision(Action.PROBE, reason, BlockedBy.LINK_DOWN, keep=keep)
    return Decision(Action.ESCALATE, reason)


def _decide_unchanged(reason: Reason, availability: CloudAvailability) -> Decision:
    may_probe = availability.link is LinkState.HALF_OPEN and _blocked_by(availability) is None
    action = Action.PROBE if may_probe else Action.ACCEPT
    return Decision(action, reason, BlockedBy.UNCHANGED)


def after_failure(reason: Reason, blocked_by: BlockedBy, *, outbox: bool) -> Decision:
    """What to do with a frame that the cloud does not answer: store it if it is worth storing."""
    keep = outbox and is_unsure(reason)
    return Decision(Action.DEFER if keep else Action.ACCEPT, reason, blocked_by, keep)


_NOT_SENT = frozenset(
    {
        BlockedBy.NO_ENDPOINT,
        BlockedBy.LINK_DOWN,
        BlockedBy.BUDGET_SPENT,
        BlockedBy.SHARE_SPENT,
        BlockedBy.RATE_LIMITED,
        BlockedBy.BUSY,
        BlockedBy.NO_TIME,
    }
)
"""What prevents a call before it is made, so that it costs nothing."""


def reached_nobody(action: Action, blocked_by: BlockedBy | None, *, stored: bool) -> bool:
    """Whether a frame was neither sent nor stored, so that the next one like it may be."""
    return action is not Action.PROBE and blocked_by in _NOT_SENT and not stored


def _blocked_by(availability: CloudAvailability) -> BlockedBy | None:
    if availability.link is LinkState.ABSENT:
        return BlockedBy.NO_ENDPOINT
    if availability.link is LinkState.DOWN:
        return BlockedBy.LINK_DOWN
    if availability.seconds < MIN_SECONDS:
        return BlockedBy.NO_TIME
    return availability.blocked_by
