"""Writes a person's corrections into the outbox, and keeps them from filling it.

A correction never makes room for another frame, since a person's work is worth more than a doubt of
the edge's. So corrections have a bound of their own: half of the quota. Beyond it the holder of
most of them loses the oldest: one client that corrects without end displaces itself.

Both functions are part of the caller's transaction.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.outbox.entry import EntryState
from edge.outbox.rows import READ_COLUMNS, read_entry
from edge.outbox.space import Space, excess

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.outbox.database import Database
    from edge.outbox.entry import Correction

_SHARE = 2
"""Corrections take at most the quota divided by this, so that as much is left for other frames."""

_ROW = f"SELECT {', '.join(READ_COLUMNS)} FROM entry WHERE key = ?"  # noqa: S608 -- constants
_TOTALS = (
    "SELECT COUNT(*) AS entries, COALESCE(SUM(size), 0) AS bytes"
    " FROM entry INDEXED BY entry_by_correction WHERE correction IS NOT NULL"
)
_HELD = (
    "SELECT sequence, corrected_by, size FROM entry WHERE correction IS NOT NULL"
    " ORDER BY corrected, sequence"
)
_CORRECT = (
    "UPDATE entry SET correction = ?, corrected_by = ?, corrected = ?, state ="  # noqa: S608 -- constants
    f" CASE WHEN state IN ('{EntryState.WAITING}', '{EntryState.DEAD_LETTER}')"
    f" THEN '{EntryState.CORRECTED}' ELSE state END"
    " WHERE key = ? AND (correction IS NOT ? OR corrected_by != ?)"
)


@dataclass(frozen=True, slots=True)
class Held:
    """A corrected entry, as far as the bound needs it.

    Attributes:
        sequence: grows with every entry.
        by: name of the key of whoever corrected it.
        size: bytes.
    """

    sequence: int
    by: str
    size: int


def correct(database: Database, space: Space, key: str, correction: Correction) -> bool:
    """Correct the stored entry with this key; ``False`` if there is none that a person can correct.

    The same correction again changes nothing. An entry that is damaged, or whose image is lost, is
    dropped: the frame that comes with the correction takes its place.
    """
    row = database.execute(_ROW, (key,)).fetchone()
    if row is None:
        return False
    image = database.execute("SELECT 1 FROM image WHERE key = ?", (key,)).fetchone()
    if image is None or read_entry(dict(row), database.clock()).damaged:
        space.drop([row["sequence"]])
        return False
    said = (correction.label, correction.by)
    database.execute(_CORRECT, (*said, time.time(), key, *said))
    return True


def bound_corrections(database: Database, space: Space) -> None:
    """Drop the oldest corrections of whoever holds most, until all keep to their bound."""
    max_bytes = space.quota.max_bytes // _SHARE
    max_entries = max(space.quota.max_entries // _SHARE, 1)
    totals = database.execute(_TOTALS).fetchone()
    if totals["bytes"] <= max_bytes and totals["entries"] <= max_entries:
        return
    rows = database.execute(_HELD).fetchall()
    held = [
        Held(row["sequence"], str(row["corrected_by"]), row["size"])
        for row in rows
        if isinstance(row["size"], int)
    ]
    space.drop(
        surplus(
            held,
            excess_bytes=excess(totals["bytes"], max_bytes),
            excess_entries=excess(totals["entries"], max_entries),
        )
    )


def surplus(held: Iterable[Held], *, excess_bytes: int, excess_entries: int) -> list[int]:
    """Sequences to drop until that many bytes and entries are free. Pure.

    Args:
        held: all corrections, oldest first.
        excess_bytes: to free; 0 or less for none.
        excess_entries: likewise.
    """
    counts_bytes = excess_bytes > 0
    by_holder: dict[str, deque[Held]] = {}
    weights: Counter[str] = Counter()
    for one in held:
        by_holder.setdefault(one.by, deque()).append(one)
        weights[one.by] += one.size if counts_bytes else 1
    dropped: list[int] = []
    while by_holder and (excess_bytes > 0 or excess_entries > 0):
        heaviest = max(by_holder, key=lambda by: weights[by])
        oldest = by_holder[heaviest].popleft()
        weights[heaviest] -= oldest.size if counts_bytes else 1
        if not by_holder[heaviest]:
            del by_holder[heaviest]
        dropped.append(oldest.sequence)
        excess_bytes -= oldest.size
        excess_entries -= 1
    return dropped
