"""The outbox's SQLite file: one connection, its transactions, and the steady clock stored in it.

WAL with ``synchronous=FULL``: a commit is on disk before it is acknowledged. Used from one thread;
other processes (`edge outbox`) may open the same file at the same time.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from edge.clock import Reading, SteadyClock
from edge.errors import OutboxDamaged, OutboxError, OutboxFull
from edge.outbox.rows import read_text
from edge.outbox.schema import MIGRATIONS, SCHEMA, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FILE_NAME = "outbox.sqlite3"
_BUSY_MS = 5_000
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600  # frames may show people
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_ERRORS = {sqlite3.SQLITE_FULL: OutboxFull} | dict.fromkeys(_DAMAGED, OutboxDamaged)
"""SQLite's error code to ours; any other is an ``OutboxError``."""
_MAX_STEADY_S = 1e10
"""Three centuries: no outbox is older, in steady seconds."""


class Database:
    """One connection to the outbox's file. SQLite's exceptions leave it as ``OutboxError``.

    Attributes:
        folder: that holds the file.
        file: the database itself.
        clock: steady seconds. They continue across restarts, because every transaction stores them.
    """

    def __init__(
        self, folder: Path, *, create: bool = True, clock: SteadyClock | None = None
    ) -> None:
        """Open the database in ``folder``, or create it unless ``create`` is ``False``.

        Raises:
            OutboxError: it is missing, cannot be opened, or has another version.
        """
        self.folder = folder
        self.file = folder / FILE_NAME
        if not create and not self.file.is_file():
            raise OutboxError(f"There is no outbox in {folder}.")
        self._connection = self._connect(create=create)
        try:
            with self.translate_errors():
                self._prepare()
                self.clock = clock or self._stored_clock()
        except OutboxError:
            self._connection.close()
            raise

    def __repr__(self) -> str:
        return f"<Database {self.file}>"

    def close(self) -> None:
        """Close the connection."""
        with suppress(sqlite3.Error):
            self._connection.close()

    def execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run a statement inside the caller's `transaction` or `translate_errors`."""
        return self._connection.execute(sql, values)

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement once for each row of values, likewise."""
        self._connection.executemany(sql, rows)

    def fetch_all(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Read rows; outside a transaction too."""
        with self.translate_errors():
            return self._connection.execute(sql, values).fetchall()

    def pragma(self, name: str) -> int:
        """The value of one of SQLite's numeric settings or counters."""
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what is done within, or nothing of it. Durable on leaving.

        Raises:
            OutboxError: it cannot be written.
        """
        with self.translate_errors(), self._atomic():
            yield
            self._store_clock()

    @contextmanager
    def _atomic(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # SQLite has already rolled back if the disk is full
                self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Turn exceptions of SQLite and of the file system into ``OutboxError`` with a remedy."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the upper bits are details
            error_type = _ERRORS.get(code, OutboxError)
            remedy = f" Move {FILE_NAME}* away to start a new one." if code in _DAMAGED else ""
            message = f"The outbox in {self.folder} cannot be used: {error}.{remedy}"
            raise error_type(message) from error
        except OSError as error:
            raise OutboxError(f"The outbox in {self.folder} cannot be used: {error}.") from error

    def _connect(self, *, create: bool) -> sqlite3.Connection:
        try:
            self.folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            if create:  # SQLite gives its log the mode of the database
                os.close(os.open(self.file, os.O_CREAT | os.O_RDWR, _FILE_MODE))
                with suppress(PermissionError):  # another user's file that we may write
                    self.file.chmod(_FILE_MODE)
            connection = sqlite3.connect(
                self.file, isolation_level=None, timeout=_BUSY_MS / 1000, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise OutboxError(f"The outbox in {self.folder} cannot be opened: {error}.") from error
        connection.row_factory = sqlite3.Row
        connection.text_factory = read_text  # one text that is not UTF-8 must not fail the query
        return connection

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        version = self.pragma("user_version")
        if version in MIGRATIONS:
            version = self._migrate()
        if version == 0:
            self._connection.executescript(
                f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;"
            )
        elif version != VERSION:
            raise OutboxError(
                f"The outbox in {self.folder} was written by another version of edge: its format "
                f"is {version}, this one reads {VERSION}. "
                f"Move {FILE_NAME}* away to start a new one."
            )

    def _migrate(self) -> int:
        """Bring tables of an earlier version up to date, in one transaction; their new version."""
        with self._atomic():
            # Another process may have been faster: only now is nobody else writing.
            version = self.pragma("user_version")
            while version in MIGRATIONS:
                for statement in MIGRATIONS[version]:
                    self.execute(statement)
                version += 1
                self.execute(f"PRAGMA user_version = {version}")
        return version

    def _stored_clock(self) -> SteadyClock:
        row = self.execute("SELECT steady, boot, since_boot, wall FROM clock").fetchone()
        if row is not None and isinstance(row["boot"], str):
            numbers = [row["steady"], row["since_boot"], row["wall"]]
            if all(map(_is_steady, numbers)):
                steady, since_boot, wall = numbers
                return SteadyClock(steady, Reading(row["boot"], since_boot, wall))
        return SteadyClock(self._newest_entry_s())

    def _newest_entry_s(self) -> float:
        """Steady seconds of the newest entry: where the clock stood if its own row is lost."""
        row = self.execute(
            "SELECT created_steady_s FROM entry ORDER BY sequence DESC LIMIT 1"
        ).fetchone()
        return row[0] if row is not None and _is_steady(row[0]) else 0.0

    def _store_clock(self) -> None:
        steady, reading = self.clock.mark()
        self.execute(
            "INSERT OR REPLACE INTO clock VALUES (1, ?, ?, ?, ?)",
            (steady, *asdict(reading).values()),
        )


def _is_steady(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value <= _MAX_STEADY_S
