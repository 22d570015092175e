"""A blocking call on a thread of its own."""

from __future__ import annotations

import asyncio
import threading

import pytest
from builders.waiting import wait

from edge.background import in_background


@pytest.fixture(autouse=True)
def _no_threads_of_other_tests():
    """What an earlier test left behind ends first, so that threads can be counted."""
    names = lambda: [thread.name for thread in threading.enumerate()]  # noqa: E731
    wait(lambda: not any(name.startswith(("edge-background", "edge-cloud")) for name in names()))


class Panic(BaseException):
    """As an extension module raises it."""


def test_the_result_comes_back_from_a_daemon_thread():
    thread = asyncio.run(in_background(threading.current_thread))
    assert thread is not threading.main_thread()
    assert thread.daemon
    assert asyncio.run(in_background(lambda: None)) is None


@pytest.mark.parametrize("kind", [ZeroDivisionError, Panic])
def test_what_the_call_raises_is_raised(kind):
    def fails():
        raise kind

    with pytest.raises(kind):
        asyncio.run(in_background(fails))


def test_the_loop_goes_on_meanwhile():
    async def run():
        may_end = threading.Event()
        call = asyncio.create_task(in_background(lambda: may_end.wait(30)))
        await asyncio.sleep(0)
        may_end.set()  # else it would never end
        return await call

    assert asyncio.run(run())


def test_a_caller_that_gives_up_stops_waiting_and_a_late_result_does_no_harm():
    may_end, faults = threading.Event(), []
    before = set(threading.enumerate())

    async def run():
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(in_background(lambda: may_end.wait(30)), 0.05)
        may_end.set()
        while not set(threading.enumerate()) <= before:  # noqa: ASYNC110 -- it is a thread
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)

    asyncio.run(run())
    assert faults == []


def test_a_call_that_ends_after_its_loop_ends_quietly():
    may_end = threading.Event()
    before = set(threading.enumerate())

    async def run():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(in_background(lambda: may_end.wait(30)), 0.05)

    asyncio.run(run())
    assert not set(threading.enumerate()) <= before
    may_end.set()
    wait(
        lambda: set(threading.enumerate()) <= before
    )  # an error in it would be a warning, which fails a test
