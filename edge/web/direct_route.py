"""Routes whose function takes the `Request` and returns the `Response`, with nothing of FastAPI's between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.routing import APIRoute

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fastapi import Request, Response


class DirectRoute(APIRoute):
    """A documented route of a hot path: FastAPI resolves no dependencies and validates nothing on it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The function itself; it must be asynchronous and take the request alone."""
        return self.endpoint
