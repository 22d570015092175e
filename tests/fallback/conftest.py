"""The online model's double, one process for the room's tests."""

from __future__ import annotations

import pytest

from edge.testing.vertex import FakeVertex


@pytest.fixture(scope="session")
def vertex():
    with FakeVertex() as fake:
        yield fake
