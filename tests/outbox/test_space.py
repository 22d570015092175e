"""The room that the outbox takes: quota, expiry, the reserve of its disk, and its files."""

from __future__ import annotations

import os

import pytest
from builders.outbox import frame, put

from edge.errors import OutboxFull
from edge.outbox.database import FILE_NAME
from edge.outbox.disk import Disk
from edge.outbox.entry import EntryState
from edge.outbox.space import Quota

RESULT = {"predictions": []}


def test_too_many_bytes_drop_the_surest_and_keep_the_rest(open_store):
    store = open_store(Quota(max_bytes=1_600))
    for confidence in (0.9, 0.2, 0.6, 0.3, 0.95, 0.1):
        put(store, f"{confidence}", confidence=confidence, label=f"label {confidence}", size=300)
    kept = {entry.confidence for entry in store.entries()}
    assert 0.9 not in kept
    assert {0.1, 0.2, 0.3} <= kept
    assert store.counts()["bytes"] <= 1_600


def test_the_receipt_says_when_a_frame_is_less_valuable_than_all_others(open_store):
    store = open_store(Quota(max_entries=2))
    put(store, "a", confidence=0.1, label="x")
    put(store, "b", confidence=0.2, label="y")
    (receipt,) = store.put([frame("c", confidence=0.99, label="z")])
    assert not receipt.kept
    assert {entry.confidence for entry in store.entries()} == {0.1, 0.2}


def test_an_entry_expires_by_time_of_service(open_store, clocks):
    store = open_store(Quota(max_age_s=1_000))
    put(store, "a")
    clocks.pass_by(999)
    put(store, "b")
    assert len(store.entries()) == 2
    clocks.pass_by(2)
    put(store, "c")
    assert [store.image(entry.key)[:1] for entry in store.entries()] == [b"b", b"c"]


def test_purging_gives_space_back_to_the_disk(open_store, tmp_path):
    store = open_store()
    put(store, *(f"{number}" for number in range(20)), size=100_000)
    assert size_on_disk(tmp_path) > 2_000_000
    store.purge(states=[EntryState.WAITING])
    assert size_on_disk(tmp_path) < 200_000


def size_on_disk(folder):
    return sum(file.stat().st_size for file in folder.glob(f"{FILE_NAME}*"))


def test_an_expired_entry_is_dropped_even_if_nothing_new_comes(open_store, clocks, tmp_path):
    store = open_store(Quota(max_age_s=1_000))
    put(store, *(f"{number}" for number in range(20)), size=100_000)
    clocks.pass_by(500)
    put(store, "young")
    assert store.drop_expired() == 0
    clocks.pass_by(501)
    assert store.drop_expired() == 20
    assert [store.image(entry.key)[:5] for entry in store.entries()] == [b"young"]
    assert size_on_disk(tmp_path) < 200_000


@pytest.fixture
def tight_disk(monkeypatch):
    """A disk with room for the file to have so many bytes."""
    room = [400_000]
    monkeypatch.setattr(
        Disk, "is_tight", lambda _, file_bytes, grown_bytes: file_bytes + grown_bytes > room[0]
    )
    return room


def test_a_nearly_full_disk_takes_nothing_new_and_keeps_what_was_acknowledged(
    open_store, tight_disk
):
    store = open_store()
    keys = fill(store)
    assert len(keys) > 5
    with pytest.raises(OutboxFull, match="full"):
        put(store, "more", size=30_000, confidence=0.0)
    assert [entry.key for entry in store.entries()] == keys
    assert store.resolve(keys[0], RESULT)


def fill(store):
    """Put frames until there is no more room; the keys of those that were taken."""
    keys = []
    while len(keys) < 100:
        try:
            keys += put(store, f"{len(keys)}", size=30_000)
        except OutboxFull:
            return keys
    raise AssertionError


def test_resolved_entries_make_room_on_a_nearly_full_disk(open_store, tight_disk, tmp_path):
    store = open_store()
    keys = fill(store)
    full = store._database.pragma("page_count")
    for key in keys[:3]:
        store.resolve(key, RESULT)
    new = put(store, "x", size=30_000) + put(store, "y", size=30_000)
    with pytest.raises(OutboxFull):
        put(store, *"abcdef", size=30_000)
    assert store._database.pragma("page_count") <= full
    there = {entry.key for entry in store.entries()}
    assert there >= {*keys[3:], *new}
    assert not there >= set(keys[:3])


