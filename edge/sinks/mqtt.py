"""Publishes alerts and the state of each rule to an MQTT broker, on a thread of its own.

Below the owner's topic (``edge``): ``status`` is ``online``, or ``offline`` as the last will;
``alerts/RULE`` gets each alert; ``alerts/RULE/state`` is ON or OFF. Status and states are retained,
and said again with each connection. The broker acknowledges each message (QoS 1): an alert may come
twice, with the same id.
"""

from __future__ import annotations

import hashlib
import logging
import os
import random
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from edge.background import in_background
from edge.backoff import Backoff
from edge.sinks.health import SinkHealth
from edge.sinks.mqtt_publisher import ACK_S, MqttPublisher, Topics
from edge.sinks.mqtt_session import BrokerLost, MqttSession, Will
from edge.sinks.queue import AlertQueue
from edge.sinks.sink import FULL
from edge.sinks.state_board import StateBoard
from edge.sinks.topics import OFFLINE, status_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.alerts.alert import Alert, RuleState
    from edge.alerts.rule import Rule
    from edge.secret_text import MqttAddress
    from edge.sinks.health import SinkStatus

_log = logging.getLogger(__name__)

_BACKOFF = Backoff(first_s=1.0, max_s=60.0, jitter=0.5)
_LASTING_S = 60.0
"""A connection that lasted so long was a good one: the waits begin at the shortest again."""
_TURN_S = 5.0
_STOP_S = 2.0
"""Seconds in which waiting alerts are still delivered when the service stops."""


@dataclass(frozen=True, slots=True)
class MqttOptions:
    """How to reach the broker.

    Attributes:
        address: of the broker.
        tls: how to check its certificate; ``None`` without TLS.
        topics: what to call things there.
    """

    address: MqttAddress
    tls: ssl.SSLContext | None
    topics: Topics


class MqttSink:
    """Delivers alerts to one broker.

    Args:
        rules: all rules, whose states are retained.
        backoff: between attempts to connect.
    """

    def __init__(
        self, options: MqttOptions, rules: Sequence[Rule], *, backoff: Backoff = _BACKOFF
    ) -> None:
        self._options = options
        self._rules = tuple(rules)
        self._backoff = backoff
        self._queue = AlertQueue()
        self._board = StateBoard(rules)
        self._health = SinkHealth("mqtt", "the MQTT broker")
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._stopping = threading.Event()
        self._is_connected = False
        self._thread = threading.Thread(target=self._run, name="edge-mqtt", daemon=True)
        # The same in the next process: the broker then ends a connection that it still holds.
        name = f"{socket.gethostname()} {options.topics.prefix}"
        self._client_id = f"edge-{hashlib.sha256(name.encode()).hexdigest()[:16]}"

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    async def stop(self) -> None:
        """Deliver what waits within two seconds, unless the broker is away, and say farewell."""
        self._stopping.set()
        self._awake()
        patience_s = 2 * _STOP_S if self._is_connected else 0.0
        await in_background(partial(self._thread.join, patience_s))
        if lost := len(self._queue):
            _log.warning("stopped with %d alerts that the MQTT broker has not taken", lost)

    def deliver(self, alert: Alert) -> None:
        """Queue an alert."""
        dropped = self._queue.put(alert)
        if dropped is not None:
            self._health.dropped(dropped, FULL)
        self._awake()

    def show(self, state: RuleState) -> None:
        """Take note of a rule's new state."""
        self._board.show(state)
        self._awake()

    def status(self) -> SinkStatus:
        """How it is doing."""
        return self._health.status(len(self._queue))

    def _awake(self) -> None:
        os.eventfd_write(self._wake, 1)

    def _run(self) -> None:
        """Connect, serve the connection, wait, again; on the sink's thread."""
        failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            fault = self._serve_safely()
            self._is_connected = False
            if fault is None:
                return
            self._health.failed(fault, len(self._queue))
            failures = 1 if time.monotonic() - began >= _LASTING_S else failures + 1
            self._stopping.wait(self._backoff.seconds(failures, random.random()))  # noqa: S311 -- jitter

    def _serve_safely(self) -> str | None:
        """Hold one connection; returns why it ended, or ``None`` if the service stops."""
        try:
            self._serve()
        # ValueError: of a host name that cannot be encoded.
        except (OSError, ValueError) as error:
            return _words(error)
        except Exception as error:  # a bug must not end the delivery for good
            _log.exception("the connection to the MQTT broker failed")
            return type(error).__name__
        return None

    def _serve(self) -> None:
        address, topics = self._options.address, self._options.topics
        will = Will(status_topic(topics.prefix), OFFLINE)
        session = MqttSession(address, self._options.tls, self._client_id, will)
        try:
            session.open()
            session.watch(self._wake)
            self._turn_until(session, lambda: session.is_accepted or self._stopping.is_set(), ACK_S)
            if self._stopping.is_set():
                return
            if not session.is_accepted:
                raise BrokerLost(f"the broker did not answer within {ACK_S:.0f} s")
            self._is_connected = True
            self._health.worked()
            _log.info("connected to the MQTT broker at %s:%d", address.host, address.port)
            publisher = MqttPublisher(session, topics, self._queue, self._board, self._health)
            publisher.begin(self._rules)
            while not self._stopping.is_set():
                publisher.step()
                session.turn(_TURN_S)
                self._clear_wake()
            self._finish(session, publisher)
        finally:
            session.close()

    def _finish(self, session: MqttSession, publisher: MqttPublisher) -> None:
        """Deliver what waits, and say farewell, within a moment each."""

        def is_done() -> bool:
            publisher.step()
            return publisher.is_idle

        self._turn_until(session, is_done, _STOP_S)
        said = publisher.say_farewell()
        self._turn_until(session, said.is_published, _STOP_S / 2)

    def _turn_until(
        self, session: MqttSession, condition: Callable[[], bool], seconds: float
    ) -> None:
        """Turn until the condition holds or the time is over."""
        end = time.monotonic() + seconds
        while not condition() and (left := end - time.monotonic()) > 0:
            session.turn(min(left, _TURN_S))
            self._clear_wake()

    def _clear_wake(self) -> None:
        """Take note of having been awoken."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake)


def _words(error: Exception) -> str:
    """Why there is no connection, without secrets."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {error.verify_message}"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return f"it cannot be asked ({type(error).__name__})"
