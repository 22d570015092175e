"""Whose share of the budget a request spends."""

from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from edge.web.access.client import KEY_NAME, client_of


@pytest.mark.parametrize(
    ("scope", "client"),
    [
        ({"client": ("10.0.0.1", 4711)}, "10.0.0.1"),
        ({"client": ("fe80::1", 4711)}, "fe80::1"),
        ({"client": ("10.0.0.1", 4711), KEY_NAME: "front desk"}, "key front desk"),
        ({"client": None}, ""),
        ({}, ""),
    ],
)
def test_a_client_is_its_key_or_else_its_address(scope, client):
    assert client_of(HTTPConnection({"type": "http", "headers": [], **scope})) == client
