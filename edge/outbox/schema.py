"""The outbox's tables."""

from __future__ import annotations

VERSION = 4
"""SQLite's ``user_version`` of a database with these tables. A new database has version 0."""

SCHEMA = """
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
    times_seen INTEGER NOT NULL DEFAULT 1,
    created REAL NOT NULL,
    created_steady_s REAL NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    fault TEXT,
    result TEXT,
    resolved REAL,
    webhook TEXT NOT NULL DEFAULT 'none',
    webhook_attempts INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0,
    correction TEXT,
    corrected_by TEXT NOT NULL DEFAULT '',
    corrected REAL
);
CREATE INDEX entry_by_order ON entry (state, sequence, not_before);
CREATE INDEX entry_by_webhook ON entry (webhook, not_before);
CREATE INDEX entry_by_age ON entry (created_steady_s);
CREATE INDEX entry_by_correction ON entry (corrected_by, size) WHERE correction NOT NULL;
CREATE TABLE image (key TEXT PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE clock (
    one INTEGER PRIMARY KEY CHECK (one = 1), steady REAL, boot TEXT, since_boot REAL, wall REAL
);
CREATE TABLE tally (
    state TEXT NOT NULL, webhook TEXT NOT NULL, entries INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (state, webhook)
) WITHOUT ROWID;
CREATE TRIGGER tally_on_insert AFTER INSERT ON entry BEGIN
    INSERT INTO tally VALUES (NEW.state, NEW.webhook, 1, NEW.size)
    ON CONFLICT (state, webhook)
    DO UPDATE SET entries = entries + 1, bytes = bytes + NEW.size;
END;
CREATE TRIGGER tally_on_delete AFTER DELETE ON entry BEGIN
    UPDATE tally SET entries = entries - 1, bytes = bytes - OLD.size
    WHERE state = OLD.state AND webhook = OLD.webhook;
END;
CREATE TRIGGER tally_on_update AFTER UPDATE OF state, webhook ON entry BEGIN
    UPDATE tally SET entries = entries - 1, bytes = bytes - OLD.size
    WHERE state = OLD.state AND webhook = OLD.webhook;
    INSERT INTO tally VALUES (NEW.state, NEW.webhook, 1, NEW.size)
    ON CONFLICT (state, webhook)
    DO UPDATE SET entries = entries + 1, bytes = bytes + NEW.size;
END;
"""
"""Times without ``steady`` in their name are wall clock, except ``not_before`` (steady seconds).

``tally`` holds the sums, kept up to date by triggers: they are needed with every frame, and
counting the entries each time takes milliseconds.
"""

MIGRATIONS = {
    3: (
        "ALTER TABLE entry ADD COLUMN correction TEXT",
        "ALTER TABLE entry ADD COLUMN corrected_by TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE entry ADD COLUMN corrected REAL",
        "CREATE INDEX entry_by_correction ON entry (corrected_by, size) WHERE correction NOT NULL",
    ),
}
"""Version to the statements that turn its tables into those of the next one.

They only add, so that a service of the version before, which may have the file open, goes on."""
