"""The routes that take frames, found and run without the framework's routing.

They are registered with FastAPI as well, which documents them and answers the rarer forms of their
paths. Its routing, its exit stacks and its exception handling cost more than all else of a request,
so the usual forms skip them here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from starlette.requests import ClientDisconnect, Request
from starlette.routing import compile_path

from edge.errors import EdgeError
from edge.web.error_mapping import client_gone_response, error_response
from edge.web.root_path import route_path

if TYPE_CHECKING:
    from collections.abc import Iterable
    from re import Pattern

    from starlette.types import ASGIApp, Receive, Scope, Send

    from edge.web.dialects.dialect import Dialect, FrameRoute


class FoundRoute(NamedTuple):
    """The route of one path, and the parameters in it."""

    dialect: Dialect
    route: FrameRoute
    path_params: dict[str, str]


class FrameRoutes:
    """All routes that take frames by POST."""

    def __init__(self, dialects: Iterable[Dialect]) -> None:
        self._routes: list[tuple[Pattern[str], Dialect, FrameRoute]] = [
            (compile_path(route.path)[0], dialect, route)
            for dialect in dialects
            for route in dialect.frame_routes
        ]

    def __repr__(self) -> str:
        return f"<FrameRoutes {', '.join(route.path for _, _, route in self._routes)}>"

    def find(self, path: str) -> FoundRoute | None:
        """The route of a path, which has no prefix of a proxy; ``None`` if no frames go there."""
        for pattern, dialect, route in self._routes:
            found = pattern.match(path)
            if found is not None:
                return FoundRoute(dialect, route, found.groupdict())
        return None


class FrameDispatch:
    """ASGI middleware: runs the route of a frame itself, and passes every other request on."""

    def __init__(self, app: ASGIApp, routes: FrameRoutes) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        found = self._routes.find(route_path(scope)) if is_post else None
        if found is None:
            await self._app(scope, receive, send)
            return
        scope["path_params"] = found.path_params
        request = Request(scope, receive, send)
        try:
            response = await found.route.endpoint(request)
        except EdgeError as error:
            response = error_response(request, error)
        except ClientDisconnect:
            response = client_gone_response()
        await response(scope, receive, send)
