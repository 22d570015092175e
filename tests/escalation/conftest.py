"""The service in a process of its own, with the double of the cloud in another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from builders.waiting import wait

from edge.testing.vertex import ENDPOINT, FakeVertex

ROOT = Path(__file__).resolve().parents[2]
PHOTOS = ROOT / "models" / "photos"
CLOUD = {"cloud-endpoint": ENDPOINT, "cloud-credentials": "anonymous"}


class Server:
    """`edge serve`, its settings given as flags with dashes."""

    def __init__(self, *prefix: str, stderr=subprocess.DEVNULL, **settings):
        settings = {"port": 0, "models": ROOT / "models", "workers": 1, **settings}
        flags = [part for name, value in settings.items() for part in _flag(name, value)]
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "edge", "serve", *flags], cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr,
            text=True,
        )  # fmt: skip
        line = self.process.stdout.readline()
        assert " on http://" in line, line
        self.url = line.split(" on ")[1].strip()

    def __enter__(self):
        try:
            self.wait(lambda: self.get("/health/ready").get("ready"))
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
        self.process.stdout.close()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def get(self, path):
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)

    def post(self, image: bytes, path="/predict", timeout=30, **parameters):
        query = urllib.parse.urlencode(parameters)
        request = urllib.request.Request(f"{self.url}{path}?{query}", image)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)

    def link_is(self, state: str):
        self.wait(lambda: self.get("/fallback")["link"]["state"] == state)

    def heals(self, image, **parameters):
        """Send frames until one of them has shown that the cloud is well again."""

        def healed():
            state = self.get("/fallback")["link"]["state"]
            if state == "half_open":
                self.post(image, **parameters)
            return state == "up"

        self.wait(healed)

    wait = staticmethod(wait)


def _flag(name, value):
    if value is True or value is False:
        return [f"--{'' if value else 'no-'}{name.replace('_', '-')}"]
    return [f"--{name.replace('_', '-')}", str(value)]


@pytest.fixture(scope="session")
def vertex():
    with FakeVertex() as fake:
        yield fake


@pytest.fixture(scope="session")
def serve():
    """Starts a server: ``with serve(cloud_mode="shadow") as server``."""
    return Server


@pytest.fixture(scope="session")
def cloud(vertex):
    return {**CLOUD, "cloud-address": vertex.address}


@pytest.fixture
def photo() -> bytes:
    return (PHOTOS / "astronaut.jpg").read_bytes()


@pytest.fixture
def coffee() -> bytes:
    """Of this one the edge is sure."""
    return (PHOTOS / "coffee.jpg").read_bytes()


@pytest.fixture(scope="session")
def frames():
    """As many different photographs as asked for: the same picture with another comment behind it."""
    base = (PHOTOS / "chelsea.jpg").read_bytes()
    return lambda count, start=0: [base + f"{n:08d}".encode() for n in range(start, start + count)]


@pytest.fixture
def as_root():
    if os.geteuid() != 0:
        pytest.skip("needs root")
