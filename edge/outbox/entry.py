"""An entry of the outbox: a frame that waits for the online model, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Item = Mapping[str, Any]


class EntryState(StrEnum):
    """The life of an entry: WAITING, then RESOLVED or DEAD_LETTER. A retry revives dead letters.

    A person's correction turns a waiting entry or a dead letter into CORRECTED, and new frames
    begin so. A resolved entry stays resolved, and has the correction as well.
    """

    WAITING = "waiting"
    RESOLVED = "resolved"
    """The online model has answered."""
    DEAD_LETTER = "dead_letter"
    """Given up after repeated failures of its own."""
    PREDICTION_ONLY = "prediction_only"
    """Stored without its image, by the owner's setting: it can never be sent."""
    CORRECTED = "corrected"
    """A person has said what it shows, so the online model is not asked."""


class Delivery(StrEnum):
    """Whether an entry's result has reached the webhook."""

    NONE = "none"
    """Nothing to deliver: no result yet, or no webhook."""
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up after too many attempts."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person says that a frame shows.

    Attributes:
        label: for the whole image; empty if it shows none of the model's labels.
        by: name of the key of whoever said so; empty if no key is set.
    """

    label: str
    by: str


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A frame to store.

    Attributes:
        image: the bytes as the caller sent them.
        task: name of the task, as in `edge.model.tasks.registry`.
        model: name of the edge's model.
        version: of the model.
        model_digest: SHA-256 of the model's file.
        camera: the sender's name for itself; empty if it gave none.
        reason: why the online model was wanted.
        blocked_by: why it did not answer.
        items: the edge's items in the form of an answer's ``predictions``, best first; empty if
            the edge failed.
        confidence: the edge's best score, 0..1; 0 without items.
        label: the edge's best label; empty without items.
        multi_label: one image may belong to several classes.
        correction: a person's; ``None`` for a frame that the online model should judge.
    """

    image: bytes
    task: str
    model: str
    version: int
    model_digest: str
    camera: str
    reason: str
    blocked_by: str
    items: Sequence[Item]
    confidence: float
    label: str
    multi_label: bool
    correction: Correction | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """Acknowledges a frame. Whatever it reports is already on disk.

    Attributes:
        key: of the entry.
        kept: ``False`` if the outbox is full of more valuable entries.
        known: the same frame was stored before.
    """

    key: str
    kept: bool
    known: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored entry. Fields that are not listed here are those of `NewEntry`.

    Attributes:
        sequence: grows with every entry, whatever the clocks do.
        key: the frame's key, see `edge.frame_key`; receivers recognise repetitions by it.
        digest: SHA-256 of the image.
        size: bytes counted against the quota: the stored image, the edge's items and the result.
        times_seen: how often the same frame came.
        created: wall clock of the device, seconds since 1970.
        attempts: failed attempts that were the frame's own fault.
        fault: the last failure, in words.
        result: the online model's answer.
        resolved: wall clock of the result, seconds since 1970.
        webhook: whether the result was delivered.
        webhook_attempts: failed deliveries.
        correction: the label that a person gave; empty if it shows none of the model's, ``None``
            if nobody has said anything.
        corrected_by: name of the person's key; empty if no key is set.
        corrected: wall clock of the correction, seconds since 1970.
        damaged: a part of it cannot be read and has a neutral value; ``fault`` says which.
    """

    sequence: int
    key: str
    digest: str
    task: str
    model: str
    version: int
    model_digest: str
    camera: str
    reason: str
    blocked_by: str
    items: Sequence[Item]
    confidence: float
    label: str
    multi_label: bool
    size: int
    times_seen: int
    created: float
    state: EntryState
    attempts: int
    fault: str | None
    result: Mapping[str, Any] | None
    resolved: float | None
    webhook: Delivery
    webhook_attempts: int
    correction: str | None = None
    corrected_by: str = ""
    corrected: float | None = None
    damaged: bool = False
