"""An entry as JSON: for `GET /outbox`, the webhook and the command line. Without the image."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge.outbox.entry import Entry


def entry_json(entry: Entry) -> dict[str, Any]:
    """All that is known of the entry; times are the device's own."""
    return {
        "key": entry.key,
        "sequence": entry.sequence,
        "state": entry.state,
        "digest": entry.digest,
        "camera": entry.camera or None,
        "seen": entry.seen,
        "created": _time(entry.created),
        "reason": entry.reason,
        "blocked_by": entry.blocked_by or None,
        "task": entry.task,
        "model": {"name": entry.model, "version": entry.version, "digest": entry.model_digest},
        "edge": {"predictions": list(entry.items)},
        "cloud": entry.result,
        "settled": None if entry.settled is None else _time(entry.settled),
        "attempts": entry.attempts,
        "fault": entry.fault,
        "telling": entry.telling,
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
