"""The outbox's tables, and how a database of an earlier version gets what it lacks."""

from __future__ import annotations

VERSION = 2

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
    blocked_by TEXT NOT NULL,
    items TEXT NOT NULL,
    confidence REAL NOT NULL,
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

LACKS = {0: _SCHEMA + _TALLY, 1: _TALLY}
"""What a database of another version lacks; a new one has version 0."""
