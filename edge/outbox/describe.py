"""An entry as JSON, without its image: for `GET /outbox`, the webhook and the command line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge.outbox.entry import Entry


def entry_json(entry: Entry) -> dict[str, Any]:
    """Everything known about the entry; times are the device's own, in UTC."""
    return {
        "key": entry.key,
        "sequence": entry.sequence,
        "state": entry.state,
        "digest": entry.digest,
        "camera": entry.camera or None,
        "times_seen": entry.times_seen,
        "created": _time(entry.created),
        "reason": entry.reason,
        "blocked_by": entry.blocked_by or None,
        "task": entry.task,
        "model": {"name": entry.model, "version": entry.version, "digest": entry.model_digest},
        "edge": {"predictions": list(entry.items)},
        "confidence": entry.confidence,
        "cloud": entry.result,
        "resolved": None if entry.resolved is None else _time(entry.resolved),
        "attempts": entry.attempts,
        "fault": entry.fault,
        "webhook": entry.webhook,
        "correction": _correction_json(entry),
    }


def _correction_json(entry: Entry) -> dict[str, Any] | None:
    """A person's correction; its label is ``None`` if the frame shows none of the model's."""
    if entry.correction is None:
        return None
    return {
        "label": entry.correction or None,
        "by": entry.corrected_by or None,
        "at": None if entry.corrected is None else _time(entry.corrected),
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
