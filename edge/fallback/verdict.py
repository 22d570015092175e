"""What was decided about the online model for one frame, as its answer carries it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.fallback.policy import Action, Decision, Hindrance, Reason
    from edge.model.prediction import Item


_MS_DIGITS = 3


class KeptState(StrEnum):
    """What became of a frame that was to be kept."""

    KEPT = "kept"
    """It is on the disk."""
    PENDING = "pending"
    """It is on its way there; the answer did not wait."""
    FULL = "full"
    """The outbox is full of more valuable frames."""
    FAILED = "failed"
    """The outbox cannot be written."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Whether the frame was kept, and under which key."""

    state: KeptState
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What one side said.

    Attributes:
        items: what is shown of it, best first.
        latency: milliseconds it took.
    """

    items: Sequence[Item]
    latency: float

    def as_json(self) -> dict[str, Any]:
        """As answers show it."""
        return {
            "predictions": [item.as_json() for item in self.items],
            "latency_ms": round(self.latency, _MS_DIGITS),
        }


@dataclass(frozen=True, slots=True)
class CloudSaid(Said):
    """What the online model said.

    Attributes:
        model: as the cloud names it.
        unknown_labels: labels that the edge's model does not have.
    """

    model: str
    unknown_labels: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """As answers show it."""
        known = Said.as_json(self)  # without arguments, super() does not find its way in a class with slots
        return {**known, "model": self.model, "unknown_labels": list(self.unknown_labels)}


@dataclass(frozen=True, slots=True)
class Verdict:
    """See the module.

    Attributes:
        action: what was done.
        reason: why the cloud was wanted; ``None`` where it was not.
        hindrance: why it did not answer though wanted.
        edge: the edge's answer, where the cloud's stands in its place.
        cloud: the cloud's answer, where it came in time.
        waited: milliseconds that the caller waited for it in vain; ``None`` where it was not asked, or answered.
        outbox: where the frame was to be kept.
    """

    action: Action
    reason: Reason | None = None
    hindrance: Hindrance | None = None
    edge: Said | None = None
    cloud: CloudSaid | None = None
    waited: float | None = None
    outbox: Kept | None = None


def verdict_of(decision: Decision) -> Verdict:
    """The verdict of a decision that has no answers to carry."""
    return Verdict(decision.action, decision.reason, decision.hindrance)
