"""The path under which a proxy offers the service: the setting ``root_path``.

Some proxies take the prefix off before they pass a request on, some do not; both are answered, and
so is a request that comes to the port itself. Inside the application a path always has the prefix,
as ASGI wants it; what is declared by path reads `route_path`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_ROUTE_PATH = "edge.route_path"


class RootPath:
    """ASGI middleware: gives every request the prefix, and remembers its path without it.

    Args:
        root_path: such as ``/edge``.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._prefix = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http" and scope["path"] == self._prefix:
            # Without the slash, the links of the page there would leave the prefix.
            slash = RedirectResponse(f"{self._prefix}/", HTTPStatus.TEMPORARY_REDIRECT)
            return await slash(scope, receive, send)
        if scope["type"] != "lifespan":
            apply_root_path(scope, self._prefix)
        return await self._app(scope, receive, send)


def apply_root_path(scope: Scope, prefix: str) -> None:
    """Give the path of a request the prefix, whether it came with it or without."""
    path: str = scope["path"]
    raw: bytes = scope.get("raw_path") or path.encode()
    raw_prefix = prefix.encode()
    if f"{path}/".startswith(f"{prefix}/"):
        path = path[len(prefix) :] or "/"
        raw = raw.removeprefix(raw_prefix) or b"/"
    scope[_ROUTE_PATH] = path
    scope["root_path"] = prefix
    scope["path"] = prefix + path
    scope["raw_path"] = raw_prefix + raw


def route_path(scope: Scope) -> str:
    """The path of a request without the prefix."""
    path: str = scope.get(_ROUTE_PATH) or scope["path"]
    return path


def raw_route_path(scope: Scope) -> str:
    """The path without the prefix as it was sent: percent-encoded, and without the query."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    prefix = root_path(scope) if _ROUTE_PATH in scope else ""
    return raw.partition(b"?")[0].decode("latin-1").removeprefix(prefix)


def root_path(scope: Scope) -> str:
    """The prefix for links and redirects; empty without one."""
    prefix: str = scope.get("app_root_path", scope.get("root_path", ""))
    return prefix
