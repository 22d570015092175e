"""The outbox on disk: one SQLite database. Every method is one transaction, durable when it returns.

WAL with ``synchronous=FULL``: a commit is on the disk before it is acknowledged. Ages and waits are counted in steady
seconds (`edge.clock`), kept in the database, so that no jump of the wall clock makes an entry old. Used from one
thread; other processes (`edge outbox`) may open the same file beside it.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from edge.clock import Reading, SteadyClock
from edge.errors import EntryUnreadable, OutboxError
from edge.outbox.entry import Entry, Receipt, State, Telling, key_of
from edge.outbox.eviction import Candidate, to_evict
from edge.outbox.seal import NoSeal, Seal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from edge.outbox.entry import NewEntry

FILE_NAME = "outbox.sqlite3"
_BUSY_MS = 5_000
_OWNER_ONLY = 0o700  # frames may show people
_SCHEMA_VERSION = 2
_SLACK = 0.05
"""Share of the quota that an eviction frees beyond the need: it looks at every entry, 40 ms at 10,000 of them, and must
not be done anew for every frame."""

_SCHEMA = """
CREATE TABLE entry (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    digest TEXT NOT NULL,
    task TEXT NOT NULL,
    model TEXT NOT NULL,
    version INTEGER NOT NULL,
    model_digest TEXT NOT NULL,
    camera TEXT NOT NULL,
    reason TEXT NOT NULL,
    hindrance TEXT NOT NULL,
    items TEXT NOT NULL,
    certainty REAL NOT NULL,
    label TEXT NOT NULL,
    multi_label INTEGER NOT NULL,
    size INTEGER NOT NULL,
    seen INTEGER NOT NULL DEFAULT 1,
    created REAL NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    fault TEXT,
    result TEXT,
    settled REAL,
    telling TEXT NOT NULL DEFAULT 'none',
    telling_attempts INTEGER NOT NULL DEFAULT 0,
    born REAL NOT NULL,
    not_before REAL NOT NULL DEFAULT 0
);
CREATE INDEX entry_by_state ON entry (state, not_before, sequence);
CREATE INDEX entry_by_telling ON entry (telling, not_before);
CREATE TABLE image (key TEXT PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE clock (one INTEGER PRIMARY KEY CHECK (one = 1), steady REAL, boot TEXT, since_boot REAL, wall REAL);
"""

_TALLY = """
DROP INDEX entry_by_state;
CREATE INDEX entry_by_order ON entry (state, sequence, not_before);
CREATE INDEX entry_by_birth ON entry (born);
CREATE TABLE tally (
    state TEXT NOT NULL, telling TEXT NOT NULL, entries INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (state, telling)
) WITHOUT ROWID;
INSERT INTO tally SELECT state, telling, COUNT(*), SUM(size) FROM entry GROUP BY state, telling;
CREATE TRIGGER tally_comes AFTER INSERT ON entry BEGIN
    INSERT INTO tally VALUES (NEW.state, NEW.telling, 1, NEW.size)
    ON CONFLICT (state, telling) DO UPDATE SET entries = entries + 1, bytes = bytes + NEW.size;
END;
CREATE TRIGGER tally_goes AFTER DELETE ON entry BEGIN
    UPDATE tally SET entries = entries - 1, bytes = bytes - OLD.size WHERE state = OLD.state AND telling = OLD.telling;
END;
CREATE TRIGGER tally_changes AFTER UPDATE OF state, telling ON entry BEGIN
    UPDATE tally SET entries = entries - 1, bytes = bytes - OLD.size WHERE state = OLD.state AND telling = OLD.telling;
    INSERT INTO tally VALUES (NEW.state, NEW.telling, 1, NEW.size)
    ON CONFLICT (state, telling) DO UPDATE SET entries = entries + 1, bytes = bytes + NEW.size;
END;
"""
"""What version 2 adds. The sums are asked for with every frame; counting entries each time takes milliseconds."""

_LACKS = {0: _SCHEMA + _TALLY, 1: _TALLY}
"""What a database of another version lacks; a new one has version 0."""

_COLUMNS = ", ".join(Entry.__slots__)
_RANK = (
    f"CASE WHEN state = '{State.SETTLED}' AND telling != '{Telling.DUE}' THEN 0 WHEN state = '{State.SETTLED}' THEN 1"
    f" WHEN state = '{State.SET_ASIDE}' THEN 2 ELSE 3 END"
)


@dataclass(frozen=True, slots=True)
class Quota:
    """How much the outbox may hold.

    Attributes:
        max_bytes: of images and of what is said about them.
        max_entries: of any state.
        max_age_s: steady seconds after which an entry goes, whatever its state.
        images: keep the images; else only the predictions.
        tell: results are to be told to a webhook.
    """

    max_bytes: int = 1 << 30
    max_entries: int = 10_000
    max_age_s: float = 30 * 86_400.0
    images: bool = True
    tell: bool = False


class Store:
    """See the module."""

    def __init__(
        self,
        folder: Path,
        quota: Quota | None = None,
        seal: Seal | None = None,
        *,
        create: bool = True,
        clock: SteadyClock | None = None,
    ) -> None:
        """Open the database in ``folder``, made where it is not there.

        Args:
            create: ``False`` refuses where there is none.
            clock: for tests; else the machine's, going on from the database's.

        Raises:
            OutboxError: it is not there, cannot be opened, or is not an outbox of this version.
        """
        self.folder = folder
        self.quota = quota or Quota()
        self._seal = seal or NoSeal()
        file = folder / FILE_NAME
        if not create and not file.is_file():
            raise OutboxError(f"There is no outbox in {folder}.")
        try:
            folder.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
            self._db = sqlite3.connect(file, isolation_level=None, timeout=_BUSY_MS / 1000, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise OutboxError(f"The outbox in {folder} cannot be opened: {error}.") from error
        self._db.row_factory = sqlite3.Row
        try:
            with _translated(folder):
                self._prepare()
                self._clock = clock or self._kept_clock()
        except OutboxError:
            self._db.close()
            raise

    def __repr__(self) -> str:
        return f"<Store {self.folder}>"

    def close(self) -> None:
        """Close the database."""
        with suppress(sqlite3.Error):
            self._db.close()

    def put(self, entries: Sequence[NewEntry]) -> list[Receipt]:
        """Keep frames; on disk when this returns. What is too much by the quota goes, the new ones not excepted."""
        with self._transaction():
            now = self._clock()
            known = [self._put(entry, now) for entry in entries]
            self._make_room(now)
            return [Receipt(key, self._holds(key), was_known) for key, was_known in known]

    def check(self) -> None:
        """Write a little; raises ``OutboxError`` where the disk takes nothing."""
        with self._transaction():
            pass  # each transaction writes the clock

    def due(self, limit: int) -> list[Entry]:
        """Waiting entries whose backoff is over, in their order."""
        return self._entries("state = ? AND not_before <= ?", (State.WAITING, self._clock()), limit)

    def untold(self, limit: int) -> list[Entry]:
        """Entries of which the webhook is to be told."""
        return self._entries("telling = ? AND not_before <= ?", (Telling.DUE, self._clock()), limit)

    def image(self, key: str) -> bytes:
        """The image of an entry; raises ``EntryUnreadable`` where it was not kept or does not open."""
        with _translated(self.folder):
            row = self._db.execute("SELECT bytes FROM image WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise EntryUnreadable(f"The outbox holds no image of {key}.")
        return self._seal.open(row["bytes"], key)

    def settle(self, key: str, result: Mapping[str, Any]) -> bool:
        """Store the online model's answer; ``False`` where the entry does not wait any more."""
        telling = Telling.DUE if self.quota.tell else Telling.NONE
        return self._change(
            "state = ?, result = ?, settled = ?, fault = NULL, telling = ?, not_before = 0",
            (State.SETTLED, json.dumps(result), time.time(), telling),
            "key = ? AND state = ?",
            (key, State.WAITING),
        )

    def postpone(self, key: str, seconds: float, fault: str, *, counts: bool) -> bool:
        """Try again later; ``counts`` where the frame itself is at fault."""
        return self._change(
            "not_before = ?, fault = ?, attempts = attempts + ?",
            (self._clock() + seconds, fault, int(counts)),
            "key = ? AND state = ?",
            (key, State.WAITING),
        )

    def set_aside(self, key: str, fault: str) -> bool:
        """Stop trying: the frame is refused."""
        return self._change(
            "state = ?, fault = ?, attempts = attempts + 1",
            (State.SET_ASIDE, fault),
            "key = ? AND state = ?",
            (key, State.WAITING),
        )

    def told(self, key: str) -> bool:
        """The webhook knows."""
        return self._change("telling = ?", (Telling.TOLD,), "key = ? AND telling = ?", (key, Telling.DUE))

    def postpone_telling(self, key: str, seconds: float, *, give_up: bool) -> bool:
        """The webhook did not take it: try later, or no more."""
        return self._change(
            "telling = ?, telling_attempts = telling_attempts + 1, not_before = ?",
            (Telling.GIVEN_UP if give_up else Telling.DUE, self._clock() + seconds),
            "key = ? AND telling = ?",
            (key, Telling.DUE),
        )

    def entries(self, *, state: State | None = None, after: int = 0, limit: int = 100) -> list[Entry]:
        """Entries in their order, those with a sequence above ``after``."""
        if state is None:
            return self._entries("sequence > ?", (after,), limit)
        return self._entries("sequence > ? AND state = ?", (after, state), limit)

    def get(self, key: str) -> Entry | None:
        """The entry whose key is or begins so; ``None`` where there is none or more than one."""
        found = self._entries("substr(key, 1, ?) = ?", (len(key), key), 2)
        return found[0] if len(found) == 1 else None

    def retry(self, keys: Sequence[str] | None = None) -> int:
        """Let what was set aside wait again, and tell the webhook again where it was given up; returns how many."""
        some = "" if keys is None else f" AND key IN ({', '.join('?' * len(keys))})"
        with self._transaction():
            aside = self._db.execute(
                "UPDATE entry SET state = ?, attempts = 0, not_before = 0 WHERE state = ?" + some,  # noqa: S608 -- ours
                (State.WAITING, State.SET_ASIDE, *(keys or ())),
            )
            untold = self._db.execute(
                "UPDATE entry SET telling = ?, telling_attempts = 0, not_before = 0 WHERE telling = ?" + some,  # noqa: S608 -- ours
                (Telling.DUE, Telling.GIVEN_UP, *(keys or ())),
            )
        return aside.rowcount + untold.rowcount

    def purge(self, *, states: Sequence[State] = (), keys: Sequence[str] = ()) -> int:
        """Drop the entries of these states, or with these keys; returns how many."""
        with self._transaction():
            rows = self._db.execute(
                f"SELECT sequence FROM entry WHERE state IN ({', '.join('?' * len(states))})"  # noqa: S608 -- ours
                f" OR key IN ({', '.join('?' * len(keys))})",
                (*states, *keys),
            ).fetchall()
            self._drop([row["sequence"] for row in rows])
        return len(rows)

    def counts(self) -> dict[str, int]:
        """Entries by state, ``bytes`` in all, ``untold`` results, and entries whose telling was ``given_up``."""
        with _translated(self.folder):
            tally = self._db.execute("SELECT state, telling, entries, bytes FROM tally").fetchall()
        return {
            **{state: sum(row["entries"] for row in tally if row["state"] == state) for state in State},
            "bytes": sum(row["bytes"] for row in tally),
            "untold": sum(row["entries"] for row in tally if row["telling"] == Telling.DUE),
            "given_up": sum(row["entries"] for row in tally if row["telling"] == Telling.GIVEN_UP),
        }

    def _prepare(self) -> None:
        self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA journal_size_limit = 16777216")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version in _LACKS:
            done = f"PRAGMA user_version = {_SCHEMA_VERSION}"
            self._db.executescript(f"BEGIN IMMEDIATE; {_LACKS[version]} {done}; COMMIT;")
        elif version != _SCHEMA_VERSION:
            raise OutboxError(f"The outbox in {self.folder} was written by another version of edge.")

    def _kept_clock(self) -> SteadyClock:
        row = self._db.execute("SELECT steady, boot, since_boot, wall FROM clock").fetchone()
        if row is None:
            return SteadyClock()
        return SteadyClock(row["steady"], Reading(row["boot"], row["since_boot"], row["wall"]))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _translated(self.folder):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._keep_clock()
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite has rolled back by itself, on a full disk
                    self._db.execute("ROLLBACK")
                raise

    def _keep_clock(self) -> None:
        steady, reading = self._clock.mark()
        self._db.execute("INSERT OR REPLACE INTO clock VALUES (1, ?, ?, ?, ?)", (steady, *asdict(reading).values()))

    def _put(self, entry: NewEntry, now: float) -> tuple[str, bool]:
        digest = entry.digest()
        key = key_of(digest, entry.model)
        if self._db.execute("UPDATE entry SET seen = seen + 1 WHERE key = ?", (key,)).rowcount:
            return key, True
        items = json.dumps(list(entry.items), ensure_ascii=False)
        stored = self._seal.close(entry.image, key) if self.quota.images else b""
        values = {
            "key": key,
            "digest": digest,
            **{name: getattr(entry, name) for name in type(entry).__slots__ if name not in {"image", "items"}},
            "items": items,
            "size": len(stored) + len(items),
            "created": time.time(),
            "born": now,
            "state": State.WAITING if self.quota.images else State.RECORD,
        }
        self._db.execute(
            f"INSERT INTO entry ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",  # noqa: S608 -- ours
            tuple(values.values()),
        )
        if self.quota.images:
            self._db.execute("INSERT INTO image VALUES (?, ?)", (key, stored))
        return key, False

    def _holds(self, key: str) -> bool:
        return self._db.execute("SELECT 1 FROM entry WHERE key = ?", (key,)).fetchone() is not None

    def _make_room(self, now: float) -> None:
        old = self._db.execute("SELECT sequence FROM entry WHERE born < ?", (now - self.quota.max_age_s,)).fetchall()
        self._drop([row["sequence"] for row in old])
        sums = "SELECT COALESCE(SUM(bytes), 0), COALESCE(SUM(entries), 0) FROM tally"
        used, entries = self._db.execute(sums).fetchone()
        quota = self.quota
        if used <= quota.max_bytes and entries <= quota.max_entries:
            return
        rows = self._db.execute(f"SELECT sequence, {_RANK} AS rank, certainty, label, size FROM entry")  # noqa: S608 -- ours
        candidates = (Candidate(**dict(row)) for row in rows)
        spare_bytes, spare_entries = _spare(used, quota.max_bytes), _spare(entries, quota.max_entries)
        self._drop(to_evict(candidates, spare_bytes=spare_bytes, spare_entries=spare_entries))

    def _drop(self, sequences: Sequence[int]) -> None:
        if not sequences:
            return
        rows = [(sequence,) for sequence in sequences]
        self._db.executemany("DELETE FROM image WHERE key = (SELECT key FROM entry WHERE sequence = ?)", rows)
        self._db.executemany("DELETE FROM entry WHERE sequence = ?", rows)
        self._db.execute("PRAGMA incremental_vacuum(256)")

    def _change(self, what: str, values: tuple[Any, ...], which: str, keys: tuple[Any, ...]) -> bool:
        with self._transaction():
            done = self._db.execute(f"UPDATE entry SET {what} WHERE {which}", (*values, *keys))  # noqa: S608 -- ours
        return done.rowcount > 0

    def _entries(self, which: str, values: tuple[Any, ...], limit: int) -> list[Entry]:
        with _translated(self.folder):
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM entry WHERE {which} ORDER BY sequence LIMIT ?",  # noqa: S608 -- ours
                (*values, limit),
            ).fetchall()
        return [_entry(row) for row in rows]


def _spare(there: int, most: int) -> int:
    return there - most + int(most * _SLACK) if there > most else 0


def _entry(row: sqlite3.Row) -> Entry:
    values = dict(row)
    values["items"] = json.loads(values["items"])
    values["result"] = json.loads(values["result"]) if values["result"] else None
    values["multi_label"] = bool(values["multi_label"])
    values["state"], values["telling"] = State(values["state"]), Telling(values["telling"])
    return Entry(**values)


@contextmanager
def _translated(folder: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise OutboxError(f"The outbox in {folder} cannot be used: {error}.") from error
