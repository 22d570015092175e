"""Keeps damaged rows of the outbox apart, so that the others go on.

Rows are read one by one. One that cannot be read becomes a dead letter on disk: what the outbox
itself works with (its state, key, size and times) is set right, what was stored of the frame stays
as it is, and its fault says what is damaged. A row whose page is broken cannot be changed; it is
shown as a dead letter all the same, and left alone.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from edge.errors import OutboxDamaged, OutboxError
from edge.outbox.entry import Delivery, EntryState
from edge.outbox.rows import (
    CLOCK_SLACK_S,
    MAX_REST_S,
    MAX_SIZE,
    READ_COLUMNS,
    damaged_entry,
    is_moment,
    read_entry,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from edge.outbox.database import Database
    from edge.outbox.entry import Entry

_log = logging.getLogger(__name__)

_READ = f"SELECT {', '.join(READ_COLUMNS)} FROM entry WHERE sequence = ?"  # noqa: S608 -- constants
_STATES = ", ".join(f"'{state}'" for state in EntryState)
_DELIVERIES = ", ".join(f"'{delivery}'" for delivery in Delivery)
ALL_SEQUENCES = "SELECT sequence FROM entry INDEXED BY entry_by_order"
"""The index holds the sequences as well, so that no broken row is read."""
_SUSPECT = (
    f"typeof(key) != 'text' OR (state IN ({_STATES})) IS NOT 1"
    f" OR (webhook IN ({_DELIVERIES})) IS NOT 1"
    f" OR (webhook != '{Delivery.NONE}' AND state != '{EntryState.RESOLVED}')"
    f" OR typeof(size) != 'integer' OR (size BETWEEN 0 AND {MAX_SIZE}) IS NOT 1"
    " OR (created_steady_s BETWEEN 0 AND ?) IS NOT 1 OR (not_before BETWEEN 0 AND ?) IS NOT 1"
)
"""Rows that the outbox's own queries would miss or miscount. `IS NOT 1` holds for NULL as well."""
_SUMS = "SELECT state, webhook, COUNT(*), SUM(size) FROM entry GROUP BY state, webhook"
_BROKEN_PAGE = "its page of the database is broken"


