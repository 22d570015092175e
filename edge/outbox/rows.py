"""Reads a row of the outbox into an entry, and says what of a damaged row cannot be read. Pure.

A disk that fails, another program or a person may change a row to anything: SQLite keeps any type
in any column. One damaged row must not stop the others, so a reader gets an entry in every case:
what cannot be read has a neutral value, `Entry.damaged` is set, and the entry counts as a dead
letter whose ``fault`` names the columns.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from edge.model.tasks.detection import DETECTION
from edge.model.tasks.registry import TASKS
from edge.outbox.entry import Delivery, Entry, EntryState
from edge.outbox.retry import MAX_DELAY_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_TEXT_BYTES = 16 << 20
"""Of one text. A thousand boxes take 200 kB; an answer of the online model is at most 4 MiB."""
_MAX_INTEGER = 2**53
"""Largest integer that every JSON reader takes exactly."""
_MAX_WALL_S = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
CLOCK_SLACK_S = 86_400.0
"""By how much a moment may lie in the future: the steady clock never goes back."""
MAX_REST_S = MAX_DELAY_S + CLOCK_SLACK_S
"""Seconds from now at which every backoff has ended."""
MAX_SIZE = 1 << 40
"""Bytes of one entry: far beyond any, and small enough that sums do not overflow."""
_KEY_CHARACTERS = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_")
_MAX_KEY_LENGTH = 128


def damaged_key(sequence: int) -> str:
    """The key of an entry whose own cannot be read."""
    return f"damaged-{sequence}"


def read_text(raw: bytes) -> str | bytes:
    """A text of SQLite; bytes that are not UTF-8 stay bytes, which no column of text may hold."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def read_entry(row: Mapping[str, Any], now: float) -> Entry:
    """The entry in a row; damaged where a column is, or where columns contradict each other.

    Args:
        row: column to value as SQLite has it, those of `READ_COLUMNS`.
        now: steady seconds.
    """
    values: dict[str, Any] = {}
    faults = []
    for name, (read, neutral) in _COLUMNS.items():
        try:
            values[name] = read(row[name])
        except _Unreadable as error:
            values[name] = neutral
            faults.append(f"{name} {error}")
    for name, rest_s in (("created_steady_s", CLOCK_SLACK_S), ("not_before", MAX_REST_S)):
        if not is_moment(row[name], now + rest_s):
            faults.append(f"{name} is not a time up to now")
    if not faults:
        faults = _contradictions(values)
    if faults:
        return damaged_entry(row["sequence"], "; ".join(faults), values)
    return Entry(sequence=row["sequence"], damaged=False, **values)


def damaged_entry(sequence: int, fault: str, values: Mapping[str, Any] | None = None) -> Entry:
    """The dead letter in place of a damaged row.

    Args:
        sequence: of the row.
        fault: what is wrong with it.
        values: what could be read of it.
    """
    known = {name: neutral for name, (_, neutral) in _COLUMNS.items()} | dict(values or {})
    known |= {
        "key": known["key"] or damaged_key(sequence),
        "state": EntryState.DEAD_LETTER,
        "webhook": Delivery.NONE,
        "fault": f"The entry is damaged: {fault}.",
    }
    return Entry(sequence=sequence, damaged=True, **known)


class _Unreadable(ValueError):
    """Says of a value what it is not; never quotes it."""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _Unreadable("is not text")
    if len(value) > MAX_TEXT_BYTES:
        raise _Unreadable("is too long")
    return value


def _key(value: Any) -> str:
    text = _text(value)
    if not 0 < len(text) <= _MAX_KEY_LENGTH or not _KEY_CHARACTERS.issuperset(text):
        raise _Unreadable("is not a key")
    return text


def _task(value: Any) -> str:
    text = _text(value)
    if text not in TASKS:
        raise _Unreadable("is not a task")
    return text


