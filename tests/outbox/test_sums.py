"""The outbox keeps account: whatever was done, its sums are those of its entries, and nothing is beyond the quota."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

from builders.outbox import KEY, Clocks, frame
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.clock import SteadyClock
from edge.outbox.entry import State, Telling
from edge.outbox.seal import AesGcm
from edge.outbox.store import FILE_NAME, Quota, Store

NUMBER = st.integers(0, 9)
SIZE = st.integers(1, 300)
STEP = st.one_of(
    st.tuples(st.just("put"), st.lists(st.tuples(NUMBER, SIZE), min_size=1, max_size=4)),
    st.tuples(st.just("settle"), NUMBER, SIZE),
    st.tuples(st.sampled_from(["set_aside", "postpone", "told", "give_up", "retry", "purge"]), NUMBER),
    st.tuples(st.just("purge_state"), st.sampled_from(list(State))),
    st.tuples(st.just("pass_by"), st.integers(1, 60)),
    st.tuples(st.just("reopen"), st.integers(1, 8), st.integers(200, 1_500)),
    st.tuples(st.sampled_from(["tidy", "retry_all"])),
)
MOST_AGE = 100


class Desk:
    """A store, and what is done with it."""

    def __init__(self, folder, seal, *, tell, images):
        self.folder, self.seal, self.tell, self.images = folder, seal, tell, images
        self.clocks, self.keys, self.store = Clocks(), {}, None
        self.reopen(6, 1_000)

    def reopen(self, entries, size):
        kept = () if self.store is None else self.store._clock.mark()
        if self.store is not None:
            self.store.close()
        self.quota = Quota(size, entries, MOST_AGE, images=self.images, tell=self.tell)
        self.store = Store(self.folder, self.quota, self.seal, clock=SteadyClock(*kept, read=self.clocks))

    def put(self, frames):
        receipts = self.store.put([frame(f"{n}", size=size, certainty=size / 300) for n, size in frames])
        for (number, _), receipt in zip(frames, receipts, strict=True):
            self.keys[number] = receipt.key
            assert receipt.kept == (self.store.get(receipt.key) is not None)

    def do(self, what, first=None, second=None):
        key, store = self.keys.get(first, "none") if isinstance(first, int) else "", self.store
        steps = {
            "put": lambda: self.put(first),
            "settle": lambda: store.settle(key, {"predictions": ["." * second]}),
            "set_aside": lambda: store.set_aside(key, "refused"),
            "postpone": lambda: store.postpone(key, 10, "busy", counts=True),
            "told": lambda: store.told(key),
            "give_up": lambda: store.postpone_telling(key, 1, give_up=True),
            "retry": lambda: store.retry([key]),
            "retry_all": store.retry,
            "purge": lambda: store.purge(keys=[key]),
            "purge_state": lambda: store.purge(states=[first]),
            "pass_by": lambda: self.clocks.pass_by(first),
            "tidy": store.tidy,
            "reopen": lambda: self.reopen(first, second),
        }
        steps[what]()

    def check(self, *, just_put, tidied):
        there = self.store.entries(limit=100)
        assert self.store.counts() == {
            **{state: sum(entry.state is state for entry in there) for state in State},
            "bytes": sum(entry.size for entry in there),
            "untold": sum(entry.telling is Telling.DUE for entry in there),
            "given_up": sum(entry.telling is Telling.GIVEN_UP for entry in there),
        }
        with sqlite3.connect(self.folder / FILE_NAME) as database:
            stored = dict(database.execute("SELECT key, LENGTH(bytes) FROM image"))
            said = "SELECT key, LENGTH(items) + LENGTH(COALESCE(result, '')), born FROM entry"
            sizes = {key: length + stored.get(key, 0) for key, length, _ in database.execute(said)}
            oldest = database.execute("SELECT MIN(born) FROM entry").fetchone()[0]
        database.close()
        assert {entry.key: entry.size for entry in there} == sizes
        assert set(stored) == {entry.key for entry in there if entry.state is not State.RECORD}
        if just_put:
            assert self.store.counts()["bytes"] <= self.quota.max_bytes
            assert len(there) <= self.quota.max_entries
        if tidied and there:
            assert self.store._clock() - oldest <= MOST_AGE


WHOLE_LIFE = [
    ("put", [(number, 50) for number in range(4)]), ("postpone", 0), ("settle", 0, 20), ("settle", 1, 20), ("told", 0),
    ("give_up", 1), ("set_aside", 2), ("put", [(2, 50), (3, 50)]), ("retry", 1), ("reopen", 6, 1_000), ("retry_all",),
    ("give_up", 1), ("purge", 0), ("purge_state", State.SETTLED), ("pass_by", 60), ("put", [(8, 50)]), ("pass_by", 60),
    ("tidy",), ("put", [(number, 300) for number in range(4)]),
]  # fmt: skip


@example(WHOLE_LIFE, True, True, True)
@example(WHOLE_LIFE, False, False, False)
@settings(max_examples=25, deadline=None)
@given(st.lists(STEP, max_size=30), st.booleans(), st.booleans(), st.booleans())
def test_the_sums_are_those_of_the_entries_whatever_was_done(steps, tell, images, sealed):
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder), AesGcm(KEY) if sealed else None, tell=tell, images=images)
        for step in steps:
            desk.do(*step)
            desk.check(just_put=step[0] == "put", tidied=step[0] in {"put", "tidy"})
        desk.store.close()


def test_the_quota_holds_with_every_frame_of_a_long_run_and_no_more_goes_than_a_little_beyond_it(tmp_path):
    quota = Quota(max_bytes=20_000, max_entries=50)
    store = Store(tmp_path, quota)
    for number in range(150):
        before = store.counts()
        (receipt,) = store.put([frame(f"{number}", size=100 + number * 7 % 400, certainty=number % 10 / 10)])
        after = store.counts()
        assert after["bytes"] <= quota.max_bytes
        assert after[State.WAITING] <= quota.max_entries
        new = store.get(receipt.key)
        grown = after["bytes"] - before["bytes"] - (0 if new is None else new.size)
        assert -grown < 500 + 600 + quota.max_bytes // 20  # the need, the last one's size, and the slack
    assert store.counts()[State.WAITING] >= 25
    store.close()
