"""The outbox as the service uses it: its thread, its queue, and what becomes of a disk that fails."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from contextlib import contextmanager
from functools import partial

import pytest
from builders.outbox import frame, keep
from builders.waiting import wait

from edge.errors import EntryUnreadable, OutboxError, OutboxFull
from edge.outbox.outbox import Outbox, Pace
from edge.outbox.store import Quota, Store


def test_a_second_service_on_the_same_folder_is_refused(outbox, tmp_path):
    keep(outbox, "a")
    second = Outbox(partial(Store, tmp_path), tmp_path)
    second.start()
    with pytest.raises(OutboxError, match="another service"):
        second.put(frame("b")).result(10)
    second.stop()


def test_a_full_disk_is_told_until_there_is_room_again_though_small_things_can_be_written(tmp_path):
    class Full(Store):
        is_tight = True

        def put(self, entries):
            if self.is_tight:
                raise OutboxFull("full")
            return super().put(entries)

    outbox = Outbox(partial(Full, tmp_path), tmp_path, pace=Pace(look_s=0.05, pause_s=0.0))
    outbox.start()
    with pytest.raises(OutboxFull):
        outbox.put(frame("a")).result(10)
    outbox.change(lambda store: store.check()).result(10)
    time.sleep(0.3)
    assert outbox.fault == "full"
    Full.is_tight = False
    wait(lambda: outbox.fault is None)
    assert outbox.put(frame("a")).result(10).kept
    outbox.stop()


def test_a_folder_that_was_cleared_is_made_anew_and_nothing_is_kept_in_a_file_that_is_gone(tmp_path):
    folder = tmp_path / "box"
    outbox = Outbox(partial(Store, folder), folder)
    outbox.start()
    keep(outbox, "a")
    shutil.rmtree(folder)
    (key,) = keep(outbox, "b")
    outbox.stop()
    store = Store(folder, create=False)
    assert [one.key for one in store.entries()] == [key]
    store.close()


def test_old_entries_go_while_the_service_only_waits(tmp_path):
    pace = Pace(look_s=0.05, tidy_s=0.05)
    outbox = Outbox(partial(Store, tmp_path, Quota(max_age_s=0.5)), tmp_path, pace=pace)
    outbox.start()
    keep(outbox, "a")
    wait(lambda: outbox.status()["waiting"] == 0)
    outbox.stop()


def test_frames_that_come_together_are_committed_together(tmp_path):
    batches = []

    class Counting(Store):
        def put(self, entries):
            batches.append(len(entries))
            return super().put(entries)

    outbox = Outbox(partial(Counting, tmp_path), tmp_path)
    futures = [outbox.put(frame(f"{n}")) for n in range(20)]
    outbox.start()
    assert len({future.result(10).key for future in futures}) == 20
    outbox.stop()
    assert len(batches) < 5


def test_stopping_writes_what_was_accepted(tmp_path):
    outbox = Outbox(partial(Store, tmp_path), tmp_path)
    outbox.start()
    futures = [outbox.put(frame(f"{n}")) for n in range(50)]
    outbox.stop()
    assert all(future.done() for future in futures)
    store = Store(tmp_path)
    assert len(store.entries()) == 50
    store.close()


def test_a_fault_of_who_asks_is_no_fault_of_the_disk(outbox):
    with pytest.raises(OverflowError):
        outbox.call(lambda store: store.entries(after=10**20)).result(10)
    assert outbox.fault is None
    assert outbox.put(frame("a")).result(10).kept


def test_what_comes_after_the_end_is_told_so(tmp_path):
    outbox = Outbox(partial(Store, tmp_path), tmp_path)
    outbox.start()
    outbox.stop()
    for future in (outbox.put(frame("a")), outbox.call(lambda store: store.counts())):
        with pytest.raises(OutboxError, match="closed"):
            future.result(1)


def test_a_disk_that_is_too_slow_refuses_frames_instead_of_filling_the_memory(tmp_path):
    outbox = Outbox(partial(Store, tmp_path), tmp_path, max_queued_bytes=250)
    futures = [outbox.put(frame(name)) for name in "abc"]
    with pytest.raises(OutboxError, match="too slow"):
        futures[2].result(0)
    assert "too slow" in outbox.status()["fault"]
    outbox.start()
    assert futures[1].result(10).kept
    outbox.call(lambda store: store.counts()).result(10)
    assert outbox.status()["fault"] is None
    outbox.stop()


class Moody(Store):
    """Fails or waits as it is told."""

    def __init__(self, folder, quota=None, *, mood):
        self.mood = mood
        super().__init__(folder, quota)

    def put(self, entries):
        self.mood.puts.append(len(entries))
        if self.mood.free is not None:
            self.mood.free.wait(30)
        self.mood.seconds += self.mood.takes_s
        if self.mood.error is not None:
            raise self.mood.error
        return super().put(entries)

    def tidy(self):
        self.mood.tidied += 1
        return super().tidy()


class Mood:
    """What the store does, and a clock that it moves."""

    def __init__(self):
        self.error, self.free, self.puts, self.tidied = None, None, [], 0
        self.takes_s, self.seconds = 0.0, 1_000.0


@contextmanager
def moody(folder, quota=None, *, start=True, **how):
    """An outbox and what its store does; refused frames are tried again at once."""
    mood = Mood()
    how.setdefault("pace", Pace(pause_s=0.0))
    outbox = Outbox(partial(Moody, folder, quota, mood=mood), folder, clock=lambda: mood.seconds, **how)
    if start:
        outbox.start()
    try:
        yield outbox, mood
    finally:
        if mood.free is not None:
            mood.free.set()
        if start:
            outbox.stop()


def outcome(future):
    try:
        return "kept" if future.result(10).kept else "full"
    except OutboxError as error:
        return error.message


FAILURES = [OutboxFull("full"), OutboxError("read-only"), RuntimeError("unforeseen"), sqlite3.OperationalError("sick")]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_bytes_of_frames_that_a_disk_did_not_take_are_queued_no_more(tmp_path, error):
    with moody(tmp_path, max_queued_bytes=250) as (outbox, mood):
        mood.error = error
        for number in range(20):
            assert "slow" not in outcome(outbox.put(frame(f"{number}")))
            assert outbox.status()["queued_bytes"] == 0
        mood.error = None
        assert outcome(outbox.put(frame("well again", size=240))) == "kept"
        assert outbox.status()["queued_bytes"] == 0
        assert outbox.fault is None


def test_bytes_of_frames_that_were_kept_or_are_not_worth_it_are_queued_no_more(tmp_path):
    with moody(tmp_path, Quota(max_entries=2), max_queued_bytes=250) as (outbox, _):
        outcomes = {outcome(outbox.put(frame(f"{n}", certainty=n / 20, label=f"{n}"))) for n in range(20)}
        assert outcomes == {"kept", "full"}
        assert outcome(outbox.put(frame("larger than the quota", size=240))) in {"kept", "full"}
        assert outbox.status()["queued_bytes"] == 0


def test_bytes_of_frames_for_which_no_store_could_be_opened_are_queued_no_more(tmp_path):
    def none():
        raise OutboxError("the folder is gone")

    outbox = Outbox(none, tmp_path, max_queued_bytes=250, pace=Pace(pause_s=0.0))
    outbox.start()
    assert {outcome(outbox.put(frame(f"{number}"))) for number in range(10)} == {"the folder is gone"}
    assert outbox.status()["queued_bytes"] == 0
    outbox.stop()


def test_bytes_of_frames_that_come_with_the_end_or_after_it_are_queued_no_more(tmp_path):
    with moody(tmp_path, max_queued_bytes=450) as (outbox, mood):
        mood.free = threading.Event()
        first = outbox.put(frame("0"))
        wait(lambda: mood.puts)
        stopping = threading.Thread(target=outbox.stop)
        stopping.start()
        wait(lambda: outbox._jobs.qsize() == 1)  # the end is in the queue, and the next come behind it
        late = [outbox.put(frame(name)) for name in "12"]
        assert outbox.status()["queued_bytes"] == 300
        mood.free.set()
        stopping.join(10)
        assert outcome(first) == "kept"
        assert all("closed" in outcome(one) for one in [*late, outbox.put(frame("after it"))])
        assert outbox.status()["queued_bytes"] == 0


def test_the_place_of_frames_whose_askers_gave_up_is_free_again_and_the_thread_goes_on(tmp_path):
    with moody(tmp_path, max_queued_bytes=450) as (outbox, mood):
        mood.free = threading.Event()
        futures = [outbox.put(frame(name)) for name in "abc"]
        wait(lambda: mood.puts)
        assert futures[0].cancel()
        assert futures[2].cancel()
        mood.free.set()
        assert outcome(futures[1]) == "kept"
        assert outcome(outbox.put(frame("d"))) == "kept"
        assert outbox.call(lambda store: len(store.entries())).result(10) == 4  # accepted is kept
        mood.error, mood.free = OutboxFull("full"), threading.Event()
        given_up = outbox.put(frame("e"))
        assert given_up.cancel()
        mood.free.set()
        assert outcome(outbox.put(frame("f"))) == "full"
        mood.error = None
        assert outcome(outbox.put(frame("g", size=400))) == "kept"
        assert outbox.status()["queued_bytes"] == 0


def test_as_many_bytes_may_wait_as_allowed_and_not_one_more(tmp_path):
    with moody(tmp_path, start=False, max_queued_bytes=300) as (outbox, _):
        waiting = [outbox.put(frame("a", size=200)), outbox.put(frame("b", size=100))]
        assert outbox.status()["queued_bytes"] == 300
        assert "too slow" in outcome(outbox.put(frame("c", size=1)))
        assert outbox.status()["queued_bytes"] == 300
        assert not any(future.done() for future in waiting)


def test_a_frame_larger_than_what_may_wait_is_taken_where_none_waits(tmp_path):
    with moody(tmp_path, start=False, max_queued_bytes=300) as (outbox, _):
        large = outbox.put(frame("a", size=5_000))
        assert not large.done()
        assert "too slow" in outcome(outbox.put(frame("b", size=1)))
        outbox.start()
        assert outcome(large) == "kept"
        outbox.stop()


def test_a_disk_is_called_too_slow_until_half_of_what_may_wait_is_free(tmp_path):
    with moody(tmp_path, max_queued_bytes=300) as (outbox, mood):
        mood.free, reading = threading.Event(), threading.Event()
        first = outbox.put(frame("a"))
        wait(lambda: mood.puts)
        outbox.call(lambda _: reading.wait(30))
        more = [outbox.put(frame(name)) for name in "bc"]
        assert "too slow" in outcome(outbox.put(frame("d")))
        mood.free.set()
        assert outcome(first) == "kept"
        assert outbox.status()["queued_bytes"] == 200
        assert "too slow" in outbox.fault
        reading.set()
        assert [outcome(one) for one in more] == ["kept", "kept"]
        wait(lambda: outbox.fault is None)


def test_after_a_failure_frames_are_refused_without_asking_the_disk_until_it_was_written(tmp_path):
    with moody(tmp_path, pace=Pace(pause_s=3_600)) as (outbox, mood):
        mood.error = OutboxError("sick")
        assert {outcome(outbox.put(frame(name))) for name in "abcdef"} == {"sick"}
        assert mood.puts == [1]
        mood.error = None
        outbox.call(lambda store: store.counts()).result(10)  # that it can be read says nothing
        assert outcome(outbox.put(frame("g"))) == "sick"
        outbox.change(lambda store: store.check()).result(10)
        assert outbox.fault is None
        assert outcome(outbox.put(frame("h"))) == "kept"


def test_a_failed_disk_is_tried_again_after_a_second(tmp_path):
    with moody(tmp_path, pace=Pace()) as (outbox, mood):
        mood.error = OutboxError("sick")
        assert outcome(outbox.put(frame("a"))) == "sick"
        mood.error = None
        mood.seconds += 0.99
        assert outcome(outbox.put(frame("b"))) == "sick"
        mood.seconds += 0.02
        assert outcome(outbox.put(frame("b"))) == "kept"
        assert outbox.fault is None


def test_a_store_that_cannot_be_opened_at_first_is_opened_later_though_no_frame_comes(tmp_path):
    tries = []

    def open_store():
        tries.append(time.monotonic())
        if len(tries) < 4:
            raise OutboxError("not mounted yet") if len(tries) < 3 else ValueError("unforeseen")
        return Store(tmp_path)

    outbox = Outbox(open_store, tmp_path, pace=Pace(look_s=0.05))
    outbox.start()
    wait(lambda: outbox.fault is not None)
    wait(lambda: outbox.fault is None)
    assert tries[-1] - tries[0] >= 3 * 0.045
    assert outcome(outbox.put(frame("a"))) == "kept"
    outbox.stop()


def test_a_folder_is_taken_over_when_the_service_that_used_it_ends(outbox, tmp_path):
    keep(outbox, "a")
    second = Outbox(partial(Store, tmp_path), tmp_path, pace=Pace(look_s=0.05, pause_s=0.0))
    second.start()
    wait(lambda: second.fault)
    assert "another service" in second.fault
    outbox.stop()
    wait(lambda: second.fault is None)
    assert second.call(lambda store: len(store.entries())).result(10) == 1
    second.stop()


def test_old_entries_are_looked_for_every_ten_minutes(tmp_path):
    with moody(tmp_path, pace=Pace()) as (outbox, mood):
        for second in range(0, 2_400, 50):
            for _ in range(2):  # it looks between two calls
                outbox.call(lambda store: store.counts()).result(10)
            assert mood.tidied == 1 + second // 600
            mood.seconds += 50


def test_a_transaction_holds_a_bounded_number_of_frames(tmp_path):
    with moody(tmp_path, start=False) as (outbox, mood):
        futures = [outbox.put(frame(f"{number}")) for number in range(100)]
        outbox.start()
        assert {outcome(future) for future in futures} == {"kept"}
        assert sum(mood.puts) == 100
        assert max(mood.puts) == 32
        outbox.stop()


def test_a_transaction_holds_bytes_within_bounds(tmp_path):
    with moody(tmp_path, start=False) as (outbox, mood):
        futures = [outbox.put(frame(name, size=5 << 20)) for name in "abc"]
        outbox.start()
        assert {outcome(future) for future in futures} == {"kept"}
        assert mood.puts == [2, 1]
        outbox.stop()


def test_frames_and_calls_are_done_in_their_order(tmp_path):
    with moody(tmp_path, start=False) as (outbox, _):

        def count(store):
            return len(store.entries())

        futures = []
        for name in "abc":
            outbox.put(frame(name))
            futures.append(outbox.call(count))
        outbox.start()
        assert [future.result(10) for future in futures] == [1, 2, 3]
        entries = outbox.call(lambda store: [store.image(one.key)[:1] for one in store.entries()]).result(10)
        assert entries == [b"a", b"b", b"c"]
        outbox.stop()


def test_the_end_waits_for_a_disk_that_hangs_a_little_and_no_longer(tmp_path):
    with moody(tmp_path, pace=Pace(stop_s=0.3)) as (outbox, mood):
        mood.free = threading.Event()
        future = outbox.put(frame("a"))
        wait(lambda: mood.puts)
        began = time.monotonic()
        outbox.stop()
        assert 0.29 <= time.monotonic() - began < 5
        assert not future.done()
        mood.free.set()
        assert outcome(future) == "kept"


def test_the_end_closes_the_store_and_frees_the_folder(tmp_path):
    with moody(tmp_path, start=False) as (outbox, _):
        outbox.start()
        assert outcome(outbox.put(frame("a"))) == "kept"
        outbox.stop()
        assert not outbox._thread.is_alive()
        assert not list(tmp_path.glob("*-wal"))  # SQLite takes its log away with the last who closes
        second = Outbox(partial(Store, tmp_path), tmp_path)
        second.start()
        assert outcome(second.put(frame("b"))) == "kept"
        second.stop()


def test_a_call_that_fails_for_the_disks_sake_is_told_and_one_for_an_entrys_sake_is_not(tmp_path):
    def fail(error):
        def work(_):
            raise error

        return work

    with moody(tmp_path) as (outbox, _):
        for error in (EntryUnreadable("sealed"), LookupError("of the asker's")):
            with pytest.raises(type(error)):
                outbox.call(fail(error)).result(10)
            assert outbox.fault is None
        with pytest.raises(OutboxError, match="gone"):
            outbox.call(fail(OutboxError("gone"))).result(10)
        assert outbox.fault == "gone"


def test_a_call_that_was_given_up_is_not_made(tmp_path):
    done = []
    with moody(tmp_path, start=False) as (outbox, _):
        given_up, made = outbox.call(lambda _: done.append("given up")), outbox.call(lambda _: done.append("made"))
        given_up.cancel()
        outbox.start()
        made.result(10)
        assert done == ["made"]
        outbox.stop()


def test_how_long_a_write_took_is_known_and_a_slow_disk_is_told_once(tmp_path, caplog):
    with moody(tmp_path) as (outbox, mood):
        for takes_s in (0.9, 1.0, 2.5, 0.9, 0.0):
            mood.takes_s = takes_s
            assert outcome(outbox.put(frame(f"{len(mood.puts)}"))) == "kept"
            assert outbox.status()["write_s"] == pytest.approx(takes_s, abs=1e-3)
        assert [record.args[0] for record in caplog.records if "disk is" in record.message] == ["slow", "fast again"]


def test_a_fault_and_its_end_are_each_logged_once(tmp_path, caplog):
    with moody(tmp_path) as (outbox, mood):
        for error in (OutboxError("sick"), OutboxError("sick"), None, None):
            mood.error = error
            outcome(outbox.put(frame(f"{len(mood.puts)}")))
        wait(lambda: outbox.fault is None)
        words = [record.message for record in caplog.records]
        assert words == ["frames are not kept: sick", f"frames are kept again in {tmp_path}"]


def test_the_status_counts_what_is_there(tmp_path):
    with moody(tmp_path) as (outbox, _):
        keys = keep(outbox, "a", "b", "c")
        outbox.change(lambda store: store.settle(keys[0], {"predictions": []})).result(10)
        status = outbox.status()
        assert (status["waiting"], status["settled"], status["set_aside"]) == (2, 1, 0)
        assert (status["fault"], status["folder"]) == (None, str(tmp_path))