def test_the_reserve_is_a_share_of_a_small_disk_and_no_more_than_needed_of_a_large_one(
    tmp_path, monkeypatch
):
    (tmp_path / "file").write_bytes(bytes(4_096))
    there = os.statvfs(tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda _: there)
    disk = Disk(tmp_path / "file")
    assert disk.reserve == min(there.f_blocks * there.f_frsize // 8, 16 << 20)
    free = there.f_bavail * there.f_frsize
    assert not disk.is_tight(4_096, free - disk.reserve)
    assert disk.is_tight(4_096, free - disk.reserve + 1)
    assert disk.is_tight(
        8_192, free - disk.reserve
    )  # the log holds what has not come into the file yet


def test_a_file_that_was_moved_away_is_noticed(open_store, tmp_path):
    store = open_store()
    assert not store.moved
    (tmp_path / FILE_NAME).rename(tmp_path / "elsewhere")
    assert store.moved
    (tmp_path / FILE_NAME).write_bytes(b"another")
    assert store.moved


def test_a_frame_larger_than_the_quota_drops_nothing_for_itself(open_store):
    store = open_store(Quota(max_bytes=5_000))
    keys = put(store, "a", "b", "c", size=1_000)
    (receipt,) = store.put([frame("large", size=6_000, confidence=0.0, label="rare")])
    assert not receipt.kept
    assert [entry.key for entry in store.entries()] == keys


def test_a_disk_stays_tight_until_it_has_room_for_what_it_refused(open_store, tight_disk):
    store = open_store()
    fill(store)
    assert store.is_tight
    tight_disk[0] += 200_000
    assert not store.is_tight


def test_a_failed_delivery_is_evicted_after_a_successful_one(open_store):
    store = open_store(Quota(max_entries=2), deliver=True)
    failed, delivered = put(store, "a", "b")
    for key in (failed, delivered):
        store.resolve(key, RESULT)
    store.postpone_delivery(failed, 0, give_up=True)
    store.mark_delivered(delivered)
    put(store, "c")
    assert store.get(delivered) is None
    assert store.get(failed) is not None


def test_an_eviction_frees_more_than_it_needs(open_store):
    store = open_store(Quota(max_entries=40))
    put(store, *(f"{number}" for number in range(41)))
    assert (
        store.counts()[EntryState.WAITING] == 38
    )  # else each further frame would have every entry looked at


def test_an_entry_expires_at_its_maximum_age_and_not_before(open_store, clocks):
    store = open_store(Quota(max_age_s=1_000))
    put(store, "a")
    clocks.pass_by(1_000)
    assert store.drop_expired() == 0
    clocks.pass_by(0.5)
    assert store.drop_expired() == 1
    assert store.entries() == []


@pytest.mark.parametrize("state", [EntryState.RESOLVED, EntryState.DEAD_LETTER])
def test_an_entry_expires_in_any_state(open_store, clocks, state):
    store = open_store(Quota(max_age_s=1_000), deliver=True)
    (key,) = put(store, "a")
    store.resolve(key, RESULT) if state is EntryState.RESOLVED else store.dead_letter(
        key, "refused"
    )
    clocks.pass_by(1_001)
    assert store.drop_expired() == 1
    assert store.counts()["bytes"] == 0


def test_delivered_resolved_and_dead_entries_go_before_waiting_ones_whatever_their_value(
    open_store,
):
    store = open_store(Quota(max_entries=4), deliver=True)
    delivered, pending, dead, waiting = (
        put(store, name, confidence=0.1 * n, label=name)[0] for n, name in enumerate("abcd")
    )
    for key in (delivered, pending):
        store.resolve(key, RESULT)
    store.mark_delivered(delivered)
    store.dead_letter(dead, "refused")
    gone = []
    for number in range(3):
        put(store, f"{number}", confidence=0.0, label=f"{number}")
        gone += [
            key
            for key in (delivered, pending, dead, waiting)
            if store.get(key) is None and key not in gone
        ]
    assert gone == [delivered, pending, dead]


def test_each_frame_of_a_batch_beyond_the_quota_gets_its_own_receipt(open_store):
    store = open_store(Quota(max_entries=3))
    receipts = store.put([frame(f"{n}", confidence=n / 10, label=f"{n}") for n in range(6)])
    there = {entry.key for entry in store.entries()}
    assert [receipt.kept for receipt in receipts] == [True] * 3 + [False] * 3
    assert there == {receipt.key for receipt in receipts if receipt.kept}


def test_the_write_ahead_log_is_limited_to_half_of_the_reserve(open_store):
    store = open_store()
    half = store._space._disk.reserve // 2
    assert store._database.pragma("journal_size_limit") == half
    assert store._database.pragma("wal_autocheckpoint") == min(
        half // store._database.pragma("page_size"), 1_000
    )
