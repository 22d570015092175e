"""The budget's file."""

from __future__ import annotations

import json
import threading

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
