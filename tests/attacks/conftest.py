"""The server that attacks share: each attack must leave it as it found it."""

from collections.abc import Iterator

import pytest
from serving.process import Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """`edge serve` with its defaults and two workers."""
    with Server(workers=2) as running:
        yield running
