"""The outbox's counts match its entries, and the quota holds, whatever is done."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

from builders.outbox import KEY, Clocks, frame
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.clock import SteadyClock
from edge.outbox.database import FILE_NAME
from edge.outbox.encryption import AesGcmEncryption
from edge.outbox.entry import Delivery, EntryState
from edge.outbox.space import Quota
from edge.outbox.store import Store

NUMBER = st.integers(0, 9)
SIZE = st.integers(1, 300)
STEP = st.one_of(
    st.tuples(st.just("put"), st.lists(st.tuples(NUMBER, SIZE), min_size=1, max_size=4)),
    st.tuples(st.just("resolve"), NUMBER, SIZE),
    st.tuples(
        st.sampled_from(["dead_letter", "postpone", "mark_delivered", "give_up", "retry", "purge"]),
        NUMBER,
    ),
    st.tuples(st.just("purge_state"), st.sampled_from(list(EntryState))),
    st.tuples(st.just("pass_by"), st.integers(1, 60)),
    st.tuples(st.just("reopen"), st.integers(1, 8), st.integers(200, 1_500)),
    st.tuples(st.sampled_from(["drop_expired", "retry_all"])),
)
MAX_AGE = 100


class Desk:
    """A store, and what is done with it."""

    def __init__(self, folder, encryption, *, deliver, images):
        self.folder, self.encryption, self.deliver, self.images = (
            folder,
            encryption,
            deliver,
            images,
        )
        self.clocks, self.keys, self.store = Clocks(), {}, None
        self.reopen(6, 1_000)

    def reopen(self, entries, size):
        kept = () if self.store is None else self.store._database.clock.mark()
        if self.store is not None:
            self.store.close()
        self.quota = Quota(size, entries, MAX_AGE)
        self.store = Store(
            self.folder,
            self.quota,
            self.encryption,
            keep_images=self.images,
            deliver=self.deliver,
            clock=SteadyClock(*kept, read=self.clocks),
        )

    def put(self, frames):
        receipts = self.store.put(
            [frame(f"{n}", size=size, confidence=size / 300) for n, size in frames]
        )
        for (number, _), receipt in zip(frames, receipts, strict=True):
            self.keys[number] = receipt.key
            assert receipt.kept == (self.store.get(receipt.key) is not None)

    def do(self, what, first=None, second=None):
        key, store = self.keys.get(first, "none") if isinstance(first, int) else "", self.store
        steps = {
            "put": lambda: self.put(first),
            "resolve": lambda: store.resolve(key, {"predictions": ["." * second]}),
            "dead_letter": lambda: store.dead_letter(key, "refused"),
            "postpone": lambda: store.postpone(key, 10, "busy", counts=True),
            "mark_delivered": lambda: store.mark_delivered(key),
            "give_up": lambda: store.postpone_delivery(key, 1, give_up=True),
            "retry": lambda: store.retry([key]),
            "retry_all": store.retry,
            "purge": lambda: store.purge(keys=[key]),
            "purge_state": lambda: store.purge(states=[first]),
            "pass_by": lambda: self.clocks.pass_by(first),
            "drop_expired": store.drop_expired,
            "reopen": lambda: self.reopen(first, second),
        }
        steps[what]()

    def check(self, *, just_put, expired):
        there = self.store.entries(limit=100)
        assert self.store.counts() == {
            **{state: sum(entry.state is state for entry in there) for state in EntryState},
            "bytes": sum(entry.size for entry in there),
            "webhook_pending": sum(entry.webhook is Delivery.PENDING for entry in there),
            "webhook_failed": sum(entry.webhook is Delivery.FAILED for entry in there),
        }
        with sqlite3.connect(self.folder / FILE_NAME) as database:
            stored = dict(database.execute("SELECT key, LENGTH(bytes) FROM image"))
            sql = "SELECT key, LENGTH(items) + LENGTH(COALESCE(result, '')) FROM entry"
            sizes = {key: length + stored.get(key, 0) for key, length in database.execute(sql)}
            oldest = database.execute("SELECT MIN(created_steady_s) FROM entry").fetchone()[0]
        database.close()
        assert {entry.key: entry.size for entry in there} == sizes
        assert set(stored) == {
            entry.key for entry in there if entry.state is not EntryState.PREDICTION_ONLY
        }
        if just_put:
            assert self.store.counts()["bytes"] <= self.quota.max_bytes
            assert len(there) <= self.quota.max_entries
        if expired and there:
            assert self.store._database.clock() - oldest <= MAX_AGE


WHOLE_LIFE = [
    ("put", [(number, 50) for number in range(4)]), ("postpone", 0), ("resolve", 0, 20),
    ("resolve", 1, 20), ("mark_delivered", 0), ("give_up", 1), ("dead_letter", 2),
    ("put", [(2, 50), (3, 50)]), ("retry", 1), ("reopen", 6, 1_000), ("retry_all",),
    ("give_up", 1), ("purge", 0), ("purge_state", EntryState.RESOLVED), ("pass_by", 60),
    ("put", [(8, 50)]), ("pass_by", 60), ("drop_expired",),
    ("put", [(number, 300) for number in range(4)]),
]  # fmt: skip


@example(WHOLE_LIFE, True, True, True)
@example(WHOLE_LIFE, False, False, False)
@settings(max_examples=25, deadline=None)
@given(st.lists(STEP, max_size=30), st.booleans(), st.booleans(), st.booleans())
def test_the_counts_match_the_entries_after_any_sequence_of_operations(
    steps, deliver, images, encrypted
):
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(
            Path(folder),
            AesGcmEncryption(KEY) if encrypted else None,
            deliver=deliver,
            images=images,
        )
        for step in steps:
            desk.do(*step)
            desk.check(just_put=step[0] == "put", expired=step[0] in {"put", "drop_expired"})
        desk.store.close()


def test_the_quota_holds_with_every_frame_of_a_long_run_and_no_more_goes_than_a_little_beyond_it(
    tmp_path,
):
    quota = Quota(max_bytes=20_000, max_entries=50)
    store = Store(tmp_path, quota)
    for number in range(150):
        before = store.counts()
        (receipt,) = store.put(
            [frame(f"{number}", size=100 + number * 7 % 400, confidence=number % 10 / 10)]
        )
        after = store.counts()
        assert after["bytes"] <= quota.max_bytes
        assert after[EntryState.WAITING] <= quota.max_entries
        new = store.get(receipt.key)
        grown = after["bytes"] - before["bytes"] - (0 if new is None else new.size)
        assert (
            -grown < 500 + 600 + quota.max_bytes // 20
        )  # the need, the last one's size, and the slack
    assert store.counts()[EntryState.WAITING] >= 25
    store.close()
