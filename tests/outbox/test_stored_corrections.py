"""A person's corrections in the outbox: kept, never sent, bounded, and kept on upgrade."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace

import pytest
from builders.outbox import KEY, RESULT, Cloud, entry, forward, frame, put
from builders.outbox_version_3 import SCHEMA as SCHEMA_3

from edge.errors import OutboxError
from edge.outbox.corrections import Held, surplus
from edge.outbox.database import FILE_NAME, Database
from edge.outbox.describe import entry_json
from edge.outbox.encryption import AesGcmEncryption
from edge.outbox.entry import Correction, Delivery, EntryState
from edge.outbox.schema import VERSION
from edge.outbox.space import Quota
from edge.outbox.store import Store


def corrected(name, label="rose", by="wall", **how):
    return replace(frame(name, **how), correction=Correction(label, by), reason="", blocked_by="")


def correct(store, name, label="rose", by="wall", **how):
    (receipt,) = store.put([corrected(name, label, by, **how)])
    return receipt


def test_a_correction_is_stored_with_who_and_when_and_its_image(open_store):
    store = open_store()
    receipt = correct(store, "a", "rose", "kiosk-1")
    stored = store.get(receipt.key)
    assert (receipt.kept, receipt.known, stored.state) == (True, False, EntryState.CORRECTED)
    assert (stored.correction, stored.corrected_by) == ("rose", "kiosk-1")
    assert stored.created - 1 <= stored.corrected <= stored.created + 60
    assert store.image(receipt.key).startswith(b"a")
    shown = entry_json(stored)["correction"]
    assert (shown["label"], shown["by"]) == ("rose", "kiosk-1")
    assert shown["at"].startswith("20")


def test_what_shows_none_of_the_labels_has_a_correction_without_one(open_store):
    store = open_store()
    receipt = correct(store, "a", "", "")
    shown = entry_json(store.get(receipt.key))["correction"]
    assert (shown["label"], shown["by"]) == (None, None)


def test_an_entry_that_nobody_corrected_says_so(open_store):
    store = open_store()
    (key,) = put(store, "a")
    assert entry_json(store.get(key))["correction"] is None


@pytest.mark.parametrize("first", ["waiting", "dead_letter"])
def test_a_correction_takes_an_entry_away_from_the_cloud(open_store, first):
    store = open_store()
    (key,) = put(store, "a")
    if first == "dead_letter":
        store.dead_letter(key, "refused")
    assert correct(store, "a").key == key
    stored = store.get(key)
    assert (stored.state, stored.label, stored.reason) == (
        EntryState.CORRECTED,
        "daisy",
        "low_score",
    )
    assert store.due(10) == []
    assert store.retry() == 0
    counts = store.counts()
    assert (counts["corrected"], counts["waiting"], counts["dead_letter"]) == (1, 0, 0)


def test_a_resolved_entry_keeps_the_clouds_answer_and_its_delivery(open_store):
    store = open_store(deliver=True)
    (key,) = put(store, "a")
    store.resolve(key, RESULT)
    correct(store, "a")
    stored = store.get(key)
    assert (stored.state, stored.webhook) == (EntryState.RESOLVED, Delivery.PENDING)
    assert (stored.result, stored.correction) == (RESULT, "rose")


def test_an_answer_that_was_under_way_is_kept_since_it_is_paid_for(open_store):
    store = open_store()
    (key,) = put(store, "a")
    correct(store, "a")
    assert store.resolve(key, RESULT)
    assert (store.get(key).result, store.get(key).correction) == (RESULT, "rose")


def test_the_same_frame_later_does_not_undo_a_correction(open_store):
    store = open_store()
    key = correct(store, "a").key
    assert put(store, "a") == [key]
    stored = store.get(key)
    assert (stored.state, stored.correction, stored.times_seen) == (
        EntryState.CORRECTED,
        "rose",
        2,
    )


def test_a_double_tap_is_one_correction_and_changes_nothing(open_store):
    store = open_store()
    first = correct(store, "a")
    before = store.get(first.key)
    again = correct(store, "a")
    assert (again.key, again.kept, again.known) == (first.key, True, True)
    assert store.get(first.key) == before
    both = store.put([corrected("b"), corrected("b")])
    assert both[0].key == both[1].key
    assert len(store.entries()) == 2


def test_another_correction_replaces_the_first(open_store):
    store = open_store()
    key = correct(store, "a", "rose", "wall").key
    correct(store, "a", "tulip", "kiosk-1")
    stored = store.get(key)
    assert (stored.correction, stored.corrected_by) == ("tulip", "kiosk-1")


def test_the_forwarder_never_sends_a_corrected_frame(outbox):
    key = outbox.put(corrected("a")).result(10).key
    waiting = outbox.put(frame("b")).result(10).key
    cloud = Cloud()
    forward(outbox, cloud, steps=3)
    assert cloud.asked == ["b"]
    assert entry(outbox, key).state is EntryState.CORRECTED
    assert entry(outbox, waiting).state is EntryState.RESOLVED


@pytest.mark.parametrize("damage", ["DELETE FROM image", "UPDATE entry SET items = 'x'"])
def test_a_damaged_entry_gives_way_to_the_frame_that_comes_with_a_correction(open_store, damage):
    store = open_store()
    (key,) = put(store, "a")
    store._database.execute(damage)
    assert correct(store, "a").key == key
    stored = store.get(key)
    assert (stored.damaged, stored.state) == (False, EntryState.CORRECTED)
    assert store.image(key).startswith(b"a")


def test_a_damaged_correction_that_is_retried_is_not_sent(open_store):
    store = open_store()
    key = correct(store, "a").key
    store._database.execute("UPDATE entry SET attempts = 'x'")
    assert store.get(key).state is EntryState.DEAD_LETTER
    store._database.execute("UPDATE entry SET attempts = 0")
    store.retry()
    assert store.get(key).state is EntryState.CORRECTED
    assert store.due(10) == []


def test_a_corrected_state_without_a_correction_is_damage(open_store):
    store = open_store()
    key = correct(store, "a").key
    store._database.execute("UPDATE entry SET correction = NULL")
    assert store.get(key).state is EntryState.DEAD_LETTER
    assert "without a correction" in store.get(key).fault


def test_images_of_corrections_are_encrypted_as_others_are(open_store, tmp_path):
    store = open_store(encryption=AesGcmEncryption(KEY))
    key = correct(store, "a").key
    assert store.image(key).startswith(b"a")
    assert b"a......" not in (tmp_path / FILE_NAME).read_bytes()


# The bound


def test_corrections_stay_when_the_outbox_is_full(open_store):
    store = open_store(Quota(max_bytes=1 << 20, max_entries=10))
    keys = {correct(store, name, confidence=1.0).key for name in "abc"}
    put(store, *"defghijklmnopq", confidence=0.1)
    left = {one.key for one in store.entries()}
    assert keys <= left
    assert len(left) <= 10


def test_corrections_take_at_most_half_of_the_quota(open_store):
    store = open_store(Quota(max_bytes=1 << 20, max_entries=10))
    kept = put(store, "v", "w", "x", "y", "z")
    for name in "abcdefghijklmno":
        assert correct(store, name).kept
    left = {one.key for one in store.entries()}
    assert set(kept) <= left
    assert store.counts()["corrected"] == 5
    big = open_store(Quota(max_bytes=2_000, max_entries=100))
    for name in "pqrstuvwxyz":
        correct(big, name, size=150)
    assert sum(one.size for one in big.entries() if one.correction) <= 1_000


def test_who_corrects_without_end_displaces_only_himself(open_store):
    store = open_store(Quota(max_bytes=1 << 20, max_entries=10))
    mine = correct(store, "a", by="ann").key
    for number in range(30):
        correct(store, f"flood {number}", by="mallory")
    assert store.get(mine) is not None


def test_a_correction_larger_than_the_bound_is_not_said_to_be_kept(open_store):
    store = open_store(Quota(max_bytes=1_000, max_entries=10))
    assert not correct(store, "a", size=700).kept


@pytest.mark.parametrize(
    ("held", "excess_bytes", "excess_entries", "dropped"),
    [
        ([], 5, 5, []),
        ([Held(1, "a", 10)], 0, 0, []),
        ([Held(1, "a", 10), Held(2, "b", 30)], 1, 0, [2]),  # most bytes
        ([Held(1, "a", 10), Held(2, "b", 30), Held(3, "a", 10)], 0, 1, [1]),  # most entries
        ([Held(1, "a", 10), Held(2, "a", 10), Held(3, "b", 15)], 20, 0, [1, 3]),
        ([Held(1, "a", 10), Held(2, "b", 10)], 100, 0, [1, 2]),
        ([Held(1, "", 10), Held(2, "", 10)], -5, 1, [1]),  # without keys: the oldest
    ],
)
def test_the_holder_of_most_loses_the_oldest(held, excess_bytes, excess_entries, dropped):
    found = surplus(held, excess_bytes=excess_bytes, excess_entries=excess_entries)
    assert found == dropped


# Upgrade


def old_database(folder):
    """An outbox of version 3 with a waiting, a resolved and a damaged entry."""
    database = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
    database.executescript(f"BEGIN; {SCHEMA_3} PRAGMA user_version = 3; COMMIT;")
    for number, (state, result) in enumerate([("waiting", None), ("resolved", '{"model": "far"}')]):
        database.execute(
            "INSERT INTO entry (key, digest, task, model, version, model_digest, camera, reason,"
            " blocked_by, items, confidence, label, multi_label, size, created, created_steady_s,"
            " state, result, resolved)"
            " VALUES (?, 'd', 'classification', 'm', 1, 'd', 'cam', 'low_score', '', '[]', 0.5,"
            " 'daisy', 0, 7, 1e9, 0, ?, ?, ?)",
            (f"k{number}", state, result, 1e9 if result else None),
        )
        database.execute("INSERT INTO image VALUES (?, ?)", (f"k{number}", b"picture"))
    database.close()


def test_an_outbox_of_the_version_before_is_kept(tmp_path):
    old_database(tmp_path)
    store = Store(tmp_path)
    try:
        states = {one.key: (one.state, one.correction) for one in store.entries()}
        assert states == {"k0": ("waiting", None), "k1": ("resolved", None)}
        assert store.image("k0") == b"picture"
        assert [one.key for one in store.due(10)] == ["k0"]
        receipt = correct(store, "new")
        assert store.get(receipt.key).correction == "rose"
        assert store.counts()["corrected"] == 1
    finally:
        store.close()
    again = Store(tmp_path)
    assert again._database.pragma("user_version") == VERSION
    assert len(again.entries()) == 3
    again.close()


def test_an_upgrade_that_fails_half_way_leaves_the_old_database(tmp_path, monkeypatch):
    old_database(tmp_path)
    broken = {3: ("ALTER TABLE entry ADD COLUMN x TEXT", "ALTER TABLE nothing ADD COLUMN x TEXT")}
    monkeypatch.setattr("edge.outbox.database.MIGRATIONS", broken)
    with pytest.raises(OutboxError):
        Database(tmp_path)
    monkeypatch.undo()
    database = Database(tmp_path)
    assert database.pragma("user_version") == VERSION
    upgraded = columns(database)
    database.close()
    (tmp_path / "new").mkdir()
    new = Database(tmp_path / "new")
    assert upgraded == columns(new)
    new.close()


def columns(database):
    """Every table's columns and every index, as SQLite has them."""
    tables = database.fetch_all("SELECT name FROM sqlite_schema WHERE type = 'table'")
    found = {
        row["name"]: {tuple(one)[1:] for one in database.fetch_all(f"PRAGMA table_info({row[0]})")}
        for row in tables
    }
    indices = database.fetch_all("SELECT name, tbl_name FROM sqlite_schema WHERE type = 'index'")
    return found, {tuple(one) for one in indices}


