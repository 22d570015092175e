"""An open outbox, and a webhook receiver."""

from __future__ import annotations

from functools import partial

import pytest
from builders.outbox import Clocks
from builders.receiver import running_receiver

from edge.clock import SteadyClock
from edge.outbox.outbox import Outbox
from edge.outbox.store import Store


@pytest.fixture
def clocks():
    return Clocks()


@pytest.fixture
def open_store(tmp_path, clocks):
    opened = []

    def open_(quota=None, encryption=None, **how):
        store = Store(
            tmp_path, quota, encryption, clock=how.pop("clock", SteadyClock(read=clocks)), **how
        )
        opened.append(store)
        return store

    yield open_
    for store in opened:
        store.close()


@pytest.fixture
def outbox(tmp_path):
    one = Outbox(partial(Store, tmp_path, deliver=True), tmp_path)
    one.start()
    yield one
    one.stop()


@pytest.fixture
def receiver():
    with running_receiver("/results") as server:
        yield server


@pytest.fixture
def timed(tmp_path, clocks):
    """An outbox whose clocks are set by hand."""
    one = Outbox(partial(Store, tmp_path, deliver=True, clock=SteadyClock(read=clocks)), tmp_path)
    one.start()
    yield one
    one.stop()
