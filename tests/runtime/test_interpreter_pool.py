"""When a model gets another interpreter, who gets which, and what happens if there is none."""

import threading

import pytest

from edge.errors import ExportError
from edge.runtime import interpreter_pool
from edge.runtime.interpreter_pool import OPENING_S, TOLERATED_SHARE, InterpreterPool, Waits

LONG_S = 60.0


class Fake:
    """An interpreter that nobody runs."""


class Opener:
    """Opens interpreters, or fails to."""

    def __init__(self, error=None):
        self.opened = 0
        self.error = error

    def __call__(self):
        self.opened += 1
        if self.error is not None:
            raise self.error
        return Fake()


@pytest.fixture
def patient(monkeypatch):
    """No wait is long enough to open another interpreter."""
    monkeypatch.setattr(interpreter_pool, "OPENING_S", LONG_S)


def lease_in_thread(pool, worker):
    """Start a thread that leases an interpreter once, and return it with what it will get."""
    got = []

    def lease():
        with pool.lease(worker) as interpreter:
            got.append(interpreter)

    thread = threading.Thread(target=lease, daemon=True)
    thread.start()
    return thread, got


def join(thread):
    thread.join(LONG_S)
    assert not thread.is_alive()


def test_frames_one_after_the_other_share_one_interpreter():
    opener = Opener()
    only = Fake()
    pool = InterpreterPool([only], opener, more=3)
    for worker in (0, 1, 2, 3, 0):
        with pool.lease(worker) as interpreter:
            assert interpreter is only
    assert opener.opened == 0
    assert repr(pool) == "<InterpreterPool 1/1 free, at most 4>"


def test_a_frame_that_would_wait_longer_than_opening_another_takes_opens_it():
    opener = Opener()
    pool = InterpreterPool([Fake()], opener, more=1)
    with pool.lease(0) as first:  # until the other frame is done: waiting has no end
        thread, got = lease_in_thread(pool, 1)
        join(thread)
    assert opener.opened == 1
    assert got[0] is not first
    assert repr(pool) == "<InterpreterPool 2/2 free, at most 2>"


@pytest.mark.usefixtures("patient")
def test_a_frame_that_waits_a_moment_gets_the_interpreter_of_the_one_before():
    opener = Opener()
    pool = InterpreterPool([Fake()], opener, more=1)
    with pool.lease(0) as first:
        thread, got = lease_in_thread(pool, 1)
    join(thread)
    assert got == [first]
    assert opener.opened == 0


def test_there_are_never_more_interpreters_than_allowed():
    opener = Opener()
    pool = InterpreterPool([Fake()], opener, more=1)
    with pool.lease(0):
        with pool.lease(1):
            thread, got = lease_in_thread(pool, 2)
            thread.join(OPENING_S * 5)
            assert got == []
        join(thread)
    assert opener.opened == 1
    assert len(got) == 1


@pytest.mark.parametrize(
    "error", [ExportError("m", "it was changed", "Restart"), MemoryError(), OSError("gone")]
)
def test_frames_take_turns_if_no_interpreter_can_be_added(error, caplog):
    opener = Opener(error)
    pool = InterpreterPool([Fake()], opener, more=3)
    opener_called = threading.Event()
    original = opener.__call__

    def open_another():
        opener_called.set()
        return original()

    pool = InterpreterPool([Fake()], open_another, more=3)
    with pool.lease(0) as first:
        thread, got = lease_in_thread(pool, 1)
        assert opener_called.wait(LONG_S)
    join(thread)
    assert got == [first]
    with pool.lease(0):
        thread, got = lease_in_thread(pool, 1)
        thread.join(OPENING_S * 5)
        assert got == []
    join(thread)
    assert opener.opened == 1, "it is tried once, and reported once"
    assert len(caplog.records) == 1
    assert repr(pool) == "<InterpreterPool 1/1 free, at most 1>"


def test_an_interpreter_returns_after_a_frame_that_failed():
    pool = InterpreterPool([Fake()], Opener(), more=1)
    with pytest.raises(ArithmeticError), pool.lease(0):
        raise ArithmeticError
    assert repr(pool) == "<InterpreterPool 1/1 free, at most 2>"


def test_a_worker_gets_the_interpreter_that_it_had_last():
    pool = InterpreterPool([Fake(), Fake()])
    with pool.lease(0) as first, pool.lease(1) as second:
        assert first is not second
    for _ in range(2):
        with pool.lease(0) as again:
            assert again is first
        with pool.lease(1) as again:
            assert again is second
        with pool.lease(0) as mine, pool.lease(1) as other:
            assert (mine, other) == (first, second)


def test_no_interpreter_runs_two_frames_at_once(monkeypatch):
    monkeypatch.setattr(interpreter_pool, "OPENING_S", 0.0)
    workers = 4
    pool = InterpreterPool([Fake()], Opener(), more=workers - 1)
    running, faults = [], []

    def work(worker):
        for _ in range(500):
            with pool.lease(worker) as interpreter:
                if interpreter in running:
                    faults.append(worker)
                running.append(interpreter)
                running.remove(interpreter)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        join(thread)
    assert faults == []
    assert len(set(pool._free)) == pool._count <= workers


def test_waits_add_up_until_another_interpreter_pays():
    waits = Waits()
    assert waits.left_s(1000.0) == OPENING_S
    waits.add(1000.0, 1000.0 + OPENING_S / 2)
    assert waits.left_s(1000.0 + OPENING_S / 2) == pytest.approx(OPENING_S / 2)
    waits.add(1000.0 + OPENING_S / 2, 1000.0 + OPENING_S)
    assert waits.left_s(1000.0 + OPENING_S) <= 1e-9


@pytest.mark.parametrize(("share", "pays"), [(0.5, False), (0.9, False), (1.5, True), (30, True)])
def test_rare_waits_never_pay_and_frequent_ones_soon_do(share, pays):
    """The share of the time that frames wait, in multiples of what is tolerated."""
    waits, now = Waits(), 1000.0
    wait_s = OPENING_S / 5
    pause_s = wait_s / (TOLERATED_SHARE * share)
    for _ in range(100):
        now += pause_s
        waits.add(now, now + wait_s)
        now += wait_s
    assert (waits.left_s(now) <= 0) == pays
