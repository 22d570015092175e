"""The store: durable, deduplicated, bounded, and indifferent to the wall clock."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
import time
from dataclasses import replace

import pytest
from builders.outbox import KEY, OTHER_KEY, YEAR, frame

from edge.clock import SteadyClock
from edge.errors import EntryUnreadable, OutboxError, OutboxFull, SettingsError
from edge.outbox.describe import entry_json
from edge.outbox.disk import Disk
from edge.outbox.entry import State, Telling
from edge.outbox.seal import AesGcm
from edge.outbox.store import FILE_NAME, Quota, Store

RESULT = {"predictions": []}


def put(store, *names, **how):
    return [receipt.key for receipt in store.put([frame(name, **how) for name in names])]


def test_an_entry_comes_back_as_it_was_put(open_store):
    store = open_store()
    (key,) = put(store, "a")
    entry = store.get(key)
    assert (entry.state, entry.camera, entry.reason, entry.label) == (State.WAITING, "cam-1", "low_score", "daisy")
    assert entry.items == [{"label": "daisy", "index": 0, "score": 0.5}]
    assert store.image(key) == b"a".ljust(100, b".")


def test_entries_are_on_the_disk_when_they_are_acknowledged(open_store, tmp_path):
    store = open_store()
    put(store, "a", "b")
    other = sqlite3.connect(tmp_path / FILE_NAME)
    assert other.execute("SELECT COUNT(*) FROM entry").fetchone()[0] == 2
    assert store._db.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert store._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    other.close()


def test_the_same_image_twice_is_one_entry(open_store):
    store = open_store()
    first, again = store.put([frame("a"), frame("a")])
    assert first.key == again.key
    assert (first.known, again.known) == (False, True)
    assert [entry.seen for entry in store.entries()] == [2]


def test_the_same_image_for_another_model_is_another_question(open_store):
    store = open_store()
    store.put([frame("a", model="m"), frame("a", model="n")])
    assert len(store.entries()) == 2


def test_entries_are_due_in_the_order_in_which_they_came(open_store, clocks):
    store = open_store()
    keys = put(store, "a") + put(store, "b")
    clocks.wall -= 10 * YEAR
    keys += put(store, "c")
    assert [entry.key for entry in store.due(10)] == keys


def test_a_settled_entry_is_not_due_and_not_settled_again(open_store):
    store = open_store()
    (key,) = put(store, "a")
    assert store.settle(key, {"predictions": []})
    assert not store.settle(key, {"predictions": [{"label": "other", "score": 1}]})
    assert store.due(10) == []
    assert store.get(key).result == {"predictions": []}
    assert store.put([frame("a")])[0].known


def test_a_postponed_entry_waits_its_time_whatever_the_wall_clock_does(open_store, clocks):
    store = open_store()
    put(store, "a", "b")
    key = store.entries()[0].key
    store.postpone(key, 60, "busy", counts=False)
    clocks.wall += YEAR
    assert [entry.key for entry in store.due(10)] != [key]
    assert len(store.due(10)) == 1
    clocks.pass_by(61)
    assert len(store.due(10)) == 2


def test_too_many_bytes_drop_the_surest_and_keep_the_rest(open_store):
    store = open_store(Quota(max_bytes=1_600))
    for certainty in (0.9, 0.2, 0.6, 0.3, 0.95, 0.1):
        put(store, f"{certainty}", certainty=certainty, label=f"label {certainty}", size=300)
    kept = {entry.certainty for entry in store.entries()}
    assert 0.9 not in kept
    assert {0.1, 0.2, 0.3} <= kept
    assert store.counts()["bytes"] <= 1_600


def test_a_frame_worth_less_than_all_that_is_there_is_told_so(open_store):
    store = open_store(Quota(max_entries=2))
    put(store, "a", certainty=0.1, label="x")
    put(store, "b", certainty=0.2, label="y")
    (receipt,) = store.put([frame("c", certainty=0.99, label="z")])
    assert not receipt.kept
    assert {entry.certainty for entry in store.entries()} == {0.1, 0.2}


def test_an_entry_goes_when_it_is_too_old_by_days_of_service(open_store, clocks):
    store = open_store(Quota(max_age_s=1_000))
    put(store, "a")
    clocks.pass_by(999)
    put(store, "b")
    assert len(store.entries()) == 2
    clocks.pass_by(2)
    put(store, "c")
    assert [store.image(entry.key)[:1] for entry in store.entries()] == [b"b", b"c"]


@pytest.mark.parametrize("jump", [-10 * YEAR, YEAR])
@pytest.mark.parametrize("reboot", [False, True])
def test_a_clock_that_jumps_loses_no_entry(open_store, clocks, jump, reboot):
    store = open_store(Quota(max_age_s=30 * 86_400))
    put(store, "a")
    kept = store._clock.mark()
    store.close()
    clocks.wall += jump
    if reboot:
        clocks.boot, clocks.since_boot = "second", 5.0
    again = open_store(Quota(max_age_s=30 * 86_400), clock=SteadyClock(*kept, clocks))
    put(again, "b")
    assert len(again.entries()) == 2
    assert len(again.due(10)) == 2


def test_the_steady_clock_goes_on_over_a_restart(tmp_path):
    first = Store(tmp_path)
    put(first, "a")
    steady, reading = first._clock.mark()
    first.close()
    second = Store(tmp_path)
    again, later = second._clock.mark()
    assert again - steady == pytest.approx(later.since_boot - reading.since_boot, abs=1e-3)
    second.close()


def test_sealed_images_are_unreadable_on_the_disk_and_open_with_their_key_alone(open_store, tmp_path):
    store = open_store(seal=AesGcm(KEY))
    (key,) = put(store, "secret")
    assert store.image(key).startswith(b"secret")
    store.close()
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"secret" not in content
    other = open_store(seal=AesGcm(OTHER_KEY))
    with pytest.raises(OutboxError, match="outbox_key"):
        other.image(key)


@pytest.mark.parametrize("text", ["", "short", "QUFB", "not base64 at all!"])
def test_a_key_that_is_none_is_refused(text):
    with pytest.raises(SettingsError, match="32 bytes"):
        AesGcm(text)


def test_without_images_only_what_the_edge_said_is_kept(open_store):
    store = open_store(Quota(images=False))
    (key,) = put(store, "a")
    assert store.get(key).state is State.RECORD
    assert store.due(10) == []
    with pytest.raises(OutboxError, match="no image"):
        store.image(key)


def test_what_was_set_aside_waits_again_when_asked(open_store):
    store = open_store()
    first, second = put(store, "a", "b")
    store.set_aside(first, "nonsense")
    assert [entry.key for entry in store.due(10)] == [second]
    assert store.retry() == 1
    assert [entry.key for entry in store.due(10)] == [first, second]


def test_purging_drops_images_too(open_store):
    store = open_store()
    first, second = put(store, "a", "b")
    store.settle(first, {"predictions": []})
    assert store.purge(states=[State.SETTLED]) == 1
    assert store.purge(keys=[second]) == 1
    assert store._db.execute("SELECT COUNT(*) FROM image").fetchone()[0] == 0


def test_results_are_due_to_be_told_where_there_is_a_webhook(open_store):
    store = open_store(Quota(tell=True))
    (key,) = put(store, "a")
    store.settle(key, {"predictions": []})
    assert [entry.key for entry in store.untold(10)] == [key]
    store.postpone_telling(key, 0, give_up=True)
    assert store.get(key).telling is Telling.GIVEN_UP
    assert store.retry() == 1
    store.told(key)
    assert store.untold(10) == []


def test_a_key_may_be_shortened_while_it_is_unambiguous(open_store):
    store = open_store()
    (key,) = put(store, "a")
    assert store.get(key[:6]).key == key
    assert store.get("zz") is None


def test_what_is_purged_goes_back_to_the_disk(open_store, tmp_path):
    store = open_store()
    put(store, *(f"{number}" for number in range(20)), size=100_000)
    assert size_on_disk(tmp_path) > 2_000_000
    store.purge(states=[State.WAITING])
    assert size_on_disk(tmp_path) < 200_000


def size_on_disk(folder):
    return sum(file.stat().st_size for file in folder.glob(f"{FILE_NAME}*"))


def test_an_entry_that_is_too_old_goes_though_nothing_new_comes(open_store, clocks, tmp_path):
    store = open_store(Quota(max_age_s=1_000))
    put(store, *(f"{number}" for number in range(20)), size=100_000)
    clocks.pass_by(500)
    put(store, "young")
    assert store.tidy() == 0
    clocks.pass_by(501)
    assert store.tidy() == 20
    assert [store.image(entry.key)[:5] for entry in store.entries()] == [b"young"]
    assert size_on_disk(tmp_path) < 200_000


@pytest.fixture
def tight_disk(monkeypatch):
    """A disk with room for the file to have so many bytes."""
    room = [400_000]
    monkeypatch.setattr(Disk, "is_tight", lambda _, file_bytes, grown_bytes: file_bytes + grown_bytes > room[0])
    return room


def test_a_disk_that_is_nearly_full_takes_nothing_new_and_keeps_what_was_acknowledged(open_store, tight_disk):
    store = open_store()
    keys = fill(store)
    assert len(keys) > 5
    with pytest.raises(OutboxFull, match="full"):
        put(store, "more", size=30_000, certainty=0.0)
    assert [entry.key for entry in store.entries()] == keys
    assert store.settle(keys[0], RESULT)


def fill(store):
    """Put frames until there is no more room; the keys of those that were taken."""
    keys = []
    while len(keys) < 100:
        try:
            keys += put(store, f"{len(keys)}", size=30_000)
        except OutboxFull:
            return keys
    raise AssertionError


def test_entries_that_are_done_with_make_room_on_a_disk_that_is_nearly_full(open_store, tight_disk, tmp_path):
    store = open_store()
    keys = fill(store)
    full = store._pragma("page_count")
    for key in keys[:3]:
        store.settle(key, RESULT)
    new = put(store, "x", size=30_000) + put(store, "y", size=30_000)
    with pytest.raises(OutboxFull):
        put(store, *"abcdef", size=30_000)
    assert store._pragma("page_count") <= full
    there = {entry.key for entry in store.entries()}
    assert there >= {*keys[3:], *new}
    assert not there >= set(keys[:3])


def test_the_reserve_is_a_share_of_a_small_disk_and_no_more_than_needed_of_a_large_one(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(bytes(4_096))
    there = os.statvfs(tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda _: there)
    disk = Disk(tmp_path / "file")
    assert disk.reserve == min(there.f_blocks * there.f_frsize // 8, 16 << 20)
    free = there.f_bavail * there.f_frsize
    assert not disk.is_tight(4_096, free - disk.reserve)
    assert disk.is_tight(4_096, free - disk.reserve + 1)
    assert disk.is_tight(8_192, free - disk.reserve)  # the log holds what has not come into the file yet


def test_a_file_that_was_taken_away_is_noticed(open_store, tmp_path):
    store = open_store()
    assert not store.moved
    (tmp_path / FILE_NAME).rename(tmp_path / "elsewhere")
    assert store.moved
    (tmp_path / FILE_NAME).write_bytes(b"another")
    assert store.moved


def test_a_frame_larger_than_the_quota_drops_nothing_for_itself(open_store):
    store = open_store(Quota(max_bytes=5_000))
    keys = put(store, "a", "b", "c", size=1_000)
    (receipt,) = store.put([frame("large", size=6_000, certainty=0.0, label="rare")])
    assert not receipt.kept
    assert [entry.key for entry in store.entries()] == keys


@pytest.mark.parametrize("there", [False, True])
def test_the_files_are_their_owners_alone_also_in_a_folder_that_is_not(tmp_path, there):
    tmp_path.chmod(0o755)
    if there:
        (tmp_path / FILE_NAME).touch(0o644)
    store = Store(tmp_path)
    put(store, "a")
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    assert len(list(tmp_path.iterdir())) == 3
    store.close()


def test_a_disk_with_room_for_less_than_what_it_refused_is_still_tight(open_store, tight_disk):
    store = open_store()
    fill(store)
    assert store.is_tight
    tight_disk[0] += 200_000
    assert not store.is_tight


def test_images_of_before_the_key_was_set_open_and_sealed_ones_ask_for_it(open_store):
    plain = open_store()
    (before,) = put(plain, "before")
    plain.close()
    sealed = open_store(seal=AesGcm(KEY))
    (after,) = put(sealed, "after")
    assert sealed.image(before).startswith(b"before")
    assert sealed.image(after).startswith(b"after")
    sealed.close()
    with pytest.raises(EntryUnreadable, match="outbox_key"):
        open_store().image(after)


def test_what_was_kept_without_its_image_is_kept_with_it_when_it_comes_again(open_store):
    without = open_store(Quota(images=False))
    (key,) = put(without, "a")
    without.close()
    store = open_store()
    assert put(store, "a") == [key]
    assert store.get(key).state is State.WAITING
    assert store.image(key).startswith(b"a")
    assert [entry.key for entry in store.entries()] == [key]


def test_a_result_that_could_not_be_told_stays_longer_than_one_that_was(open_store):
    store = open_store(Quota(max_entries=2, tell=True))
    given_up, told = put(store, "a", "b")
    for key in (given_up, told):
        store.settle(key, RESULT)
    store.postpone_telling(given_up, 0, give_up=True)
    store.told(told)
    put(store, "c")
    assert store.get(told) is None
    assert store.get(given_up) is not None


def test_too_many_entries_make_room_for_some_more_at_once(open_store):
    store = open_store(Quota(max_entries=40))
    put(store, *(f"{number}" for number in range(41)))
    assert store.counts()[State.WAITING] == 38  # else each further frame would have every entry looked at


def test_an_outbox_of_the_version_before_is_taken_over(open_store, tmp_path):
    store = open_store(Quota(tell=True))
    one, two, _ = put(store, "one", "two", "three")
    store.settle(one, {})
    store.set_aside(two, "refused")
    before = store.counts()
    store.close()
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        database.executescript(
            "DROP TRIGGER tally_comes; DROP TRIGGER tally_goes; DROP TRIGGER tally_changes; DROP TABLE tally;"
            "DROP INDEX entry_by_birth; DROP INDEX entry_by_order;"
            "CREATE INDEX entry_by_state ON entry (state, not_before, sequence); PRAGMA user_version = 1;"
        )
    database.close()
    store = open_store()
    assert store.counts() == before
    put(store, "four")
    assert store.counts()[State.WAITING] == 2


def test_a_missing_outbox_is_told_and_not_made(tmp_path):
    with pytest.raises(OutboxError, match="no outbox"):
        Store(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


def test_a_file_that_is_no_outbox_is_told(tmp_path):
    (tmp_path / FILE_NAME).write_bytes(b"this is not a database, but it is long enough to look like one" * 20)
    with pytest.raises(OutboxError, match=r"cannot be used.*Move outbox.sqlite3\* away"):
        Store(tmp_path)


def test_the_times_of_an_entry_are_the_devices_own(open_store):
    store = open_store()
    began = time.time()
    (key,) = put(store, "a")
    assert began <= store.get(key).created <= time.time()
    assert store.get(key).settled is None
    began = time.time()
    store.settle(key, RESULT)
    assert began <= store.get(key).settled <= time.time()


def test_a_result_takes_its_bytes_of_the_quota(open_store):
    store = open_store()
    (key,) = put(store, "a")
    before = store.counts()["bytes"]
    said = {"predictions": ["." * 500]}
    store.settle(key, said)
    assert store.counts()["bytes"] == before + len(json.dumps(said)) == store.get(key).size


def test_a_postponed_entry_that_is_settled_meanwhile_is_told_at_once_and_its_fault_forgotten(open_store):
    store = open_store(Quota(tell=True))
    (key,) = put(store, "a")
    store.postpone(key, 3_600, "busy", counts=True)
    assert (store.get(key).attempts, store.get(key).fault) == (1, "busy")
    assert store.settle(key, RESULT)
    assert [entry.key for entry in store.untold(10)] == [key]
    assert store.get(key).fault is None


def test_a_telling_that_was_postponed_waits_its_time(open_store, clocks):
    store = open_store(Quota(tell=True))
    (key,) = put(store, "a")
    store.settle(key, RESULT)
    assert store.postpone_telling(key, 60, give_up=False)
    assert (store.get(key).telling, store.get(key).telling_attempts) == (Telling.DUE, 1)
    clocks.pass_by(59)
    assert store.untold(10) == []
    clocks.pass_by(2)
    assert [entry.key for entry in store.untold(10)] == [key]


def test_what_does_not_apply_to_an_entry_as_it_is_changes_nothing(open_store):
    store = open_store(Quota(tell=True))
    settled, waiting = put(store, "a", "b")
    store.settle(settled, RESULT)
    assert not store.postpone(settled, 60, "late", counts=True)
    assert not store.set_aside(settled, "late")
    assert not store.told(waiting)
    assert not store.postpone_telling(waiting, 60, give_up=True)
    assert not store.settle("none", RESULT)
    assert store.told(settled)
    assert not store.told(settled)
    assert not store.postpone_telling(settled, 60, give_up=False)
    entry = store.get(settled)
    assert (entry.state, entry.attempts, entry.fault, entry.telling_attempts) == (State.SETTLED, 0, None, 0)
    assert (store.get(waiting).state, store.get(waiting).telling) == (State.WAITING, Telling.NONE)


def test_each_change_is_of_the_entry_alone_that_is_named(open_store):
    store = open_store(Quota(tell=True))
    one, two, three, four = put(store, *"abcd")
    store.set_aside(one, "refused")
    store.set_aside(two, "refused")
    store.settle(three, RESULT)
    store.settle(four, RESULT)
    for key in (three, four):
        store.postpone_telling(key, 3_600, give_up=True)
    assert store.retry([one, three]) == 2
    assert [store.get(key).state for key in (one, two)] == [State.WAITING, State.SET_ASIDE]
    assert (store.get(one).attempts, store.get(two).attempts) == (0, 1)
    assert [store.get(key).telling for key in (three, four)] == [Telling.DUE, Telling.GIVEN_UP]
    assert [entry.key for entry in store.untold(10)] == [three]
    assert store.retry([]) == 0
    assert store.retry() == 2
    assert store.purge(keys=[one]) == 1
    assert [entry.key for entry in store.entries()] == [two, three, four]
    assert store.purge(states=[State.SETTLED], keys=[two]) == 3


def test_entries_come_in_pages(open_store):
    store = open_store()
    keys = put(store, *"abcdef")
    store.settle(keys[1], RESULT)
    first = store.entries(limit=4)
    assert [entry.key for entry in first] == keys[:4]
    assert [entry.key for entry in store.entries(after=first[-1].sequence)] == keys[4:]
    assert [entry.key for entry in store.entries(state=State.WAITING, after=first[0].sequence, limit=2)] == keys[2:4]
    assert [entry.key for entry in store.due(3)] == [keys[0], *keys[2:4]]


def test_the_beginning_of_two_keys_names_neither(open_store):
    store = open_store()
    keys = put(store, *map(str, range(17)))  # of 17 keys two begin with the same hex digit
    first = next(key[0] for key in keys if sum(other[0] == key[0] for other in keys) > 1)
    assert store.get(first) is None
    assert store.get("") is None
    assert {store.get(key).key for key in keys} == set(keys)


def test_sequences_grow_also_over_what_was_purged_and_a_restart(open_store):
    store = open_store()
    put(store, "a", "b")
    last = store.entries()[-1].sequence
    store.purge(states=[State.WAITING])
    store.close()
    store = open_store()
    put(store, "c")
    assert store.entries()[0].sequence > last


def test_an_entry_goes_at_its_age_and_not_before(open_store, clocks):
    store = open_store(Quota(max_age_s=1_000))
    put(store, "a")
    clocks.pass_by(1_000)
    assert store.tidy() == 0
    clocks.pass_by(0.5)
    assert store.tidy() == 1
    assert store.entries() == []


@pytest.mark.parametrize("state", [State.SETTLED, State.SET_ASIDE])
def test_an_entry_of_any_state_grows_old(open_store, clocks, state):
    store = open_store(Quota(max_age_s=1_000, tell=True))
    (key,) = put(store, "a")
    store.settle(key, RESULT) if state is State.SETTLED else store.set_aside(key, "refused")
    clocks.pass_by(1_001)
    assert store.tidy() == 1
    assert store.counts()["bytes"] == 0


def test_what_is_done_with_goes_before_what_waits_whatever_its_value(open_store):
    store = open_store(Quota(max_entries=4, tell=True))
    told, due, aside, waiting = (put(store, name, certainty=0.1 * n, label=name)[0] for n, name in enumerate("abcd"))
    for key in (told, due):
        store.settle(key, RESULT)
    store.told(told)
    store.set_aside(aside, "refused")
    gone = []
    for number in range(3):
        put(store, f"{number}", certainty=0.0, label=f"{number}")
        gone += [key for key in (told, due, aside, waiting) if store.get(key) is None and key not in gone]
    assert gone == [told, due, aside]


def test_a_batch_beyond_the_quota_is_told_of_each_frame_what_became_of_it(open_store):
    store = open_store(Quota(max_entries=3))
    receipts = store.put([frame(f"{n}", certainty=n / 10, label=f"{n}") for n in range(6)])
    there = {entry.key for entry in store.entries()}
    assert [receipt.kept for receipt in receipts] == [True] * 3 + [False] * 3
    assert there == {receipt.key for receipt in receipts if receipt.kept}


def test_a_transaction_that_fails_leaves_nothing_behind_and_the_store_usable(open_store):
    store = open_store()
    with pytest.raises(TypeError):
        store.put([frame("a"), replace(frame("b"), items=[object()])])
    assert store.entries() == []
    assert store.counts()["bytes"] == 0
    assert len(put(store, "c")) == 1


def test_an_outbox_of_a_later_version_is_refused_and_left_as_it_is(open_store, tmp_path):
    store = open_store()
    put(store, "a")
    store.close()
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        database.execute("PRAGMA user_version = 3")
    database.close()
    with pytest.raises(OutboxError, match="another version"):
        Store(tmp_path)
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        assert database.execute("PRAGMA user_version").fetchone()[0] == 3
    database.close()


def test_a_database_that_another_holds_is_told_and_used_again_afterwards(open_store, tmp_path):
    store = open_store()
    store._db.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OutboxError, match="locked"):
        put(store, "a")
    other.execute("COMMIT")
    other.close()
    assert len(put(store, "a")) == 1


def test_a_store_waits_for_who_writes_beside_it(open_store, tmp_path):
    store = open_store()
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, other.execute, ["COMMIT"])
    release.start()
    assert len(put(store, "a")) == 1
    release.join()
    other.close()


def test_the_log_is_kept_within_half_of_the_reserve(open_store):
    store = open_store()
    half = store._disk.reserve // 2
    assert store._pragma("journal_size_limit") == half
    assert store._pragma("wal_autocheckpoint") == min(half // store._pragma("page_size"), 1_000)


def test_time_that_passed_while_the_store_was_open_counts_after_it_was_opened_again(open_store, clocks, tmp_path):
    store = open_store(Quota(max_age_s=1_000))
    put(store, "a")
    clocks.pass_by(600)
    store.check()
    kept = store._db.execute("SELECT steady FROM clock").fetchone()[0]
    assert kept == pytest.approx(600)
    clocks.pass_by(600)
    assert store.tidy() == 1
    assert store._db.execute("SELECT steady FROM clock").fetchone()[0] == pytest.approx(1_200)


def test_an_entry_as_json_says_all_that_is_known_of_it(open_store):
    store = open_store(Quota(tell=True))
    (key,) = put(store, "a")
    store.put([frame("a")])
    store._db.execute("UPDATE entry SET created = 1.5, attempts = 2, fault = 'busy'")
    item = {"label": "daisy", "index": 0, "score": 0.5}
    waiting = {
        "key": key,
        "sequence": 1,
        "state": "waiting",
        "digest": hashlib.sha256(b"a".ljust(100, b".")).hexdigest(),
        "camera": "cam-1",
        "seen": 2,
        "created": "1970-01-01T00:00:01.500+00:00",
        "reason": "low_score",
        "hindrance": "link_down",
        "task": "classification",
        "model": {"name": "m", "version": 1, "digest": "d" * 64},
        "edge": {"predictions": [item]},
        "cloud": None,
        "settled": None,
        "attempts": 2,
        "fault": "busy",
        "telling": "none",
    }
    assert entry_json(store.get(key)) == waiting
    store.settle(key, RESULT)
    store._db.execute("UPDATE entry SET settled = 3.25, camera = '', hindrance = ''")
    settled = {"state": "settled", "cloud": RESULT, "settled": "1970-01-01T00:00:03.250+00:00", "fault": None}
    nameless = {"camera": None, "hindrance": None, "telling": "due"}
    assert entry_json(store.get(key)) == {**waiting, **settled, **nameless}
