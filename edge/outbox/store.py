"""The outbox's entries on disk. Every method is one transaction, durable when it returns.

The entries share one connection (`edge.outbox.database`) with what bounds them
(`edge.outbox.space`). Ages and waits are counted in steady seconds (`edge.clock`), so that no jump
of the wall clock makes an entry old. Used from one thread.
"""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Any

from edge.errors import EntryDamaged, OutboxDamaged, OutboxError
from edge.frame_key import digest_of, frame_key
from edge.outbox.corrections import bound_corrections, correct
from edge.outbox.database import Database
from edge.outbox.encryption import NoEncryption
from edge.outbox.entry import Delivery, EntryState, NewEntry, Receipt
from edge.outbox.quarantine import ALL_SEQUENCES, Quarantine
from edge.outbox.space import Quota, Space

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edge.clock import SteadyClock
    from edge.outbox.encryption import Encryption
    from edge.outbox.entry import Entry

_COPIED = tuple(name for name in NewEntry.__slots__ if name not in {"image", "items", "correction"})
"""Columns that take a new entry's field as it is."""
_LAST_CHARACTER = "\U0010ffff"
_MAX_KEY_LENGTH = 128
"""Keys have 32 characters."""


class Store:
    """The entries of one outbox.

    Attributes:
        folder: that holds the database.
    """

    def __init__(
        self,
        folder: Path,
        quota: Quota | None = None,
        encryption: Encryption | None = None,
        *,
        keep_images: bool = True,
        deliver: bool = False,
        create: bool = True,
        clock: SteadyClock | None = None,
    ) -> None:
        """Open the database in ``folder``, or create it.

        Args:
            folder: created if it is missing.
            quota: how much the outbox may hold.
            encryption: of the images; none by default.
            keep_images: store the images, not only the predictions.
            deliver: results are to be delivered to a webhook.
            create: ``False`` refuses a folder without a database.
            clock: for tests; by default the machine's, continuing from the one in the database.

        Raises:
            OutboxError: the database is missing, cannot be opened, or has another version.
        """
        self.folder = folder
        self._encryption = encryption or NoEncryption()
        self._keep_images = keep_images
        self._deliver = deliver
        self._database = Database(folder, create=create, clock=clock)
        self._quarantine = Quarantine(self._database)
        try:
            self._space = Space(self._database, quota or Quota(), self._quarantine.unreadable)
            self._quarantine.sweep()
        except OutboxError:
            self._database.close()
            raise

    def __repr__(self) -> str:
        return f"<Store {self.folder}>"

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    @property
    def moved(self) -> bool:
        """Whether the database's file was taken away: what is written to it now would be lost."""
        return self._space.moved

    @property
    def is_tight(self) -> bool:
        """Whether the disk has no room for what it last refused."""
        return self._space.is_tight

    def put(self, entries: Sequence[NewEntry]) -> list[Receipt]:
        """Store frames; they are on disk when this returns.

        Entries beyond the quota go, possibly some of the new ones.

        Raises:
            OutboxFull: the disk has no room for them.
            OutboxError: it cannot be written.
        """
        self._quarantine.sweep_if_changed()
        with self._database.transaction():
            now = self._database.clock()
            pages_before = self._space.page_count
            inserted = [self._insert(entry, now) for entry in entries]
            self._space.drop_expired(now)
            if any(entry.correction is not None for entry in entries):
                bound_corrections(self._database, self._space)
            self._space.enforce_quota()
            self._space.protect_reserve(pages_before)
            return [Receipt(key, kept=self._holds(key), known=known) for key, known in inserted]

    def check_writable(self) -> None:
        """Write a little; raises ``OutboxError`` if the disk takes nothing."""
        with self._database.transaction():
            pass  # every transaction stores the clock

    def drop_expired(self) -> int:
        """Drop entries that are too old; returns their number. Looks for damaged ones as well."""
        self._quarantine.sweep()
        with self._database.transaction():
            dropped = self._space.drop_expired(self._database.clock())
        if dropped:
            self._space.shrink_file()
        return dropped

    def due(self, limit: int) -> list[Entry]:
        """Waiting entries whose backoff is over, oldest first; none of them is damaged."""
        now = self._database.clock()
        return self._select_good("state = ? AND not_before <= ?", (EntryState.WAITING, now), limit)

    def pending_deliveries(self, limit: int) -> list[Entry]:
        """Entries whose result is due for the webhook, oldest first."""
        now = self._database.clock()
        return self._select_good("webhook = ? AND not_before <= ?", (Delivery.PENDING, now), limit)

    def image(self, key: str) -> bytes:
        """The image of an entry.

        Raises:
            EntryUnreadable: it cannot be decrypted.
            EntryDamaged: it was not stored, is lost, or its page is broken.
            OutboxError: the database cannot be read.
        """
        try:
            rows = self._database.fetch_all("SELECT bytes FROM image WHERE key = ?", (key,))
        except OutboxDamaged as error:
            raise EntryDamaged(f"The image of {key} is on a broken page of the disk.") from error
        if not rows:
            raise EntryDamaged(f"The outbox holds no image of {key}.")
        stored = rows[0]["bytes"]
        if not isinstance(stored, bytes):
            raise EntryDamaged(f"What the outbox holds as the image of {key} is none.")
        return self._encryption.decrypt(stored, key)

    def resolve(self, key: str, result: Mapping[str, Any]) -> bool:
        """Store the online model's answer; ``False`` if the entry does not wait for one any more.

        One that was corrected while the online model was asked takes it too: it is paid for.
        """
        webhook = Delivery.PENDING if self._deliver else Delivery.NONE
        result_json = json.dumps(result)
        return self._update(
            "state = ?, result = ?, resolved = ?, fault = NULL, webhook = ?, not_before = 0,"
            " size = size + ?",
            (EntryState.RESOLVED, result_json, time.time(), webhook, len(result_json)),
            "key = ? AND state IN (?, ?)",
            (key, EntryState.WAITING, EntryState.CORRECTED),
        )

    def postpone(self, key: str, seconds: float, fault: str, *, counts: bool) -> bool:
        """Let a waiting entry rest; ``counts`` if the failure was the frame's own fault."""
        return self._update(
            "not_before = ?, fault = ?, attempts = attempts + ?",
            (self._database.clock() + seconds, fault, int(counts)),
            "key = ? AND state = ?",
            (key, EntryState.WAITING),
        )

    def dead_letter(self, key: str, fault: str) -> bool:
        """Stop trying a waiting entry: its frame is refused."""
        return self._update(
            "state = ?, fault = ?, attempts = attempts + 1",
            (EntryState.DEAD_LETTER, fault),
            "key = ? AND state = ?",
            (key, EntryState.WAITING),
        )

    def mark_delivered(self, key: str) -> bool:
        """The webhook has taken the result."""
        return self._update(
            "webhook = ?",
            (Delivery.DELIVERED,),
            "key = ? AND webhook = ?",
            (key, Delivery.PENDING),
        )

    def postpone_delivery(self, key: str, seconds: float, *, give_up: bool) -> bool:
        """The webhook did not take the result: try again later, or never."""
        webhook = Delivery.FAILED if give_up else Delivery.PENDING
        return self._update(
            "webhook = ?, webhook_attempts = webhook_attempts + 1, not_before = ?",
            (webhook, self._database.clock() + seconds),
            "key = ? AND webhook = ?",
            (key, Delivery.PENDING),
        )

    def entries(
        self, *, state: EntryState | None = None, after: int = 0, limit: int = 100
    ) -> list[Entry]:
        """Entries whose sequence is above ``after``, in order; of one state if it is given."""
        if state is None:
            return self._select("sequence > ?", (after,), limit)
        return self._select("sequence > ? AND state = ?", (after, state), limit)

    def get(self, key: str) -> Entry | None:
        """The one entry whose key starts with ``key``; ``None`` if there is none or several."""
        if len(key) > _MAX_KEY_LENGTH or not key.isprintable():
            return None
        found = self._select("key >= ? AND key < ?", (key, key + _LAST_CHARACTER), 2)
        return found[0] if len(found) == 1 else None

    def retry(self, keys: Sequence[str] | None = None) -> int:
        """Let dead letters wait again and failed deliveries be tried again; returns their number.

        Args:
            keys: only these entries; ``None`` means all.
        """
        only = "" if keys is None else f" AND key IN ({_placeholders(keys)})"
        with self._database.transaction():
            dead_letters = self._database.execute(
                "UPDATE entry SET state = CASE WHEN correction IS NULL THEN ? ELSE ? END,"  # noqa: S608 -- question marks
                f" attempts = 0, not_before = 0 WHERE state = ?{only}",
                (
                    EntryState.WAITING,
                    EntryState.CORRECTED,
                    EntryState.DEAD_LETTER,
                    *(keys or ()),
                ),
            )
            deliveries = self._database.execute(
                "UPDATE entry SET webhook = ?, webhook_attempts = 0, not_before = 0"  # noqa: S608 -- question marks
                f" WHERE webhook = ?{only}",
                (Delivery.PENDING, Delivery.FAILED, *(keys or ())),
            )
        return dead_letters.rowcount + deliveries.rowcount

    def purge(self, *, states: Sequence[EntryState] = (), keys: Sequence[str] = ()) -> int:
        """Drop the entries in these states or with these keys; returns their number."""
        with self._database.transaction():
            rows = self._database.execute(
                f"SELECT sequence FROM entry WHERE state IN ({_placeholders(states)})"  # noqa: S608 -- only question marks
                f" OR key IN ({_placeholders(keys)})",
                (*states, *keys),
            ).fetchall()
            self._space.drop([row["sequence"] for row in rows])
        self._space.shrink_file()
        return len(rows)

    def counts(self) -> dict[str, int]:
        """Number of entries by state, by pending and failed delivery, and ``bytes`` in all.

        ``unreadable`` is there if a broken page holds entries, which count in their last state too.
        """
        self._quarantine.sweep_if_changed()
        rows = self._database.fetch_all("SELECT state, webhook, entries, bytes FROM tally")
        counts = {str(state): 0 for state in EntryState}
        counts |= {"bytes": 0, "webhook_pending": 0, "webhook_failed": 0}
        if self._quarantine.unreadable:
            counts["unreadable"] = len(self._quarantine.unreadable)
        for row in rows:
            counts[row["state"]] += row["entries"]
            counts["bytes"] += row["bytes"]
            if row["webhook"] == Delivery.PENDING:
                counts["webhook_pending"] += row["entries"]
            elif row["webhook"] == Delivery.FAILED:
                counts["webhook_failed"] += row["entries"]
        return counts

    def _insert(self, entry: NewEntry, now: float) -> tuple[str, bool]:
        """Store a frame that fits the quota; its key, and whether it was stored before."""
        digest = digest_of(entry.image)
        key = frame_key(digest, entry.model)
        if self._keep_images:  # an entry without its image is replaced by one with it
            self._database.execute(
                "DELETE FROM entry WHERE key = ? AND state = ?", (key, EntryState.PREDICTION_ONLY)
            )
        correction = entry.correction
        if correction is not None and correct(self._database, self._space, key, correction):
            return key, True
        seen = self._database.execute(
            "UPDATE entry SET times_seen = times_seen + 1 WHERE key = ?", (key,)
        )
        if seen.rowcount:
            return key, True

        items = json.dumps(list(entry.items))
        stored = self._encryption.encrypt(entry.image, key) if self._keep_images else b""
        size = len(stored) + len(items)
        if size > self._space.quota.max_bytes:  # all others would go, and then this one
            return key, False

        values = {name: getattr(entry, name) for name in _COPIED}
        if not math.isfinite(entry.confidence):  # a broken model's; SQLite would take it for NULL
            values["confidence"] = 0.0
        values |= {
            "key": key,
            "digest": digest,
            "items": items,
            "size": size,
            "created": time.time(),
            "created_steady_s": now,
            "state": self._first_state(entry),
        }
        if correction is not None:
            values |= {
                "correction": correction.label,
                "corrected_by": correction.by,
                "corrected": values["created"],
            }
        columns = ", ".join(values)
        self._database.execute(
            f"INSERT INTO entry ({columns}) VALUES ({_placeholders(values)})",  # noqa: S608 -- our own column names
            tuple(values.values()),
        )
        if self._keep_images:
            self._database.execute("INSERT INTO image VALUES (?, ?)", (key, stored))
        return key, False

    def _first_state(self, entry: NewEntry) -> EntryState:
        if not self._keep_images:
            return EntryState.PREDICTION_ONLY
        return EntryState.WAITING if entry.correction is None else EntryState.CORRECTED

    def _holds(self, key: str) -> bool:
        row = self._database.execute("SELECT 1 FROM entry WHERE key = ?", (key,)).fetchone()
        return row is not None

    def _update(
        self,
        assignments: str,
        values: tuple[Any, ...],
        condition: str,
        condition_values: tuple[Any, ...],
    ) -> bool:
        with self._database.transaction():
            updated = self._database.execute(
                f"UPDATE entry SET {assignments} WHERE {condition}",  # noqa: S608 -- constants above
                (*values, *condition_values),
            )
        return updated.rowcount > 0

    def _select(self, condition: str, values: tuple[Any, ...], limit: int) -> list[Entry]:
        """The first entries that fulfil the condition, in order, damaged ones as dead letters."""
        self._quarantine.sweep_if_changed()
        found = f"WHERE {condition} ORDER BY sequence LIMIT ?"
        values = (*values, limit)
        try:
            rows = self._database.fetch_all(f"SELECT sequence FROM entry {found}", values)  # noqa: S608 -- constants above
        except OutboxDamaged:  # it went through the rows to a broken page; the index has none
            rows = self._database.fetch_all(f"{ALL_SEQUENCES} {found}", values)
        return self._quarantine.read_all([row["sequence"] for row in rows])

    def _select_good(self, condition: str, values: tuple[Any, ...], limit: int) -> list[Entry]:
        """The first undamaged entries that fulfil the condition, in order."""
        good: list[Entry] = []
        after = 0
        while len(good) < limit:
            page = self._select(f"{condition} AND sequence > ?", (*values, after), limit)
            good += [entry for entry in page if not entry.damaged]
            if len(page) < limit:
                break
            after = page[-1].sequence
        return good[:limit]


def _placeholders(values: Mapping[str, Any] | Sequence[str]) -> str:
    return ", ".join("?" * len(values))
