"""Damages an outbox on disk from outside, as another program or a failing disk does."""

from __future__ import annotations

import sqlite3

from edge.outbox.database import FILE_NAME

HUGE = 2**63 - 1
VALUES = [
    None, 0, 1, -1, HUGE, -HUGE - 1, 0.5, -1e300, 1e300, float("inf"), float("-inf"),
    "", "word", "é" * 10, "-1", "1e999", "[" * 5_000, "[1]", "{}", "null", '[{"label": 5}]',
    '{"predictions": 5}', '[{"label": "a", "score": 1' + "0" * 5_000 + "}]", "\x1b]52;c;aGk=\x07",
    b"", b"\xff\xfe", b"\x00" * 100, "waiting", "resolved", "pending", "none",
]  # fmt: skip
"""One of every type that SQLite knows, and texts that nearly mean something."""


def damage(folder, sql, values=()):
    """Change the database past every rule of its own, over another connection."""
    connection = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    stripped = "replace(replace(sql, ' NOT NULL', ''), ' UNIQUE', '       ')"
    connection.execute(
        f"UPDATE sqlite_schema SET sql = {stripped} WHERE name IN ('image', 'clock', 'tally')"
    )
    connection.execute(
        "UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '') WHERE name = 'entry'"
    )
    version = connection.execute("PRAGMA schema_version").fetchone()[0]
    connection.execute(f"PRAGMA schema_version = {version + 1}")
    connection.close()

    connection = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    # Damage knows no triggers either.
    triggers = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
    ).fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(sql, values)
    for _, trigger in triggers:
        connection.execute(trigger)
    connection.close()


def damage_text(folder, column, key):
    """Leave bytes in a column of text that are not UTF-8."""
    damage(folder, f"UPDATE entry SET {column} = CAST(X'c328ff' AS TEXT) WHERE key = ?", (key,))


def break_page(folder, marker):
    """Overwrite the page of the database that holds these bytes; no process may have it open."""
    file = folder / FILE_NAME
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    content = bytearray(file.read_bytes())
    at = content.index(marker)
    start = at // size * size
    content[start : start + size] = b"\xff" * size
    file.write_bytes(content)
