"""Servers that several of the doors' tests ask; each is started once."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from serving.process import Server

from edge.dataplane.service import InferenceService
from edge.settings import Settings
from edge.wiring.bootstrap import build_service


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server as a newcomer starts it: the embedded models, no setting."""
    with Server() as running:
        yield running


@pytest.fixture(scope="module")
def service() -> Iterator[InferenceService]:
    """A service in this process, for applications with settings of their own."""
    service = build_service(Settings(workers=1))
    yield service
    asyncio.run(service.stop())


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
