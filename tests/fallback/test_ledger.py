"""The budget's file."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path

import pytest
from builders.cloud import HandClock

from edge.fallback.budget import Spent, Window
from edge.fallback.ledger import Ledger


def spent(calls):
    return Spent(Window(0.0, calls, 0), Window(0.0, calls, 0))


def test_what_was_spent_is_there_again_after_a_restart(tmp_path):
    Ledger(tmp_path / "new" / "budget.json").save(lambda: spent(7))
    again = Ledger(tmp_path / "new" / "budget.json")
    assert (again.spent, again.known, again.fault) == (spent(7), True, None)


def test_of_several_writers_none_writes_what_is_older_than_what_is_there(tmp_path):
    ledger, counted, lock = Ledger(tmp_path / "budget.json"), [0], threading.Lock()

    def call():
        with lock:
            counted[0] += 1
        ledger.save(lambda: spent(counted[0]))
        kept = json.loads((tmp_path / "budget.json").read_text())["spent"]["day"]["calls"]
        seen.append((kept, counted[0]))

    seen = []
    threads = [threading.Thread(target=call) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert json.loads((tmp_path / "budget.json").read_text())["spent"]["day"]["calls"] == 16
    assert all(kept <= now for kept, now in seen)


def test_a_file_that_cannot_be_written_is_told_and_well_again_when_it_can(tmp_path):
    (tmp_path / "folder").write_text("in its way")
    ledger = Ledger(tmp_path / "folder" / "budget.json")
    ledger.save(lambda: spent(1))
    assert "folder" in ledger.fault
    (tmp_path / "folder").unlink()
    ledger.save(lambda: spent(2))
    assert ledger.fault is None


def test_the_clock_goes_on_over_a_restart_of_the_service(tmp_path):
    clock = HandClock(100.0)
    first = Ledger(tmp_path / "budget.json", clock.reading)
    clock.goes(40)
    first.save(lambda: spent(1))
    clock.goes(500)
    again = Ledger(tmp_path / "budget.json", clock.reading)
    assert again.clock() == 540


def test_a_reader_never_sees_half_a_file_and_nothing_else_is_left(tmp_path):
    ledger = Ledger(tmp_path / "budget.json")
    ledger.save(lambda: spent(1))
    with (tmp_path / "budget.json").open() as old:
        ledger.save(lambda: spent(2))
        assert json.load(old)["spent"]["day"]["calls"] == 1  # the old file is whole, the new one another
    assert [file.name for file in tmp_path.iterdir()] == ["budget.json"]


def test_a_new_folder_is_for_its_owner_alone(tmp_path):
    Ledger(tmp_path / "new" / "budget.json").save(lambda: spent(1))
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0


def test_each_save_is_on_the_disk_when_it_returns(tmp_path, monkeypatch):
    """The file's bytes before it takes the old one's place, and then the folder, which names it."""
    calls, fsync, replace = [], os.fsync, os.replace

    def sync(file):
        calls.append("folder" if stat.S_ISDIR(os.fstat(file).st_mode) else f"file of {os.fstat(file).st_size}")
        fsync(file)

    def put(old, new):
        calls.append("replace")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", put)
    Ledger(tmp_path / "budget.json").save(lambda: spent(1))
    assert calls == [f"file of {(tmp_path / 'budget.json').stat().st_size}", "replace", "folder"]


def test_saving_often_leaves_no_file_open(tmp_path):
    ledger = Ledger(tmp_path / "budget.json")
    ledger.save(lambda: spent(0))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for calls in range(50):
        ledger.save(lambda calls=calls: spent(calls))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_write_that_fails_is_told_once_in_the_log_and_again_after_it_was_well(tmp_path, caplog):
    in_its_way = tmp_path / "folder"
    ledger = Ledger(in_its_way / "budget.json")
    for _ in range(2):
        in_its_way.write_text("")
        for _ in range(3):
            ledger.save(lambda: spent(1))
        in_its_way.unlink()
        ledger.save(lambda: spent(1))
        assert ledger.fault is None
        (in_its_way / "budget.json").unlink()
        in_its_way.rmdir()
    assert len([record for record in caplog.records if "cannot be written" in record.getMessage()]) == 2


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '{"steady": "x"}', "\0" * 9])
def test_a_file_that_cannot_be_read_is_told_and_never_written_over(tmp_path, content):
    file = tmp_path / "budget.json"
    file.write_text(content)
    ledger = Ledger(file)
    assert not ledger.known
    assert "cannot be read" in ledger.fault
    ledger.save(lambda: spent(9))
    assert file.read_text() == content
    assert "cannot be read" in ledger.fault


def test_without_a_file_nothing_is_kept_and_all_is_known():
    ledger = Ledger(None)
    ledger.save(lambda: pytest.fail("nobody asks"))
    assert (ledger.known, ledger.fault, ledger.spent) == (True, None, Spent())


def test_what_was_spent_is_asked_when_its_turn_has_come_and_not_before(tmp_path):
    ledger, asked = Ledger(tmp_path / "budget.json"), []
    writing, may_go_on = threading.Event(), threading.Event()

    def first():
        writing.set()
        may_go_on.wait(30)
        return spent(1)

    def second():
        asked.append(may_go_on.is_set())
        return spent(2)

    one, two = (threading.Thread(target=ledger.save, args=[what]) for what in (first, second))
    one.start()
    assert writing.wait(30)
    two.start()
    two.join(0.1)  # it waits
    may_go_on.set()
    one.join()
    two.join()
    assert asked == [True]
    assert Ledger(tmp_path / "budget.json").spent == spent(2)
