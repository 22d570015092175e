"""Routes whose function takes the `Request` and returns the `Response`, bypassing FastAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.routing import APIRoute

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fastapi import Request, Response


class DirectRoute(APIRoute):
    """A documented route on the hot path: FastAPI neither resolves dependencies nor validates."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the function itself; it must be asynchronous and take only the request."""
        return self.endpoint
