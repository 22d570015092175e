"""One connection to an MQTT broker. The only module that knows paho-mqtt, and imported late.

paho's own loop waits with `select`, which fails once the process has more than 1,024 files open, as
a service with many connections has. So the waiting is ours. Everything here blocks, for a bounded
time, and belongs on the sink's thread.
"""

from __future__ import annotations

import selectors
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client, error_string
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessageInfo

    from edge.secret_text import MqttAddress

KEEPALIVE_S = 30
"""The broker takes us for gone, and sends the last will, after one and a half times this."""

_CONNECT_S = 10.0
_AT_LEAST_ONCE = 1


class BrokerLost(OSError):
    """There is no connection; the message says why, without secrets."""


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says in our name once we are gone."""

    topic: str
    payload: str


class MqttSession:
    """A connection, from `open` to `close`; not to be opened twice.

    Args:
        address: of the broker.
        tls: how to check the broker's certificate; used if the address asks for TLS.
        client_id: unique among the broker's clients.
        will: retained by the broker if the connection ends without `close`.
    """

    def __init__(
        self, address: MqttAddress, tls: ssl.SSLContext | None, client_id: str, will: Will
    ) -> None:
        self._address = address
        self._refusal: str | None = None
        self._is_accepted = False
        client = Client(CallbackAPIVersion.VERSION2, client_id, reconnect_on_failure=False)
        client.connect_timeout = _CONNECT_S
        client.on_connect = self._on_connect
        if address.user is not None:
            client.username_pw_set(address.user, address.password)
        if tls is not None:
            client.tls_set_context(tls)
        client.will_set(will.topic, will.payload, _AT_LEAST_ONCE, retain=True)
        self._client = client
        self._selector = selectors.DefaultSelector()

    def open(self) -> None:
        """Connect and send who we are; `is_accepted` becomes true in a later `turn`.

        Raises:
            OSError: the broker cannot be reached, or its certificate is not to be trusted.
        """
        code = self._client.connect(self._address.host, self._address.port, KEEPALIVE_S)
        self._check(code)
        self._selector.register(self._socket(), selectors.EVENT_READ)

    def watch(self, descriptor: int) -> None:
        """Let `turn` end early when this descriptor becomes readable."""
        self._selector.register(descriptor, selectors.EVENT_READ)

    @property
    def is_accepted(self) -> bool:
        """Whether the broker has let us in."""
        return self._is_accepted

    def publish(self, topic: str, payload: str | bytes, *, retain: bool) -> MQTTMessageInfo:
        """Send a message; ``is_published()`` of the result says whether the broker has it.

        Raises:
            BrokerLost: the connection has ended.
        """
        info = self._client.publish(topic, payload, _AT_LEAST_ONCE, retain)
        self._check(info.rc)
        return info

    def turn(self, wait_s: float) -> None:
        """Wait until something happens, at most so long, and do what is due on the connection.

        Raises:
            BrokerLost: the connection has ended, or was refused.
        """
        sock = self._socket()
        wanted = selectors.EVENT_READ
        if self._client.want_write():
            wanted |= selectors.EVENT_WRITE
        self._selector.modify(sock, wanted)
        for key, events in self._selector.select(wait_s):
            if key.fileobj is not sock:
                continue
            if events & selectors.EVENT_READ:
                self._read(sock)
            if events & selectors.EVENT_WRITE:
                self._check(self._client.loop_write())
        self._check(self._client.loop_misc())

    def close(self) -> None:
        """End the connection; with a farewell, so that the broker does not send the will."""
        with suppress(OSError, ValueError):
            self._client.disconnect()
        self._selector.close()

    def _read(self, sock: object) -> None:
        self._check(self._client.loop_read())
        # TLS may hold more than one packet, for which the socket will not become readable again.
        while self._client.socket() is sock and isinstance(sock, ssl.SSLSocket) and sock.pending():
            self._check(self._client.loop_read())

    def _socket(self) -> Any:
        sock = self._client.socket()
        if sock is None:
            raise BrokerLost(self._refusal or "the connection was closed")
        return sock

    def _check(self, code: MQTTErrorCode) -> None:
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise BrokerLost(self._refusal or error_string(code).removesuffix("."))

    def _on_connect(self, _: Any, __: Any, ___: Any, reason: Any, ____: Any) -> None:
        if reason.is_failure:
            self._refusal = f"the broker refused the connection: {reason}"
        else:
            self._is_accepted = True
