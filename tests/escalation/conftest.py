"""The service in a process of its own, with the double of the cloud in another."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request

import pytest
from builders.escalation import small_repository
from builders.waiting import wait
from serving.process import MODELS, Server

from edge.testing.vertex import ENDPOINT, FakeVertex

PHOTOS = MODELS / "photos"
CLOUD = {"cloud-endpoint": ENDPOINT, "cloud-credentials": "anonymous"}


class CloudServer(Server):
    """`edge serve` with one worker, asked for JSON, and waited for until its link is well.

    Each frame counts, since these tests send the same photograph again and again.
    """

    def __init__(self, *prefix: str, ready=True, **settings):
        settings = {"models": MODELS, "workers": 1, "cloud_repeat_s": 0, **settings}
        super().__init__(prefix=prefix, ready=ready, **settings)

    def get(self, path):
        return self._json(self.url + path, 30)

    def post(self, image: bytes, path="/predict", timeout=30, **parameters):
        query = urllib.parse.urlencode(parameters)
        return self._json(urllib.request.Request(f"{self.url}{path}?{query}", image), timeout)

    def link_is(self, state: str):
        # The first connection imports Google's client, which takes a busy machine a minute.
        self.wait(lambda: self.get("/fallback")["link"]["state"] == state, 120, pause=0.1)

    def heals(self, image, **parameters):
        """Send frames until one of them has shown that the cloud is well again."""

        def healed():
            state = self.get("/fallback")["link"]["state"]
            if state == "half_open":
                self.post(image, **parameters)
            return state == "up"

        self.wait(healed)

    wait = staticmethod(wait)

    @staticmethod
    def _json(request, timeout):
        try:
            with urllib.request.urlopen(request, timeout=timeout) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)


@pytest.fixture(scope="session")
def vertex():
    with FakeVertex() as fake:
        yield fake


@pytest.fixture(scope="session")
def serve():
    """Starts a server: ``with serve(cloud_mode="shadow") as server``."""
    return CloudServer


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
    """As many different photographs as asked for: one picture with different trailing bytes."""
    base = (PHOTOS / "chelsea.jpg").read_bytes()
    return lambda count, start=0: [base + f"{n:08d}".encode() for n in range(start, start + count)]


@pytest.fixture
def as_root():
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture
def repository(tmp_path):
    """A repository with one small model, for tests in this process."""
    (tmp_path / "models").mkdir()
    return small_repository(tmp_path / "models")
