"""Alerts that wait: bounded, in order, fair; and what the log hears of a sink's health."""

import logging

import pytest
from builders.alerts import alert

from edge.sinks.health import SinkHealth, SinkState
from edge.sinks.queue import MAX_AGE_S, AlertQueue


def drain(queue):
    taken = []
    while (first := queue.first()) is not None:
        taken.append(first.identity)
        queue.remove_first()
    return taken


def test_alerts_leave_in_the_order_in_which_they_came():
    queue = AlertQueue(10)
    assert [queue.put(alert(number)) for number in range(3)] == [None] * 3
    assert drain(queue) == ["alert_0", "alert_1", "alert_2"]


def test_the_first_stays_until_it_is_removed():
    queue = AlertQueue(10)
    queue.put(alert(0))
    assert queue.first() is queue.first()
    assert len(queue) == 1


def test_a_full_queue_drops_the_oldest_of_the_client_that_has_most():
    queue = AlertQueue(5)
    for number in range(5):
        queue.put(alert(number, client="good" if number == 1 else "hostile"))
    assert queue.put(alert(5, client="good")).identity == "alert_2"
    assert queue.put(alert(6, client="hostile")).identity == "alert_3"
    assert drain(queue) == ["alert_0", "alert_1", "alert_4", "alert_5", "alert_6"]


def test_the_first_is_never_dropped_since_it_may_be_under_way():
    queue = AlertQueue(3)
    for number in range(50):
        queue.put(alert(number))
        assert len(queue) <= 3
    assert drain(queue) == ["alert_0", "alert_48", "alert_49"]


def test_an_alert_that_waited_for_a_day_is_taken_out():
    now = [0.0]
    queue = AlertQueue(10, clock=lambda: now[0])
    queue.put(alert(0))
    now[0] = MAX_AGE_S - 1
    queue.put(alert(1))
    assert queue.take_stale() is None
    now[0] = MAX_AGE_S
    assert queue.take_stale().identity == "alert_0"
    assert queue.take_stale() is None
    assert drain(queue) == ["alert_1"]


@pytest.fixture
def steady():
    return [0.0]


@pytest.fixture
def health(steady):
    return SinkHealth("webhook", "the webhook", clock=lambda: 0.0, steady=lambda: steady[0])


def test_a_sink_is_idle_then_up_or_down(health):
    assert health.status(0).state is SinkState.IDLE
    health.failed("it answered 503", 2)
    down = health.status(2)
    assert (down.state, down.fault, down.queued) == (SinkState.DOWN, "it answered 503", 2)
    health.delivered()
    assert health.status(0).as_json() == {
        "state": "up",
        "fault": None,
        "queued": 0,
        "delivered": 1,
        "dropped": 0,
        "last_delivered": "1970-01-01T00:00:00.000Z",
    }


def test_the_log_hears_of_changes_only(health, steady, caplog):
    caplog.set_level(logging.INFO)
    for _ in range(5):
        health.failed("it answered 503", 2)
    health.failed("timed out", 3)
    steady[0] = 61
    health.delivered()
    health.delivered()
    assert [record.getMessage() for record in caplog.records] == [
        f"alerts do not reach the webhook: {fault} are waiting; it is tried again and again"
        for fault in ("it answered 503. 2", "timed out. 3")
    ] + [
        "alerts reach the webhook again, after 61 s",
    ]


def test_dropped_alerts_are_logged_at_once_then_once_a_minute(health, steady, caplog):
    for second in range(121):
        steady[0] = second
        health.dropped(alert(), "the queue is full")
    words = [record.getMessage() for record in caplog.records]
    assert [line.partition(" alerts")[0] for line in words] == [
        "gave up delivering 1",
        "gave up delivering 60",
        "gave up delivering 60",
    ]
    assert 'rule "person", camera "gate": the queue is full' in words[0]
    assert health.status(0).dropped == 121
