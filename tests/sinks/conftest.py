"""A receiver of webhooks, and a real Mosquitto."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading

import pytest
from builders.receiver import running_receiver
from builders.waiting import wait
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")


@pytest.fixture
def receiver():
    with running_receiver("/alerts") as server:
        yield server


class Mosquitto:
    """A real broker; `stop` and `start` again keep the port, and forget what was retained."""

    def __init__(self, folder, options="", listener=""):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.file = folder / f"mosquitto-{self.port}.conf"
        who = options or "allow_anonymous true"
        # As root it would give up the right to read the test's folder.
        self.file.write_text(f"user root\nlistener {self.port} 127.0.0.1\n{listener}\n{who}\n")
        self.process = None

    @property
    def url(self):
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self):
        self.process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self.file)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait(self.answers)

    def answers(self):
        assert self.process.poll() is None, "mosquitto has ended"
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)
        self.process = None


@pytest.fixture
def make_broker(tmp_path):
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not there (apt-get install mosquitto)")
    made = []

    def make(options="", listener="", *, starts=True):
        broker = Mosquitto(tmp_path, options, listener)
        made.append(broker)
        if starts:
            broker.start()
        return broker

    yield make
    for broker in made:
        broker.stop()


@pytest.fixture
def broker(make_broker):
    return make_broker()


@pytest.fixture
def listen():
    """Connect a client that remembers every message: topic, payload, whether it was retained."""
    clients = []

    def connect(broker, topic="#", **how):
        client = Client(CallbackAPIVersion.VERSION2)
        client.got = []
        client.on_message = lambda _, __, m: client.got.append(
            (m.topic, m.payload.decode(), bool(m.retain))
        )
        subscribed = threading.Event()
        client.on_connect = lambda *_: client.subscribe(topic, 1)
        client.on_subscribe = lambda *_: subscribed.set()
        if "user" in how:
            client.username_pw_set(how["user"], how["password"])
        if "tls" in how:
            client.tls_set_context(how["tls"])
        client.connect(how.get("host", "127.0.0.1"), broker.port)
        client.loop_start()
        clients.append(client)
        assert subscribed.wait(30)
        return client

    yield connect
    for client in clients:
        client.disconnect()
        client.loop_stop()
