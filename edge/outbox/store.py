"""The outbox on disk: one SQLite database. Every method is one transaction, durable when it returns.

WAL with ``synchronous=FULL``: a commit is on the disk before it is acknowledged. Ages and waits are counted in steady
seconds (`edge.clock`), kept in the database, so that no jump of the wall clock makes an entry old. Used from one
thread; other processes (`edge outbox`) may open the same file beside it.

What is beyond the quota goes, the least valuable first (`edge.outbox.eviction`). Where the disk is nearly full
(`edge.outbox.disk`) entries that are done with make room, and where there are none nothing new is taken: what was
acknowledged goes for the quota alone.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from edge.clock import Reading, SteadyClock
from edge.errors import EntryUnreadable, OutboxError, OutboxFull
from edge.frame_key import digest_of, frame_key
from edge.outbox.disk import Disk
from edge.outbox.entry import Entry, Receipt, State, Telling
from edge.outbox.eviction import Candidate, to_evict
from edge.outbox.schema import LACKS, VERSION
from edge.outbox.seal import NoSeal, Seal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from edge.outbox.entry import NewEntry

FILE_NAME = "outbox.sqlite3"
_BUSY_MS = 5_000
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600  # frames may show people
_SLACK = 0.05
"""Share of the quota that an eviction frees beyond the need: it looks at every entry, 40 ms at 10,000 of them, and must
not be done anew for every frame."""
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_LOG_PAGES = 1_000
_VACUUM_PAGES = 4_096

_COLUMNS = ", ".join(Entry.__slots__)
_RANK = (
    f"CASE WHEN state = '{State.SETTLED}' AND telling NOT IN ('{Telling.DUE}', '{Telling.GIVEN_UP}') THEN 0"
    f" WHEN state = '{State.SETTLED}' THEN 1"
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
        self._refused_bytes = 0
        file = folder / FILE_NAME
        if not create and not file.is_file():
            raise OutboxError(f"There is no outbox in {folder}.")
        try:
            folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            if create:  # SQLite gives its log the database's mode
                os.close(os.open(file, os.O_CREAT | os.O_RDWR, _FILE_MODE))
                with suppress(PermissionError):  # another user's, who lets us write it
                    file.chmod(_FILE_MODE)
            self._db = sqlite3.connect(
                file, isolation_level=None, timeout=_BUSY_MS / 1000, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise OutboxError(f"The outbox in {folder} cannot be opened: {error}.") from error
        self._db.row_factory = sqlite3.Row
        try:
            with _translated(folder):
                self._prepare()
                self._disk = Disk(file)
                self._bound_the_log()
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

    @property
    def moved(self) -> bool:
        """Whether somebody has taken the file away: what is kept in it now would be lost."""
        return self._disk.moved

    @property
    def is_tight(self) -> bool:
        """Whether the disk has no room for what it refused last."""
        file_bytes = self._pragma("page_count") * self._pragma("page_size")
        return self._disk.is_tight(file_bytes + self._refused_bytes, self._refused_bytes)

    def put(self, entries: Sequence[NewEntry]) -> list[Receipt]:
        """Keep frames; on disk when this returns. What is beyond the quota goes, the new ones not excepted.

        Raises:
            OutboxFull: the disk has no room for them.
            OutboxError: it cannot be written.
        """
        with self._transaction():
            now, pages = self._clock(), self._pragma("page_count")
            known = [self._put(entry, now) for entry in entries]
            self._drop_old(now)
            self._keep_the_quota()
            self._spare_the_disk(pages)
            return [Receipt(key, self._holds(key), was_known) for key, was_known in known]

    def check(self) -> None:
        """Write a little; raises ``OutboxError`` where the disk takes nothing."""
        with self._transaction():
            pass  # each transaction writes the clock

    def tidy(self) -> int:
        """Drop what is too old, though nothing new comes; returns how many went."""
        with self._transaction():
            gone = self._drop_old(self._clock())
        if gone:
            self._give_back()
        return gone

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

    def resolve(self, key: str, result: Mapping[str, Any]) -> bool:
        """Store the online model's answer; ``False`` where the entry does not wait any more."""
        telling = Telling.DUE if self.quota.tell else Telling.NONE
        said = json.dumps(result)
        return self._change(
            "state = ?, result = ?, settled = ?, fault = NULL, telling = ?, not_before = 0, size = size + ?",
            (State.SETTLED, said, time.time(), telling, len(said)),
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
        return self._change(
            "telling = ?", (Telling.TOLD,), "key = ? AND telling = ?", (key, Telling.DUE)
        )

    def postpone_telling(self, key: str, seconds: float, *, give_up: bool) -> bool:
        """The webhook did not take it: try later, or no more."""
        return self._change(
            "telling = ?, telling_attempts = telling_attempts + 1, not_before = ?",
            (Telling.GIVEN_UP if give_up else Telling.DUE, self._clock() + seconds),
            "key = ? AND telling = ?",
            (key, Telling.DUE),
        )

    def entries(
        self, *, state: State | None = None, after: int = 0, limit: int = 100
    ) -> list[Entry]:
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
                "UPDATE entry SET telling = ?, telling_attempts = 0, not_before = 0 WHERE telling = ?"
                + some,  # noqa: S608 -- ours
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
        self._give_back()
        return len(rows)

    def counts(self) -> dict[str, int]:
        """Entries by state, ``bytes`` in all, ``untold`` results, and entries whose telling was ``given_up``."""
        with _translated(self.folder):
            tally = self._db.execute("SELECT state, telling, entries, bytes FROM tally").fetchall()
        return {
            **{
                state: sum(row["entries"] for row in tally if row["state"] == state)
                for state in State
            },
            "bytes": sum(row["bytes"] for row in tally),
            "untold": sum(row["entries"] for row in tally if row["telling"] == Telling.DUE),
            "given_up": sum(row["entries"] for row in tally if row["telling"] == Telling.GIVEN_UP),
        }

    def _prepare(self) -> None:
        self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version in LACKS:
            done = f"PRAGMA user_version = {VERSION}"
            self._db.executescript(f"BEGIN IMMEDIATE; {LACKS[version]} {done}; COMMIT;")
        elif version != VERSION:
            raise OutboxError(
                f"The outbox in {self.folder} was written by another version of edge."
            )

    def _bound_the_log(self) -> None:
        """On a small disk SQLite's log, which takes up to 4 MiB by default, is kept within half of the reserve."""
        page, half = self._pragma("page_size"), self._disk.reserve // 2
        self._db.execute(f"PRAGMA wal_autocheckpoint = {max(min(half // page, _LOG_PAGES), 1)}")
        self._db.execute(f"PRAGMA journal_size_limit = {half}")

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])

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
        self._db.execute(
            "INSERT OR REPLACE INTO clock VALUES (1, ?, ?, ?, ?)",
            (steady, *asdict(reading).values()),
        )

    def _put(self, entry: NewEntry, now: float) -> tuple[str, bool]:
        digest = digest_of(entry.image)
        key = frame_key(digest, entry.model)
        if self.quota.images:  # what was kept without its image begins anew with it
            self._db.execute("DELETE FROM entry WHERE key = ? AND state = ?", (key, State.RECORD))
        if self._db.execute("UPDATE entry SET seen = seen + 1 WHERE key = ?", (key,)).rowcount:
            return key, True
        items = json.dumps(list(entry.items))
        stored = self._seal.close(entry.image, key) if self.quota.images else b""
        size = len(stored) + len(items)
        if size > self.quota.max_bytes:  # all others would have to go, and then it
            return key, False
        values = {
            "key": key,
            "digest": digest,
            **{
                name: getattr(entry, name)
                for name in type(entry).__slots__
                if name not in {"image", "items"}
            },
            "items": items,
            "size": size,
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

    def _drop_old(self, now: float) -> int:
        old = self._db.execute(
            "SELECT sequence FROM entry WHERE born < ?", (now - self.quota.max_age_s,)
        ).fetchall()
        self._drop([row["sequence"] for row in old])
        return len(old)

    def _keep_the_quota(self) -> None:
        used, entries = self._sums()
        quota = self.quota
        if used > quota.max_bytes or entries > quota.max_entries:
            self._evict(_spare(used, quota.max_bytes), _spare(entries, quota.max_entries))

    def _spare_the_disk(self, pages: int) -> None:
        """Where the disk is nearly full, see to it that the file, which had so many pages, has not grown.

        Raises:
            OutboxFull: there is nothing in it that may go.
        """
        page, grown = self._pragma("page_size"), self._pragma("page_count") - pages
        if grown <= 0 or not self._disk.is_tight(self._pragma("page_count") * page, grown * page):
            return
        self._evict(grown * page + int(self._sums()[0] * _SLACK), 0, "rank = 0")
        self._vacuum(grown)
        if self._pragma("page_count") > pages:
            self._refused_bytes = grown * page
            raise OutboxFull(
                f"The disk of the outbox in {self.folder} is full. Its last {self._disk.reserve:,} bytes stay free, so "
                "that entries can still be settled and dropped."
            )

    def _sums(self) -> tuple[int, int]:
        """Bytes and entries in all."""
        sums = "SELECT COALESCE(SUM(bytes), 0), COALESCE(SUM(entries), 0) FROM tally"
        used, entries = self._db.execute(sums).fetchone()
        return used, entries

    def _evict(self, spare_bytes: int, spare_entries: int, which: str = "TRUE") -> None:
        rows = self._db.execute(
            f"SELECT sequence, {_RANK} AS rank, confidence, label, size FROM entry WHERE {which}"
        )  # noqa: S608 -- ours
        candidates = (Candidate(**dict(row)) for row in rows)
        self._drop(to_evict(candidates, spare_bytes=spare_bytes, spare_entries=spare_entries))

    def _drop(self, sequences: Sequence[int]) -> None:
        if not sequences:
            return
        rows = [(sequence,) for sequence in sequences]
        self._db.executemany(
            "DELETE FROM image WHERE key = (SELECT key FROM entry WHERE sequence = ?)", rows
        )
        self._db.executemany("DELETE FROM entry WHERE sequence = ?", rows)

    def _vacuum(self, pages: int) -> None:
        for _ in range(
            pages
        ):  # Python takes but one step of it, whatever number it is given: a page
            self._db.execute("PRAGMA incremental_vacuum(1)")

    def _give_back(self) -> None:
        """What is free inside the file goes back to the disk, in parts: others may write between them."""
        with (
            suppress(OutboxError),
            _translated(self.folder),
        ):  # it has room inside the file all the same
            part = max(min(self._disk.reserve // 4 // self._pragma("page_size"), _VACUUM_PAGES), 1)
            while free := self._pragma("freelist_count"):
                with self._transaction():
                    self._vacuum(min(free, part))
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _change(
        self, what: str, values: tuple[Any, ...], which: str, keys: tuple[Any, ...]
    ) -> bool:
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
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest of it tells details
        kind = OutboxFull if code == sqlite3.SQLITE_FULL else OutboxError
        remedy = f" Move {FILE_NAME}* away, and a new one is made." if code in _DAMAGED else ""
        raise kind(f"The outbox in {folder} cannot be used: {error}.{remedy}") from error
    except OSError as error:
        raise OutboxError(f"The outbox in {folder} cannot be used: {error}.") from error