class Quarantine:
    """Reads the rows of one database, and makes damaged ones dead letters.

    Attributes:
        unreadable: sequences of rows that can be neither read nor changed.
    """

    def __init__(self, database: Database) -> None:
        self.unreadable: set[int] = set()
        self._database = database
        self._version: int | None = None

    def __repr__(self) -> str:
        return f"<Quarantine of {self._database}, {len(self.unreadable)} unreadable>"

    def read_all(self, sequences: Iterable[int]) -> list[Entry]:
        """The entries with these sequences that still exist; damaged ones as dead letters.

        Raises:
            OutboxError: the database cannot be read at all.
        """
        entries = [self._read(sequence) for sequence in sequences]
        return [entry for entry in entries if entry is not None]

    def sweep_if_changed(self) -> None:
        """`sweep` if another process has written since the last one, or there was none yet."""
        if self._database.pragma("data_version") != self._version:
            self.sweep()

    def sweep(self) -> None:
        """Find the rows that no query would find, and correct the sums.

        Raises:
            OutboxError: the database cannot be read or written at all.
        """
        self._version = self._database.pragma("data_version")
        now = self._database.clock()
        latest = (now + CLOCK_SLACK_S, now + MAX_REST_S)
        try:
            found = self._database.fetch_all(
                f"SELECT sequence FROM entry WHERE {_SUSPECT}",  # noqa: S608 -- constants
                latest,
            )
        except OutboxDamaged:  # the search stopped at a broken page: look at each row
            found = self._database.fetch_all(f"{ALL_SEQUENCES} ORDER BY sequence")
        self.read_all([row["sequence"] for row in found])
        self._correct_sums()

    def _read(self, sequence: int) -> Entry | None:
        try:
            rows = self._database.fetch_all(_READ, (sequence,))
        except OutboxDamaged:
            self._give_up(sequence, _BROKEN_PAGE)
            return damaged_entry(sequence, _BROKEN_PAGE)
        if not rows:
            return None
        now = self._database.clock()
        entry = read_entry(dict(rows[0]), now)
        if not entry.damaged:
            self.unreadable.discard(sequence)
            return entry
        if sequence in self.unreadable:  # SQLite reads it from its cache now, as NULL or half
            return damaged_entry(sequence, _BROKEN_PAGE)
        try:
            self._make_dead_letter(rows[0], entry, now)
        except OutboxDamaged as error:
            self._give_up(sequence, error.message)
        except OutboxError as error:  # a full disk, or one that is only read from
            _log.warning("outbox entry %s is damaged, which cannot be stored: %s", entry.key, error)
        return entry

    def _give_up(self, sequence: int, fault: str) -> None:
        if sequence not in self.unreadable:
            _log.error("outbox entry number %d cannot be read or changed: %s", sequence, fault)
            self.unreadable.add(sequence)

    def _make_dead_letter(self, row: sqlite3.Row, entry: Entry, now: float) -> None:
        """Store the entry's state and fault, and set right what the outbox's queries use."""
        is_stored = row["state"] == EntryState.DEAD_LETTER and row["fault"] == entry.fault
        if is_stored and row["key"] == entry.key:
            return
        created = row["created_steady_s"]
        values = {
            "key": entry.key,
            "state": EntryState.DEAD_LETTER,
            "fault": entry.fault,
            "webhook": Delivery.NONE,
            "not_before": 0.0,
            "created_steady_s": created if is_moment(created, now + CLOCK_SLACK_S) else now,
        }
        with self._database.transaction():
            # Triggers would add to and subtract from sums that the damage may have spoilt.
            self._database.execute("DELETE FROM tally")
            self._database.execute(
                "UPDATE OR IGNORE image SET key = ? WHERE key IS ? AND key IS NOT ?",
                (entry.key, row["key"], entry.key),
            )
            image = self._database.execute(
                "SELECT length(bytes) FROM image WHERE key = ?", (entry.key,)
            ).fetchone()
            items = row["items"]
            values["size"] = (image[0] or 0 if image else 0) + _length(items)
            assignments = ", ".join(f"{name} = ?" for name in values)
            self._database.execute(
                f"UPDATE entry SET {assignments} WHERE sequence = ?",  # noqa: S608 -- constants
                (*values.values(), entry.sequence),
            )
            self._store_sums(self._count())
        _log.warning("outbox entry %s became a dead letter: %s", entry.key, entry.fault)

    def _correct_sums(self) -> None:
        sums = self._count()
        stored = {
            (row["state"], row["webhook"]): (row["entries"], row["bytes"])
            for row in self._database.fetch_all("SELECT state, webhook, entries, bytes FROM tally")
            if row["entries"] != 0 or row["bytes"] != 0
        }
        if stored != sums:
            with self._database.transaction():
                self._store_sums(sums)

    def _store_sums(self, sums: dict[tuple[Any, Any], tuple[int, int]]) -> None:
        self._database.execute("DELETE FROM tally")
        rows = [(*kind, *figures) for kind, figures in sums.items()]
        self._database.execute_many("INSERT INTO tally VALUES (?, ?, ?, ?)", rows)

    def _count(self) -> dict[tuple[Any, Any], tuple[int, int]]:
        """State and delivery to the number of entries and their bytes; only what can be read."""
        try:
            rows = self._database.fetch_all(_SUMS)
        except OutboxError:  # a broken page, or sizes that cannot be added up
            return self._count_one_by_one()
        return {(row[0], row[1]): (row[2], row[3]) for row in rows if _is_counted(row)}

    def _count_one_by_one(self) -> dict[tuple[Any, Any], tuple[int, int]]:
        sums: dict[tuple[Any, Any], tuple[int, int]] = {}
        rows = self._database.fetch_all(ALL_SEQUENCES)
        for found in rows:
            if found["sequence"] in self.unreadable:
                continue
            try:
                (row,) = self._database.fetch_all(
                    "SELECT state, webhook, 1, size FROM entry WHERE sequence = ?",
                    (found["sequence"],),
                )
            except (OutboxDamaged, ValueError):
                continue
            if _is_counted(row):
                entries, size = sums.get((row[0], row[1]), (0, 0))
                sums[row[0], row[1]] = (entries + 1, size + row[3])
        return sums


def _is_counted(row: sqlite3.Row) -> bool:
    return isinstance(row[0], str) and isinstance(row[1], str) and isinstance(row[3], int)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str | bytes) else 0
