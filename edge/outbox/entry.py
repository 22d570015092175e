"""An entry of the outbox: a frame that waits, what the edge said of it, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Item = Mapping[str, Any]


class State(StrEnum):
    """The life of an entry: WAITING > SETTLED, or SET_ASIDE where its frame is refused; RECORD never leaves."""

    WAITING = "waiting"
    SETTLED = "settled"
    SET_ASIDE = "set_aside"
    RECORD = "record"
    """Only the prediction was kept, by the owner's setting: there is no image to send."""


class Telling(StrEnum):
    """Whether the webhook was told of an entry's result."""

    NONE = "none"
    DUE = "due"
    TOLD = "told"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A frame to be kept.

    Attributes:
        image: the bytes as the caller sent them.
        task: classification or detection.
        model: name of the edge's model.
        version: of it.
        model_digest: of its file.
        camera: who sent the frame, as the caller says; empty where it does not.
        reason: why the cloud was wanted.
        blocked_by: why it did not answer.
        items: what the edge said, in the form of the answer's ``predictions``, best first; empty where it failed.
        confidence: its best score, 0..1; 0 where there is none.
        label: its best label; empty where there is none.
        multi_label: a picture may be of several classes.
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


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the outbox says of a frame it was given. It is on disk when this is said.

    Attributes:
        key: of the entry.
        kept: ``False`` where the outbox is full of more valuable entries.
        known: the same frame was there already.
    """

    key: str
    kept: bool
    known: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it is stored; see `NewEntry` for what is not explained here.

    Attributes:
        sequence: grows with every entry, whatever the clocks do.
        key: see `edge.frame_key`; the far side tells repetitions by it.
        digest: SHA-256 of the image.
        size: bytes that it takes of the quota: the image as it is stored, and what the edge said.
        seen: how often the frame came.
        created: wall clock, seconds since 1970, as the device believed it.
        attempts: that failed for the frame's own sake.
        fault: what went wrong last.
        result: what the online model said.
        settled: wall clock of the result.
        telling: whether the webhook knows.
        telling_attempts: how often it was tried.
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
    seen: int
    created: float
    state: State
    attempts: int
    fault: str | None
    result: Mapping[str, Any] | None
    settled: float | None
    telling: Telling
    telling_attempts: int
