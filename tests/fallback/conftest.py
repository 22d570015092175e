"""The online model's double, one process for the room's tests."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def vertex():
    from edge.testing.vertex import FakeVertex  # Google's library: most of the room's tests do without it

    with FakeVertex() as fake:
        yield fake