def _integer(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value <= _MAX_INTEGER:
        raise _Unreadable("is not an integer from 0")
    return value


def _size(value: Any) -> int:
    size = _integer(value)
    if size > MAX_SIZE:
        raise _Unreadable("is too large")
    return size


def _switch(value: Any) -> bool:
    if not isinstance(value, int) or value not in {0, 1}:
        raise _Unreadable("is not 0 or 1")
    return bool(value)


def _confidence(value: Any) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise _Unreadable("is not a number")
    return float(value)


def _wall_time(value: Any) -> float:
    if not isinstance(value, int | float) or not 0 <= value < _MAX_WALL_S:
        raise _Unreadable("is not a time")
    return float(value)


def is_moment(value: Any, latest: float) -> bool:
    """Whether it is a number of steady seconds from 0 to ``latest``."""
    return isinstance(value, int | float) and 0 <= value <= latest


def _word(words: type[EntryState | Delivery]) -> Callable[[Any], Any]:
    def read(value: Any) -> EntryState | Delivery:
        try:
            return words(value)
        except ValueError:
            raise _Unreadable("is none of " + ", ".join(words)) from None

    return read


def _optional(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else read(value)


def _items(value: Any) -> list[Any]:
    items = _json(value)
    if not isinstance(items, list) or not all(map(is_item, items)):
        raise _Unreadable("holds no predictions")
    return items


def _result(value: Any) -> dict[str, Any]:
    result = _json(value)
    if not isinstance(result, dict):
        raise _Unreadable("is not a JSON object")
    if not isinstance(result.get("predictions", []), list):
        raise _Unreadable("holds no predictions")
    return result


def _json(value: Any) -> Any:
    text = _text(value)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _Unreadable("is not JSON") from error


def is_item(item: Any) -> bool:
    """Whether it is a prediction: a label, a score, and a box if it is an object's."""
    if not isinstance(item, dict) or not isinstance(item.get("label"), str):
        return False
    box = item.get("box")
    if box is not None and not (isinstance(box, dict) and all(map(_is_number, box.values()))):
        return False
    if box is not None and not set(box) >= _SIDES:
        return False
    return _is_number(item.get("score"))


_SIDES = {"x_min", "y_min", "x_max", "y_max"}


def _is_number(value: Any) -> bool:
    """NaN and Infinity count: a broken model's scores are stored as they are."""
    is_float = isinstance(value, float)
    return is_float or (isinstance(value, int) and abs(value) <= _MAX_INTEGER)


_COLUMNS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "key": (_key, ""),
    "digest": (_text, ""),
    "task": (_task, ""),
    "model": (_text, ""),
    "version": (_integer, 0),
    "model_digest": (_text, ""),
    "camera": (_text, ""),
    "reason": (_text, ""),
    "blocked_by": (_text, ""),
    "items": (_items, ()),
    "confidence": (_confidence, 0.0),
    "label": (_text, ""),
    "multi_label": (_switch, False),
    "size": (_size, 0),
    "times_seen": (_integer, 0),
    "created": (_wall_time, 0.0),
    "state": (_word(EntryState), EntryState.DEAD_LETTER),
    "attempts": (_integer, 0),
    "fault": (_optional(_text), None),
    "result": (_optional(_result), None),
    "resolved": (_optional(_wall_time), None),
    "webhook": (_word(Delivery), Delivery.NONE),
    "webhook_attempts": (_integer, 0),
    "correction": (_optional(_text), None),
    "corrected_by": (_text, ""),
    "corrected": (_optional(_wall_time), None),
}
"""Column to what reads it, and to the neutral value where it cannot be read."""

READ_COLUMNS = ("sequence", *_COLUMNS, "created_steady_s", "not_before")
"""What `read_entry` needs of a row."""


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    """What cannot be true of one entry at once."""
    resolved = values["state"] is EntryState.RESOLVED
    if resolved and values["result"] is None:
        return ["it is resolved without a result"]
    if not resolved and values["webhook"] is not Delivery.NONE:
        return ["a result is to be delivered, and there is none"]
    if values["state"] is EntryState.CORRECTED and values["correction"] is None:
        return ["it is corrected without a correction"]
    is_detection = values["task"] == DETECTION.name
    if is_detection and not all(item.get("box") for item in values["items"]):
        return ["an object has no box"]
    return []
