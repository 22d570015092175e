"""Who asks: the first look at every request, before its key is read.

In order: what a trusted proxy forwards, the host that is asked for, and the page that sent it.
Plain ASGI, since this is on the hot path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from starlette.requests import HTTPConnection

from edge.errors import EdgeError
from edge.web.access.cors import REQUEST_METHOD, add_headers, preflight
from edge.web.access.forwarded import apply_forwarded
from edge.web.access.hosts import host_policy
from edge.web.access.origin import AllowedOrigins, check_origin
from edge.web.error_mapping import error_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from edge.settings import Settings
    from edge.web.access.hosts import HostPolicy

_HANDSHAKE = "CONNECT"
"""Stands for the method of a WebSocket, which costs as much as a POST."""


class PageGuard:
    """ASGI middleware: refuses unknown hosts and other sites' pages, and answers preflights.

    Args:
        hosts: to which the service answers; by the settings if not given.
    """

    def __init__(self, app: ASGIApp, settings: Settings, hosts: HostPolicy | None = None) -> None:
        self._app = app
        self._proxies = settings.trusted_proxies
        self._hosts = hosts or host_policy(settings)
        self._origins = AllowedOrigins(settings.allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if self._proxies:
            apply_forwarded(scope, self._proxies)
        headers = read_page_headers(scope)
        origin = headers.origin
        is_listed = origin is not None and self._origins.lists(origin)
        if self._origins:
            send = add_headers(scope, send, origin if is_listed else None)
        try:
            host = None if headers.host is None else self._hosts.check(headers.host)
            if not is_listed:
                method = scope.get("method", _HANDSHAKE)
                check_origin(method, scope["scheme"], host, origin, headers.fetch_site)
        except EdgeError as error:
            return await error_response(HTTPConnection(scope), error)(scope, receive, send)
        if is_listed and headers.is_preflight:
            return await preflight(HTTPConnection(scope).headers)(scope, receive, send)
        return await self._app(scope, receive, send)


class PageHeaders(NamedTuple):
    """The headers that say who asks, as they came."""

    host: bytes | None
    origin: bytes | None
    fetch_site: bytes | None
    is_preflight: bool


def read_page_headers(scope: Scope) -> PageHeaders:
    """Find the headers that say who asks."""
    host = origin = fetch_site = None
    is_preflight = False
    for name, value in scope["headers"]:
        if name == b"host":
            host = value
        elif name == b"origin":
            # Two of them together are malformed, so no origin of the service's.
            origin = value if origin is None else origin + b", " + value
        elif name == b"sec-fetch-site":
            fetch_site = value
        elif name == REQUEST_METHOD:
            is_preflight = scope.get("method") == "OPTIONS"
    return PageHeaders(host, origin, fetch_site, is_preflight)
