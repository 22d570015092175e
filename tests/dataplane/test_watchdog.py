"""A worker that is far past a deadline is reported, and logged once."""

import logging

from edge.dataplane.watchdog import GRACE_S, Watchdog


class Pool:
    """Stands in for a pool: which workers run, and their jobs' deadlines."""

    def __init__(self) -> None:
        self.jobs: dict[int, float] = {}

    def running(self) -> dict[int, float]:
        return self.jobs


def lines(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


def test_a_worker_that_is_a_minute_past_a_deadline_is_stuck(caplog):
    pool, now = Pool(), 1000.0
    watchdog = Watchdog(pool, clock=lambda: now)
    pool.jobs = {0: now, 1: now + 10}
    assert watchdog.fault() is None
    now += GRACE_S
    assert watchdog.fault() is None
    now += 1
    assert watchdog.fault() == "worker 0 is 61 s past the deadline of its frame"
    now += 30
    assert watchdog.fault() == "worker 0 is 91 s past the deadline of its frame"
    assert len(lines(caplog)) == 1
    assert "restart the service" in lines(caplog)[0]
    pool.jobs = {0: now}
    assert watchdog.fault() is None
    now += GRACE_S + 1
    assert watchdog.fault() is not None
    assert len(lines(caplog)) == 2


def test_an_idle_pool_and_one_without_deadlines_are_well():
    pool = Pool()
    watchdog = Watchdog(pool, clock=lambda: 1e9)
    assert watchdog.fault() is None
    pool.jobs = {0: float("inf")}
    assert watchdog.fault() is None
