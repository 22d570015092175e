"""What is published on one connection to an MQTT broker: status, sensors, states, alerts.

Each message waits for the broker's acknowledgement before the next one of its kind is sent, so that
nothing piles up in the library when the network is slow.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.sinks.alert_body import alert_body, json_body
from edge.sinks.mqtt_session import BrokerLost
from edge.sinks.sink import STALE
from edge.sinks.topics import OFFLINE, ONLINE, alert_topic, discovery, state_topic, status_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paho.mqtt.client import MQTTMessageInfo

    from edge.alerts.rule import Rule
    from edge.sinks.health import SinkHealth
    from edge.sinks.mqtt_session import MqttSession
    from edge.sinks.queue import AlertQueue
    from edge.sinks.state_board import StateBoard

ACK_S = 20.0
"""Seconds that the broker has to acknowledge a message."""

_ONLINE_S = 60.0
"""Seconds after which `ONLINE` is said again: a broker may send the last will of a connection that
broke after the next one has begun."""


@dataclass(frozen=True, slots=True)
class Topics:
    """What to call things at the broker.

    Attributes:
        prefix: what our topics begin with.
        discovery: where Home Assistant looks for new sensors; ``None`` to announce none.
    """

    prefix: str
    discovery: str | None


@dataclass(frozen=True, slots=True)
class _Sent:
    info: MQTTMessageInfo
    at: float

    def is_acknowledged(self, now: float) -> bool:
        if not self.info.is_published():
            if now - self.at > ACK_S:
                raise BrokerLost(f"the broker did not acknowledge a message within {ACK_S:.0f} s")
            return False
        return True


class MqttPublisher:
    """Publishes what is due, a step at a time.

    Args:
        session: that the broker has accepted.
        topics: what to call things there.
        queue: the alerts.
        board: the states.
        health: hears of each alert that was taken or given up.
        clock: seconds that nobody sets.
    """

    def __init__(
        self,
        session: MqttSession,
        topics: Topics,
        queue: AlertQueue,
        board: StateBoard,
        health: SinkHealth,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._topics = topics
        self._queue = queue
        self._board = board
        self._health = health
        self._clock = clock
        self._online_at = clock()
        self._states: dict[str, _Sent] = {}  # by slug of the rule
        self._alert: _Sent | None = None

    def begin(self, rules: Sequence[Rule]) -> None:
        """Say that we are there, announce the rules to Home Assistant, and mark all states."""
        self._say(ONLINE)
        prefix = self._topics.discovery
        if prefix is not None:
            for rule in rules:
                topic, content = discovery(rule, prefix, self._topics.prefix)
                self._session.publish(topic, json_body(content), retain=True)
        self._board.mark_all()

    def step(self) -> None:
        """Publish what is due and can be; raises ``BrokerLost`` as the session does."""
        now = self._clock()
        if now - self._online_at >= _ONLINE_S:
            self._online_at = now
            self._say(ONLINE)
        self._publish_states(now)
        self._publish_alerts(now)

    def say_farewell(self) -> MQTTMessageInfo:
        """Say that we are gone; the broker's last will is for an end without a farewell."""
        return self._say(OFFLINE)

    @property
    def is_idle(self) -> bool:
        """Whether all has been published and acknowledged."""
        return not self._queue and not self._board and self._alert is None and not self._states

    def _say(self, word: str) -> MQTTMessageInfo:
        return self._session.publish(status_topic(self._topics.prefix), word, retain=True)

    def _publish_states(self, now: float) -> None:
        acknowledged = [slug for slug, sent in self._states.items() if sent.is_acknowledged(now)]
        for slug in acknowledged:
            del self._states[slug]
        for state in self._board.take(self._states):
            topic = state_topic(state.rule, self._topics.prefix)
            info = self._session.publish(topic, json_body(state.as_json()), retain=True)
            self._states[state.rule.slug] = _Sent(info, now)

    def _publish_alerts(self, now: float) -> None:
        if self._alert is not None:
            if not self._alert.is_acknowledged(now):
                return
            self._alert = None
            self._queue.remove_first()
            self._health.delivered()
        while (stale := self._queue.take_stale()) is not None:
            self._health.dropped(stale, STALE)
        alert = self._queue.first()
        if alert is not None:
            topic = alert_topic(alert.rule, self._topics.prefix)
            self._alert = _Sent(self._session.publish(topic, alert_body(alert), retain=False), now)
