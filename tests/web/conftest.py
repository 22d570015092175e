"""Servers that several of the doors' tests ask; each is started once."""

from collections.abc import Iterator

import httpx
import pytest
from serving.process import Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server as a newcomer starts it: the embedded models, no setting."""
    with Server() as running:
        yield running


@pytest.fixture
def client(server: Server) -> httpx.Client:
    return server.client


@pytest.fixture(scope="session")
def small() -> Iterator[Server]:
    """A server with low limits: one frame at work and one waiting, 200 kB, a megapixel."""
    with Server(
        "--workers", 1, "--queue-size", 1, "--max-body-bytes", 200_000, "--max-pixels", 1_000_000
    ) as running:
        yield running
