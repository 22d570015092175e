"""A damaged row is a dead letter that says why; all others go on as if it were not there."""

from __future__ import annotations

import asyncio
import json
import os

import pytest
from builders.damage import VALUES, break_page, damage, damage_text
from builders.outbox import RESULT, Clocks, Cloud, entry, forward, frame, keep, put
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.clock import SteadyClock
from edge.errors import EntryDamaged
from edge.outbox.database import FILE_NAME
from edge.outbox.describe import entry_json
from edge.outbox.entry import EntryState
from edge.outbox.export import Labels, Plan, export
from edge.outbox.forwarder import Forwarder
from edge.outbox.outbox import Outbox
from edge.outbox.rows import READ_COLUMNS
from edge.outbox.space import Quota
from edge.outbox.store import Store

COLUMNS = [name for name in READ_COLUMNS if name != "sequence"]


def check(store, keys, hurt, tmp_path):
    """Everything that the service and the commands do with a store, beside one damaged entry."""
    others = set(keys) - {hurt}
    listed = store.entries()
    assert len(listed) == len(keys)
    assert others <= {one.key for one in listed}
    json.dumps([entry_json(one) for one in listed])
    for one in listed:
        assert one.key in others or not one.damaged or one.fault.startswith("The entry is damaged")
    due = {one.key for one in store.due(10)}
    assert others <= due
    assert not any(one.damaged for one in store.due(10))
    counts = store.counts()
    assert sum(counts[state] for state in EntryState) == len(keys)
    assert counts["bytes"] == sum(one.size for one in store.entries() if one.key in others) or (
        counts["bytes"] > 0
    )
    store.pending_deliveries(10)
    store.drop_expired()
    plan = Plan(tmp_path / "out", None, Labels.EDGE, 0.0, 10_000)
    export(store, plan)
    store.retry()
    assert others <= {one.key for one in store.due(10)}
    assert store.entries(state=EntryState.WAITING)


@pytest.mark.parametrize("reopened", [False, True], ids=["while open", "before a start"])
@given(column=st.sampled_from(COLUMNS), value=st.sampled_from(VALUES), which=st.integers(0, 2))
@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_value_of_any_column_stops_the_others(tmp_path_factory, reopened, column, value, which):
    folder = tmp_path_factory.mktemp("box")
    store = Store(folder, Quota(max_entries=4))
    keys = put(store, "a", "b", "c")
    if reopened:
        store.close()
    damage(folder, f"UPDATE entry SET {column} = ? WHERE key = ?", (value, keys[which]))
    if reopened:
        store = Store(folder, Quota(max_entries=4))
    check(store, keys, keys[which], folder)
    put(store, *"defghi")  # evicts
    assert len(store.entries()) <= 4
    store.close()


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:16])
@pytest.mark.slow
def test_every_value_of_every_column_stops_no_other(tmp_path, column, value):
    store = Store(tmp_path)
    keys = put(store, "a", "b", "c")
    damage(tmp_path, f"UPDATE entry SET {column} = ? WHERE key = ?", (value, keys[0]))
    check(store, keys, keys[0], tmp_path)
    store.close()


@pytest.mark.parametrize(
    "column", ["key", "task", "model", "camera", "items", "label", "state", "webhook", "fault"]
)
def test_text_that_is_not_utf_8_stops_no_other(tmp_path, column):
    store = Store(tmp_path)
    keys = put(store, "a", "b")
    damage_text(tmp_path, column, keys[0])
    (one,) = [one for one in store.entries() if one.key != keys[1]]
    assert (one.state, column in one.fault) == (EntryState.DEAD_LETTER, True)
    check(store, keys, keys[0], tmp_path)
    store.close()


def test_a_damaged_entry_is_a_dead_letter_on_disk_and_its_frame_stays(tmp_path):
    store = Store(tmp_path)
    (key,) = put(store, "a")
    damage(tmp_path, "UPDATE entry SET state = 'lost', items = '['")
    assert store.counts()["dead_letter"] == 1
    store.close()
    store = Store(tmp_path)
    found = store.get(key)
    assert (found.state, found.fault) == (
        EntryState.DEAD_LETTER,
        "The entry is damaged: items is not JSON.",
    )
    assert store.image(key) == b"a".ljust(100, b".")
    assert store.purge(keys=[key]) == 1
    store.close()


