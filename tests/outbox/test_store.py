"""The store: durable, deduplicated, bounded, and independent of the wall clock."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from dataclasses import replace

import pytest
from builders.outbox import KEY, OTHER_KEY, YEAR, frame, put

from edge.clock import SteadyClock
from edge.errors import EntryUnreadable, OutboxError, SettingsError
from edge.outbox.database import FILE_NAME
from edge.outbox.describe import entry_json
from edge.outbox.encryption import AesGcmEncryption
from edge.outbox.entry import Delivery, EntryState
from edge.outbox.schema import MIGRATIONS, VERSION
from edge.outbox.space import Quota
from edge.outbox.store import Store

RESULT = {"predictions": []}


def test_an_entry_comes_back_as_it_was_put(open_store):
    store = open_store()
    (key,) = put(store, "a")
    entry = store.get(key)
    assert (entry.state, entry.camera, entry.reason, entry.label) == (
        EntryState.WAITING,
        "cam-1",
        "low_score",
        "daisy",
    )
    assert entry.items == [{"label": "daisy", "index": 0, "score": 0.5}]
    assert store.image(key) == b"a".ljust(100, b".")


def test_entries_are_on_the_disk_when_they_are_acknowledged(open_store, tmp_path):
    store = open_store()
    put(store, "a", "b")
    other = sqlite3.connect(tmp_path / FILE_NAME)
    assert other.execute("SELECT COUNT(*) FROM entry").fetchone()[0] == 2
    assert store._database.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert store._database.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    other.close()


def test_the_same_image_twice_is_one_entry(open_store):
    store = open_store()
    first, again = store.put([frame("a"), frame("a")])
    assert first.key == again.key
    assert (first.known, again.known) == (False, True)
    assert [entry.times_seen for entry in store.entries()] == [2]


def test_the_same_image_for_another_model_is_another_entry(open_store):
    store = open_store()
    store.put([frame("a", model="m"), frame("a", model="n")])
    assert len(store.entries()) == 2


def test_entries_are_due_in_the_order_in_which_they_came(open_store, clocks):
    store = open_store()
    keys = put(store, "a") + put(store, "b")
    clocks.wall -= 10 * YEAR
    keys += put(store, "c")
    assert [entry.key for entry in store.due(10)] == keys


def test_a_resolved_entry_is_not_due_and_not_resolved_again(open_store):
    store = open_store()
    (key,) = put(store, "a")
    assert store.resolve(key, {"predictions": []})
    assert not store.resolve(key, {"predictions": [{"label": "other", "score": 1}]})
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


@pytest.mark.parametrize("jump", [-10 * YEAR, YEAR])
@pytest.mark.parametrize("reboot", [False, True])
def test_a_clock_that_jumps_loses_no_entry(open_store, clocks, jump, reboot):
    store = open_store(Quota(max_age_s=30 * 86_400))
    put(store, "a")
    kept = store._database.clock.mark()
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
    steady, reading = first._database.clock.mark()
    first.close()
    second = Store(tmp_path)
    again, later = second._database.clock.mark()
    assert again - steady == pytest.approx(later.since_boot - reading.since_boot, abs=1e-3)
    second.close()


def test_encrypted_images_are_unreadable_on_disk_and_need_their_key(open_store, tmp_path):
    store = open_store(encryption=AesGcmEncryption(KEY))
    (key,) = put(store, "secret")
    assert store.image(key).startswith(b"secret")
    store.close()
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"secret" not in content
    other = open_store(encryption=AesGcmEncryption(OTHER_KEY))
    with pytest.raises(OutboxError, match="outbox_key"):
        other.image(key)


@pytest.mark.parametrize("text", ["", "short", "QUFB", "not base64 at all!"])
def test_a_malformed_key_is_refused(text):
    with pytest.raises(SettingsError, match="32 bytes"):
        AesGcmEncryption(text)


def test_without_images_only_the_edges_prediction_is_stored(open_store):
    store = open_store(keep_images=False)
    (key,) = put(store, "a")
    assert store.get(key).state is EntryState.PREDICTION_ONLY
    assert store.due(10) == []
    with pytest.raises(OutboxError, match="no image"):
        store.image(key)


def test_a_retried_dead_letter_waits_again(open_store):
    store = open_store()
    first, second = put(store, "a", "b")
    store.dead_letter(first, "nonsense")
    assert [entry.key for entry in store.due(10)] == [second]
    assert store.retry() == 1
    assert [entry.key for entry in store.due(10)] == [first, second]


def test_purging_drops_images_too(open_store):
    store = open_store()
    first, second = put(store, "a", "b")
    store.resolve(first, {"predictions": []})
    assert store.purge(states=[EntryState.RESOLVED]) == 1
    assert store.purge(keys=[second]) == 1
    assert store._database.execute("SELECT COUNT(*) FROM image").fetchone()[0] == 0


def test_results_are_due_for_delivery_if_there_is_a_webhook(open_store):
    store = open_store(deliver=True)
    (key,) = put(store, "a")
    store.resolve(key, {"predictions": []})
    assert [entry.key for entry in store.pending_deliveries(10)] == [key]
    store.postpone_delivery(key, 0, give_up=True)
    assert store.get(key).webhook is Delivery.FAILED
    assert store.retry() == 1
    store.mark_delivered(key)
    assert store.pending_deliveries(10) == []


def test_a_key_may_be_shortened_while_it_is_unambiguous(open_store):
    store = open_store()
    (key,) = put(store, "a")
    assert store.get(key[:6]).key == key
    assert store.get("zz") is None


@pytest.mark.parametrize("there", [False, True])
def test_only_their_owner_may_read_the_files_even_in_a_readable_folder(tmp_path, there):
    tmp_path.chmod(0o755)
    if there:
        (tmp_path / FILE_NAME).touch(0o644)
    store = Store(tmp_path)
    put(store, "a")
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    assert len(list(tmp_path.iterdir())) == 3
    store.close()


def test_images_stored_before_the_key_was_set_stay_readable_and_encrypted_ones_need_it(open_store):
    plain = open_store()
    (before,) = put(plain, "before")
    plain.close()
    encrypted = open_store(encryption=AesGcmEncryption(KEY))
    (after,) = put(encrypted, "after")
    assert encrypted.image(before).startswith(b"before")
    assert encrypted.image(after).startswith(b"after")
    encrypted.close()
    with pytest.raises(EntryUnreadable, match="outbox_key"):
        open_store().image(after)


def test_an_entry_without_its_image_is_replaced_by_one_with_it(open_store):
    without = open_store(keep_images=False)
    (key,) = put(without, "a")
    without.close()
    store = open_store()
    assert put(store, "a") == [key]
    assert store.get(key).state is EntryState.WAITING
    assert store.image(key).startswith(b"a")
    assert [entry.key for entry in store.entries()] == [key]


def test_a_missing_outbox_is_refused_and_not_created(tmp_path):
    with pytest.raises(OutboxError, match="no outbox"):
        Store(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


def test_a_file_that_is_not_a_database_is_refused_with_the_remedy(tmp_path):
    (tmp_path / FILE_NAME).write_bytes(
        b"this is not a database, but it is long enough to look like one" * 20
    )
    with pytest.raises(OutboxError, match=r"cannot be used.*Move outbox.sqlite3\* away"):
        Store(tmp_path)


def test_the_times_of_an_entry_are_the_devices_own(open_store):
    store = open_store()
    began = time.time()
    (key,) = put(store, "a")
    assert began <= store.get(key).created <= time.time()
    assert store.get(key).resolved is None
    began = time.time()
    store.resolve(key, RESULT)
    assert began <= store.get(key).resolved <= time.time()


def test_a_result_takes_its_bytes_of_the_quota(open_store):
    store = open_store()
    (key,) = put(store, "a")
    before = store.counts()["bytes"]
    said = {"predictions": ["." * 500]}
    store.resolve(key, said)
    assert store.counts()["bytes"] == before + len(json.dumps(said)) == store.get(key).size


def test_a_postponed_entry_that_is_resolved_is_due_for_delivery_at_once_without_its_fault(
    open_store,
):
    store = open_store(deliver=True)
    (key,) = put(store, "a")
    store.postpone(key, 3_600, "busy", counts=True)
    assert (store.get(key).attempts, store.get(key).fault) == (1, "busy")
    assert store.resolve(key, RESULT)
    assert [entry.key for entry in store.pending_deliveries(10)] == [key]
    assert store.get(key).fault is None


def test_a_postponed_delivery_waits_its_time(open_store, clocks):
    store = open_store(deliver=True)
    (key,) = put(store, "a")
    store.resolve(key, RESULT)
    assert store.postpone_delivery(key, 60, give_up=False)
    assert (store.get(key).webhook, store.get(key).webhook_attempts) == (Delivery.PENDING, 1)
    clocks.pass_by(59)
    assert store.pending_deliveries(10) == []
    clocks.pass_by(2)
    assert [entry.key for entry in store.pending_deliveries(10)] == [key]


def test_a_change_that_does_not_apply_to_an_entrys_state_changes_nothing(open_store):
    store = open_store(deliver=True)
    resolved, waiting = put(store, "a", "b")
    store.resolve(resolved, RESULT)
    assert not store.postpone(resolved, 60, "late", counts=True)
    assert not store.dead_letter(resolved, "late")
    assert not store.mark_delivered(waiting)
    assert not store.postpone_delivery(waiting, 60, give_up=True)
    assert not store.resolve("none", RESULT)
    assert store.mark_delivered(resolved)
    assert not store.mark_delivered(resolved)
    assert not store.postpone_delivery(resolved, 60, give_up=False)
    entry = store.get(resolved)
    assert (entry.state, entry.attempts, entry.fault, entry.webhook_attempts) == (
        EntryState.RESOLVED,
        0,
        None,
        0,
    )
    assert (store.get(waiting).state, store.get(waiting).webhook) == (
        EntryState.WAITING,
        Delivery.NONE,
    )


def test_a_change_touches_only_the_entry_it_names(open_store):
    store = open_store(deliver=True)
    one, two, three, four = put(store, *"abcd")
    store.dead_letter(one, "refused")
    store.dead_letter(two, "refused")
    store.resolve(three, RESULT)
    store.resolve(four, RESULT)
    for key in (three, four):
        store.postpone_delivery(key, 3_600, give_up=True)
    assert store.retry([one, three]) == 2
    assert [store.get(key).state for key in (one, two)] == [
        EntryState.WAITING,
        EntryState.DEAD_LETTER,
    ]
    assert (store.get(one).attempts, store.get(two).attempts) == (0, 1)
    assert [store.get(key).webhook for key in (three, four)] == [Delivery.PENDING, Delivery.FAILED]
    assert [entry.key for entry in store.pending_deliveries(10)] == [three]
    assert store.retry([]) == 0
    assert store.retry() == 2
    assert store.purge(keys=[one]) == 1
    assert [entry.key for entry in store.entries()] == [two, three, four]
    assert store.purge(states=[EntryState.RESOLVED], keys=[two]) == 3


def test_entries_come_in_pages(open_store):
    store = open_store()
    keys = put(store, *"abcdef")
    store.resolve(keys[1], RESULT)
    first = store.entries(limit=4)
    assert [entry.key for entry in first] == keys[:4]
    assert [entry.key for entry in store.entries(after=first[-1].sequence)] == keys[4:]
    assert [
        entry.key
        for entry in store.entries(state=EntryState.WAITING, after=first[0].sequence, limit=2)
    ] == keys[2:4]
    assert [entry.key for entry in store.due(3)] == [keys[0], *keys[2:4]]


def test_a_prefix_of_two_keys_names_neither(open_store):
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
    store.purge(states=[EntryState.WAITING])
    store.close()
    store = open_store()
    put(store, "c")
    assert store.entries()[0].sequence > last


def test_a_transaction_that_fails_leaves_nothing_behind_and_the_store_usable(open_store):
    store = open_store()
    with pytest.raises(TypeError):
        store.put([frame("a"), replace(frame("b"), items=[object()])])
    assert store.entries() == []
    assert store.counts()["bytes"] == 0
    assert len(put(store, "c")) == 1


@pytest.mark.parametrize("version", [min(MIGRATIONS) - 1, VERSION + 1])
def test_a_database_of_another_version_is_refused_and_left_unchanged(open_store, tmp_path, version):
    store = open_store()
    put(store, "a")
    store.close()
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        database.execute(f"PRAGMA user_version = {version}")
    database.close()
    with pytest.raises(OutboxError, match=r"another version.*Move outbox.sqlite3\* away"):
        Store(tmp_path)
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        assert database.execute("PRAGMA user_version").fetchone()[0] == version
        assert database.execute("SELECT COUNT(*) FROM entry").fetchone()[0] == 1
    database.close()


def test_a_locked_database_is_an_error_and_is_used_again_afterwards(open_store, tmp_path):
    store = open_store()
    store._database.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OutboxError, match="locked"):
        put(store, "a")
    other.execute("COMMIT")
    other.close()
    assert len(put(store, "a")) == 1


def test_a_store_waits_for_another_process_that_writes(open_store, tmp_path):
    store = open_store()
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, other.execute, ["COMMIT"])
    release.start()
    assert len(put(store, "a")) == 1
    release.join()
    other.close()


def test_time_that_passed_while_the_store_was_open_counts_after_reopening(
    open_store, clocks, tmp_path
):
    store = open_store(Quota(max_age_s=1_000))
    put(store, "a")
    clocks.pass_by(600)
    store.check_writable()
    kept = store._database.execute("SELECT steady FROM clock").fetchone()[0]
    assert kept == pytest.approx(600)
    clocks.pass_by(600)
    assert store.drop_expired() == 1
    assert store._database.execute("SELECT steady FROM clock").fetchone()[0] == pytest.approx(1_200)


def test_the_json_of_an_entry_is_complete(open_store):
    store = open_store(deliver=True)
    (key,) = put(store, "a")
    store.put([frame("a")])
    store._database.execute("UPDATE entry SET created = 1.5, attempts = 2, fault = 'busy'")
    item = {"label": "daisy", "index": 0, "score": 0.5}
    waiting = {
        "key": key,
        "sequence": 1,
        "state": "waiting",
        "digest": hashlib.sha256(b"a".ljust(100, b".")).hexdigest(),
        "camera": "cam-1",
        "times_seen": 2,
        "created": "1970-01-01T00:00:01.500+00:00",
        "reason": "low_score",
        "blocked_by": "link_down",
        "task": "classification",
        "model": {"name": "m", "version": 1, "digest": "d" * 64},
        "edge": {"predictions": [item]},
        "confidence": 0.5,
        "cloud": None,
        "resolved": None,
        "attempts": 2,
        "fault": "busy",
        "webhook": "none",
        "correction": None,
    }
    assert entry_json(store.get(key)) == waiting
    store.resolve(key, RESULT)
    store._database.execute("UPDATE entry SET resolved = 3.25, camera = '', blocked_by = ''")
    resolved = {
        "state": "resolved",
        "cloud": RESULT,
        "resolved": "1970-01-01T00:00:03.250+00:00",
        "fault": None,
    }
    nameless = {"camera": None, "blocked_by": None, "webhook": "pending"}
    assert entry_json(store.get(key)) == {**waiting, **resolved, **nameless}
