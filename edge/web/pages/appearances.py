"""Counts how often a camera saw each label appear, minute by minute, for the last hour.

A cup that stands before a camera for a minute is one appearance, whatever the frame rate: a label
counts when it is present after frames without it for `ABSENT_S`. Nothing is known while no frames
come; after `UNSEEN_S` of that, whatever is present has appeared anew. All times are of a steady
clock, so that setting the wall clock moves no count. Pure: no clock, no I/O.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

ABSENT_S = 5.0
"""Seconds of frames without a label after which it may appear again."""

UNSEEN_S = 30.0
"""Seconds without a frame after which it is not known any more what was present."""

HOUR_MIN = 60
MAX_LABELS = 200
"""Labels of a camera that are counted by name in an hour; an online model may invent new ones
without end. A label takes some 150 bytes."""

TOP_LABELS = 8
_MINUTE_S = 60
_MAX_COUNT = 255  # of a byte; ABSENT_S lets a label appear 13 times in a minute


@dataclass(frozen=True, slots=True)
class Hour:
    """Appearances in the last hour.

    Attributes:
        minutes: label to 60 counts, the oldest first, the current minute last.
        others: the same of all labels beyond `MAX_LABELS` together.
    """

    minutes: Mapping[str, bytes]
    others: bytes


class Appearances:
    """The appearances before one camera."""

    def __init__(self) -> None:
        # Label to the time of the first frame without it; ``None`` while it is present.
        self._absent_since: dict[str, float | None] = {}
        self._last_frame_s: float | None = None
        self._minute = 0
        self._counts: dict[str, bytearray] = {}  # by minute modulo an hour
        self._others = bytearray(HOUR_MIN)

    def __repr__(self) -> str:
        present = [label for label, since in self._absent_since.items() if since is None]
        return f"<Appearances of {len(self._counts)} labels, present: {present}>"

    def see(self, labels: Collection[str], now: float) -> None:
        """Take note of the labels, each once or several times, that a frame shows at ``now``."""
        absent_since = self._absent_since
        if self._last_frame_s is not None and now - self._last_frame_s >= UNSEEN_S:
            absent_since.clear()
        self._last_frame_s = now
        present = set(labels)
        if len(absent_since) > len(present) or not present.issuperset(absent_since):
            self._note_absent(present, now)
        for label in present:
            if label in absent_since:
                since = absent_since[label]
                if since is not None and now - since >= ABSENT_S:
                    self._count(label, now)
            elif len(absent_since) < MAX_LABELS:
                self._count(label, now)
            else:
                continue
            absent_since[label] = None

    def _note_absent(self, present: set[str], now: float) -> None:
        for label, since in list(self._absent_since.items()):
            if label in present:
                continue
            if since is None:
                self._absent_since[label] = now
            elif now - since >= ABSENT_S:
                del self._absent_since[label]

    def _count(self, label: str, now: float) -> None:
        self._advance(now)
        counts = self._counts.get(label)
        if counts is None:
            if len(self._counts) < MAX_LABELS:
                counts = self._counts[label] = bytearray(HOUR_MIN)
            else:
                counts = self._others
        at = self._minute % HOUR_MIN
        counts[at] = min(counts[at] + 1, _MAX_COUNT)

    def _advance(self, now: float) -> None:
        """Empty the minutes that have begun since the last count, and drop labels without any."""
        minute = int(now // _MINUTE_S)
        new_minutes = range(self._minute + 1, minute + 1)[-HOUR_MIN:]
        if not new_minutes:
            return
        self._minute = minute
        for counts in (*self._counts.values(), self._others):
            for one in new_minutes:
                counts[one % HOUR_MIN] = 0
        self._counts = {label: counts for label, counts in self._counts.items() if any(counts)}

    def last_hour(self, now: float) -> Hour:
        """Counts by minute of the hour that ends at ``now``."""
        self._advance(now)
        start = self._minute % HOUR_MIN + 1
        return Hour(
            {label: bytes(one[start:] + one[:start]) for label, one in self._counts.items()},
            bytes(self._others[start:] + self._others[:start]),
        )


def hours_json(cameras: Mapping[str, Hour]) -> dict[str, Any]:
    """The most frequent labels over all cameras, and of each camera.

    Returns:
        ``labels``: each with its ``sum`` and 60 ``minutes``, the most frequent first; ``others``:
        the sum of all other labels; ``cameras``: the same of each, with its name as ``camera``.
    """
    each = [{"camera": name, **_top_labels([hour])} for name, hour in cameras.items()]
    return {**_top_labels(list(cameras.values())), "cameras": each}


def _top_labels(hours: Collection[Hour]) -> dict[str, Any]:
    sums: Counter[str] = Counter()
    for hour in hours:
        for label, counts in hour.minutes.items():
            sums[label] += sum(counts)
    top = sums.most_common(TOP_LABELS)
    others = sum(sum(hour.others) for hour in hours)
    return {
        "labels": [
            {"label": label, "sum": total, "minutes": _minutes(label, hours)}
            for label, total in top
        ],
        "others": others + sums.total() - sum(total for _, total in top),
    }


def _minutes(label: str, hours: Iterable[Hour]) -> list[int]:
    each = [hour.minutes[label] for hour in hours if label in hour.minutes]
    return [sum(counts) for counts in zip(*each, strict=True)]