def test_a_retry_sends_a_repaired_row_and_not_one_that_is_still_damaged(tmp_path):
    store = Store(tmp_path)
    still, repaired = put(store, "a", "b")
    damage(tmp_path, "UPDATE entry SET items = 5 WHERE key = ?", (still,))
    damage(tmp_path, "UPDATE entry SET not_before = 'later' WHERE key = ?", (repaired,))
    assert store.counts()["dead_letter"] == 1
    assert store.due(10) == []
    assert store.counts()["dead_letter"] == 2
    assert store.retry() == 2
    assert [one.key for one in store.due(10)] == [repaired]
    store.close()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM tally",
        "UPDATE tally SET entries = 'many', bytes = NULL",
        "UPDATE tally SET bytes = 9223372036854775807",
        "INSERT INTO tally VALUES (X'ff', 'no', -5, 1e300)",
        "UPDATE entry SET size = 9223372036854775807",
        "UPDATE entry SET size = NULL",
        "UPDATE entry SET size = 'large'",
    ],
)
def test_statistics_are_counted_anew_when_they_are_damaged(tmp_path, sql):
    store = Store(tmp_path)
    put(store, "a", "b")
    before = store.counts()["bytes"]
    damage(tmp_path, sql)
    counts = store.counts()
    assert (sum(counts[state] for state in EntryState), counts["bytes"]) == (2, before)
    assert put(store, "c")
    assert len(store.entries()) == 3
    store.close()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM clock",
        "UPDATE clock SET steady = NULL",
        "UPDATE clock SET steady = 'now'",
        "UPDATE clock SET since_boot = X'00'",
        "UPDATE clock SET boot = 5.5, wall = 'x'",
        "UPDATE clock SET steady = 1e300",
    ],
)
def test_a_damaged_clock_drops_no_entry(tmp_path, sql):
    clocks = Clocks()
    store = Store(tmp_path, clock=SteadyClock(1e6, read=clocks))
    put(store, "a", "b")
    store.close()
    damage(tmp_path, sql)
    store = Store(tmp_path)
    store.drop_expired()
    assert len(store.due(10)) == 2
    store.close()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM image WHERE key = ?",
        "UPDATE image SET bytes = NULL WHERE key = ?",
        "UPDATE image SET bytes = 5 WHERE key = ?",
        "UPDATE image SET bytes = 'text' WHERE key = ?",
        "UPDATE image SET key = X'00' WHERE key = ?",
    ],
)
def test_a_lost_image_is_a_dead_letter_at_once_and_the_others_are_sent(outbox, tmp_path, sql):
    lost, sent = keep(outbox, "a", "b")
    damage(tmp_path, sql, (lost,))
    forward(outbox, Cloud())
    assert entry(outbox, sent).state is EntryState.RESOLVED
    assert (entry(outbox, lost).state, outbox.fault) == (EntryState.DEAD_LETTER, None)
    with pytest.raises(EntryDamaged):
        outbox.call(lambda store: store.image(lost)).result(10)


@pytest.mark.parametrize("times", [500, 3_000], ids=["its own", "of its overflow"])
def test_a_broken_page_stops_no_row_on_another(tmp_path, times):
    names = [f"row-{number}-" for number in range(6)]
    store = Store(tmp_path)
    frames = [frame(name, label=name * times) for name in names]
    keys = [receipt.key for receipt in store.put(frames)]
    store.close()
    break_page(tmp_path, b"row-2-" * 400)
    store = Store(tmp_path)
    found = {one.key for one in store.due(10)}
    assert len(found) == 5
    assert found < set(keys)
    (dead,) = [one for one in store.entries() if one.damaged]
    assert (dead.state, "broken" in dead.fault) == (EntryState.DEAD_LETTER, True)
    assert store.counts()["unreadable"] == 1
    assert all(store.get(key).key == key for key in found)
    assert store.put([frame("new")])[0].kept
    store.close()


def test_where_nothing_can_be_read_the_fault_stays(tmp_path):
    outbox = Outbox(lambda: Store(tmp_path), tmp_path)
    outbox.start()
    keys = keep(outbox, *(f"{number}" for number in range(200)))
    assert len(keys) == 200
    cloud = Cloud()
    # The index that every search begins with, overwritten while the service runs.
    root = outbox.call(
        lambda store: store._database.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'entry_by_order'"
        ).fetchone()[0]
    ).result(10)
    outbox.call(
        lambda store: store._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    ).result(10)
    outbox.call(lambda store: store._database.execute("PRAGMA shrink_memory")).result(10)
    handle = os.open(tmp_path / FILE_NAME, os.O_WRONLY)
    os.pwrite(handle, b"\xff" * 4096, (root - 1) * 4096)
    os.close(handle)

    async def steps():
        forwarder = Forwarder(outbox, cloud)
        seen = []
        for _ in range(4):
            try:
                await forwarder.step()
            except Exception as error:
                seen.append(str(error))
            seen.append(outbox.fault)
        return seen

    seen = asyncio.run(steps())
    assert not cloud.asked
    assert None not in seen[1:], seen
    assert "malformed" in outbox.fault
    outbox.stop()


def test_a_result_of_another_shape_is_shown_and_not_exported(tmp_path):
    store = Store(tmp_path)
    good, odd = put(store, "a", "b")
    store.resolve(good, RESULT)
    store.resolve(odd, {"predictions": [5]})
    json.dumps([entry_json(one) for one in store.entries()])
    plan = Plan(tmp_path / "out", None, Labels.CLOUD, 0.0, 10_000)
    assert export(store, plan).left_out == 2  # the frames of this test are no images either
    store.close()


def test_a_score_that_is_not_a_number_is_stored(tmp_path):
    store = Store(tmp_path)
    (receipt,) = store.put([frame("a", confidence=float("nan"))])
    assert store.get(receipt.key).confidence == 0
    assert [one.key for one in store.due(10)] == [receipt.key]
    store.close()
