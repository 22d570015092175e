"""The room the outbox takes: its quota, the reserve of its disk, and the size of its files.

Entries beyond the quota go, the least valuable first (`edge.outbox.eviction`). On a nearly full
disk (`edge.outbox.disk`) resolved entries make room; if there are none, nothing new is taken. What
was acknowledged is dropped for the quota alone.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import OutboxDamaged, OutboxError, OutboxFull
from edge.outbox.disk import Disk
from edge.outbox.entry import Delivery, EntryState
from edge.outbox.eviction import Candidate, to_evict

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence

    from edge.outbox.database import Database

_SLACK = 0.05
"""Share of the quota that an eviction frees beyond the need. It looks at every entry, 40 ms at
10,000 of them, and must not run again for every frame."""
_MAX_LOG_PAGES = 1_000
_VACUUM_PAGES = 4_096
_DONE = 0
"""Rank of entries that nobody waits for."""
_RANK = (
    "CASE WHEN correction IS NOT NULL THEN 4"
    f" WHEN state = '{EntryState.RESOLVED}'"
    f" AND webhook NOT IN ('{Delivery.PENDING}', '{Delivery.FAILED}') THEN {_DONE}"
    f" WHEN state = '{EntryState.RESOLVED}' THEN 1"
    f" WHEN state = '{EntryState.DEAD_LETTER}' THEN 2 ELSE 3 END"
)
_CANDIDATES = (
    f"SELECT sequence, {_RANK} AS rank,"  # noqa: S608 -- constant
    " CASE WHEN confidence BETWEEN 0 AND 1 THEN confidence ELSE 0 END AS confidence,"
    " CASE WHEN typeof(label) = 'text' THEN label ELSE '' END AS label,"
    " CASE WHEN typeof(size) = 'integer' AND size > 0 THEN size ELSE 0 END AS size"
    " FROM entry"
)
"""What decides whether an entry goes; neutral where its row is damaged."""


@dataclass(frozen=True, slots=True)
class Quota:
    """How much the outbox may hold.

    Attributes:
        max_bytes: of images, predictions and results.
        max_entries: in any state.
        max_age_s: steady seconds after which an entry goes, whatever its state.
    """

    max_bytes: int = 1 << 30
    max_entries: int = 10_000
    max_age_s: float = 30 * 86_400.0


class Space:
    """Drops entries and shrinks files.

    `drop`, `drop_expired`, `enforce_quota` and `protect_reserve` are part of the caller's
    transaction; `shrink_file` makes its own.

    Attributes:
        quota: how much the outbox may hold.
    """

    def __init__(
        self, database: Database, quota: Quota, unreadable: Collection[int] = frozenset()
    ) -> None:
        """Read the disk's size; raises ``OutboxError`` if that fails.

        Args:
            database: that holds the entries.
            quota: how much it may hold.
            unreadable: sequences of entries that cannot be dropped; may grow.
        """
        self.quota = quota
        self._unreadable = unreadable
        self._database = database
        self._refused_bytes = 0
        with database.translate_errors():
            self._disk = Disk(database.file)
            self._page_bytes = database.pragma("page_size")
            self._limit_log()

    @property
    def moved(self) -> bool:
        """Whether the database's file was taken away: what is written to it now would be lost."""
        return self._disk.moved

    @property
    def is_tight(self) -> bool:
        """Whether the disk has no room for what it last refused."""
        file_bytes = self.page_count * self._page_bytes
        return self._disk.is_tight(file_bytes + self._refused_bytes, self._refused_bytes)

    @property
    def page_count(self) -> int:
        """Pages of the database, those in its log included."""
        return self._database.pragma("page_count")

    def drop(self, sequences: Sequence[int]) -> None:
        """Drop these entries and their images."""
        rows = [(sequence,) for sequence in sequences if sequence not in self._unreadable]
        if not rows:
            return
        self._database.execute_many(
            "DELETE FROM image WHERE key = (SELECT key FROM entry WHERE sequence = ?)", rows
        )
        self._database.execute_many("DELETE FROM entry WHERE sequence = ?", rows)

    def drop_expired(self, now: float) -> int:
        """Drop the entries that are too old at ``now``, in steady seconds; returns their number."""
        rows = self._database.execute(
            "SELECT sequence FROM entry WHERE created_steady_s < ?", (now - self.quota.max_age_s,)
        ).fetchall()
        self.drop([row["sequence"] for row in rows])
        return len(rows)

    def enforce_quota(self) -> None:
        """Drop the least valuable entries beyond the quota, and a few more."""
        used_bytes, entries = self._totals()
        quota = self.quota
        if used_bytes > quota.max_bytes or entries > quota.max_entries:
            self._evict(
                excess_bytes=excess(used_bytes, quota.max_bytes),
                excess_entries=excess(entries, quota.max_entries),
            )

    def protect_reserve(self, pages_before: int) -> None:
        """On a nearly full disk, make sure that the transaction has not made the file grow.

        Args:
            pages_before: `page_count` at the beginning of the transaction.

        Raises:
            OutboxFull: no entry may be dropped to make room.
        """
        grown_pages = self.page_count - pages_before
        grown_bytes = grown_pages * self._page_bytes
        if grown_pages <= 0:
            return
        if not self._disk.is_tight(self.page_count * self._page_bytes, grown_bytes):
            return
        used_bytes, _ = self._totals()
        excess_bytes = grown_bytes + int(used_bytes * _SLACK)
        self._evict(excess_bytes=excess_bytes, excess_entries=0, only_done=True)
        self._vacuum(grown_pages)
        if self.page_count > pages_before:
            self._refused_bytes = grown_bytes
            raise OutboxFull(
                f"The disk of the outbox in {self._database.folder} is full. Its last "
                f"{self._disk.reserve:,} bytes stay free, so that entries can still be resolved "
                "and dropped."
            )

    def shrink_file(self) -> None:
        """Give free pages back to the disk, in parts: other processes may write in between."""
        with suppress(OutboxError), self._database.translate_errors():  # the pages stay usable
            pages = self._disk.reserve // 4 // self._page_bytes
            part = max(min(pages, _VACUUM_PAGES), 1)
            while free := self._database.pragma("freelist_count"):
                with self._database.transaction():
                    self._vacuum(min(free, part))
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _limit_log(self) -> None:
        """Keep SQLite's log within half of the reserve; by default it takes up to 4 MiB."""
        half = self._disk.reserve // 2
        pages = max(min(half // self._page_bytes, _MAX_LOG_PAGES), 1)
        self._database.execute(f"PRAGMA wal_autocheckpoint = {pages}")
        self._database.execute(f"PRAGMA journal_size_limit = {half}")

    def _totals(self) -> tuple[int, int]:
        """Bytes and number of all entries."""
        row = self._database.execute(
            "SELECT COALESCE(SUM(bytes), 0) AS bytes, COALESCE(SUM(entries), 0) AS entries"
            " FROM tally"
        ).fetchone()
        return row["bytes"], row["entries"]

    def _evict(self, *, excess_bytes: int, excess_entries: int, only_done: bool = False) -> None:
        candidates = self._candidates()
        if only_done:
            candidates = [candidate for candidate in candidates if candidate.rank == _DONE]
        sequences = to_evict(candidates, excess_bytes=excess_bytes, excess_entries=excess_entries)
        self.drop(sequences)

    def _candidates(self) -> list[Candidate]:
        """Every entry that may be dropped."""
        try:
            rows = self._database.fetch_all(_CANDIDATES)
        except OutboxDamaged:  # the search stopped at a broken page
            rows = self._candidates_one_by_one()
        return [Candidate(**dict(row)) for row in rows]

    def _candidates_one_by_one(self) -> list[sqlite3.Row]:
        found = self._database.fetch_all("SELECT sequence FROM entry INDEXED BY entry_by_order")
        rows: list[sqlite3.Row] = []
        for row in found:
            with suppress(OutboxDamaged):
                rows += self._database.fetch_all(
                    f"{_CANDIDATES} WHERE sequence = ?", (row["sequence"],)
                )
        return rows

    def _vacuum(self, pages: int) -> None:
        for _ in range(pages):  # through Python's sqlite3 each call frees a single page
            self._database.execute("PRAGMA incremental_vacuum(1)")


def excess(used: int, limit: int) -> int:
    """What to free if ``used`` is over the limit, the slack included."""
    if used <= limit:
        return 0
    return used - limit + int(limit * _SLACK)