def test_of_two_processes_that_upgrade_the_second_finds_it_done(tmp_path, monkeypatch):
    old_database(tmp_path)
    first = Database(tmp_path)
    second = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    second.row_factory = sqlite3.Row
    monkeypatch.setattr(first, "_connection", second)
    assert first._migrate() == VERSION  # as if it had read the version before the other wrote
    second.close()


def test_a_service_of_the_version_before_goes_on_with_the_upgraded_file(tmp_path):
    old_database(tmp_path)
    still_open = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    Store(tmp_path).close()
    still_open.execute(
        "INSERT INTO entry (key, digest, task, model, version, model_digest, camera, reason,"
        " blocked_by, items, confidence, label, multi_label, size, created, created_steady_s,"
        " state) VALUES ('k9', 'd', 'classification', 'm', 1, 'd', '', '', '', '[]', 0, '', 0, 7,"
        " 1e9, 0, 'waiting')"
    )
    still_open.close()
    store = Store(tmp_path)
    assert store.get("k9").correction is None
    store.close()


def test_the_queue_takes_corrections_in_their_order(outbox):
    futures = [outbox.put(corrected("a", label)) for label in ("rose", "tulip", "lily")]
    (key,) = {asyncio.run(_result(future)).key for future in futures}
    assert entry(outbox, key).correction == "lily"


async def _result(future):
    return await asyncio.wrap_future(future)
