"""Who a request comes from, as far as that is known: whose share of the budget it spends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

KEY_NAME = "edge.key"
"""Where in the ASGI scope `KeyGuard` leaves the name of the key that a request carries."""


def client_of(connection: HTTPConnection) -> str:
    """The name of the request's API key; without keys, the address it comes from."""
    scope = connection.scope
    name = scope.get(KEY_NAME)
    if name is not None:
        return f"key {name}"
    address = scope.get("client")  # on every frame's path: Starlette's property costs 4 times more
    return address[0] if address else ""
