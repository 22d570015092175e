"""What is published on a connection, and when; the session's acknowledgements are the test's."""

import json

import pytest
from builders.alerts import alert, rule

from edge.alerts.alert import RuleState
from edge.sinks.health import SinkHealth
from edge.sinks.mqtt_publisher import ACK_S, MqttPublisher, Topics
from edge.sinks.mqtt_session import BrokerLost
from edge.sinks.queue import AlertQueue
from edge.sinks.state_board import StateBoard

GATE, YARD = rule("gate"), rule("yard")


class Info:
    acknowledged = False

    def is_published(self):
        return self.acknowledged


class Session:
    def __init__(self):
        self.sent = []

    def publish(self, topic, payload, *, retain):
        info = Info()
        self.sent.append((topic.removeprefix("edge/"), payload, retain, info))
        return info

    def acknowledge(self):
        for *_, info in self.sent:
            info.acknowledged = True

    def take(self):
        """The topics of what was sent since the last look."""
        topics = [topic for topic, *_ in self.sent]
        self.acknowledge()
        self.sent.clear()
        return topics


class Desk:
    def __init__(self):
        self.now = 0.0
        self.session = Session()
        self.queue = AlertQueue()
        self.board = StateBoard([GATE, YARD])
        self.health = SinkHealth("mqtt", "the broker")
        self.publisher = MqttPublisher(
            self.session,
            Topics("edge", None),
            self.queue,
            self.board,
            self.health,
            lambda: self.now,
        )

    def begin(self):
        self.publisher.begin([GATE, YARD])
        self.publisher.step()
        topics = self.session.take()
        self.publisher.step()
        assert self.publisher.is_idle
        return topics


@pytest.fixture
def desk():
    return Desk()


def test_a_connection_begins_with_the_status_and_all_states(desk):
    assert desk.begin() == ["status", "alerts/gate/state", "alerts/yard/state"]


def test_an_alert_leaves_the_queue_once_it_is_acknowledged_and_then_the_next_is_sent(desk):
    desk.begin()
    for number in (1, 2):
        desk.queue.put(alert(number, of=GATE))
    for _ in range(3):
        desk.publisher.step()
    assert len(desk.session.sent) == 1
    assert len(desk.queue) == 2
    assert not desk.publisher.is_idle
    desk.session.acknowledge()
    desk.publisher.step()
    assert (len(desk.queue), desk.health.status(0).delivered) == (1, 1)
    assert [json.loads(body)["data"]["id"] for _, body, *_ in desk.session.sent] == [
        "alert_1",
        "alert_2",
    ]


def test_of_a_rule_that_changes_quickly_the_latest_state_is_sent_once_the_last_has_arrived(desk):
    desk.begin()
    for cameras in (("a",), ("a", "b"), ("b",), ()):
        desk.board.show(RuleState(GATE, cameras))
        desk.board.show(RuleState(YARD, ("c",)))
        desk.publisher.step()
    assert [topic for topic, *_ in desk.session.sent] == ["alerts/gate/state", "alerts/yard/state"]
    desk.session.take()
    desk.publisher.step()
    states = {topic: json.loads(body)["state"] for topic, body, *_ in desk.session.sent}
    assert states == {"alerts/gate/state": "OFF", "alerts/yard/state": "ON"}


@pytest.mark.parametrize("kind", ["alert", "state"])
def test_a_broker_that_acknowledges_nothing_is_lost_and_the_alert_is_not(desk, kind):
    desk.begin()
    if kind == "alert":
        desk.queue.put(alert(1, of=GATE))
    else:
        desk.board.show(RuleState(GATE, ("a",)))
    desk.publisher.step()
    desk.now = ACK_S
    desk.publisher.step()
    desk.now = ACK_S + 0.1
    with pytest.raises(BrokerLost, match="did not acknowledge"):
        desk.publisher.step()
    assert len(desk.queue) == (kind == "alert")


def test_online_is_said_again_every_minute(desk):
    desk.begin()
    desk.now = 59.9
    desk.publisher.step()
    assert desk.session.take() == []
    desk.now = 60
    desk.publisher.step()
    desk.publisher.step()
    assert desk.session.take() == ["status"]


def test_an_alert_of_yesterday_is_dropped(desk, monkeypatch):
    desk.begin()
    monkeypatch.setattr("edge.sinks.queue.MAX_AGE_S", 0.0)
    desk.queue.put(alert(1, of=GATE))
    desk.publisher.step()
    assert desk.session.sent == []
    assert (len(desk.queue), desk.health.status(0).dropped) == (0, 1)
