"""Access by key: which key a request carries, and whether it opens the path.

The guard is installed only if keys are set. A program sends its key in ``X-API-Key``, in
``Authorization: Bearer``, or as the password of HTTP Basic; a browser sends the cookie of its
sign-in.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response

from edge.api_key import find_key
from edge.errors import EdgeError
from edge.web.access.client import KEY_NAME
from edge.web.error_mapping import error_response
from edge.web.root_path import root_path, route_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Receive, Send
    from starlette.types import Scope as AsgiScope

    from edge.api_key import ApiKey, Scope
    from edge.web.dialects.dialect import DialectTable

COOKIE = "edge_key"

_BASIC = 'Basic realm="edge", charset="UTF-8"'
"""Asks programs that wait for it (wget, cameras) to send HTTP Basic."""

_SENT_BY_BROWSERS = ("origin", "sec-fetch-site", "sec-fetch-mode")


class KeyMissing(EdgeError):
    """The request has no key, or an unknown one."""

    status = HTTPStatus.UNAUTHORIZED
    code = "key_missing"


class KeyExpired(EdgeError):
    """The key's last day has passed."""

    status = HTTPStatus.UNAUTHORIZED
    code = "key_expired"


class KeyForbidden(EdgeError):
    """The key lacks the scope that the path needs."""

    status = HTTPStatus.FORBIDDEN
    code = "key_forbidden"


def read_key(connection: HTTPConnection) -> str | None:
    """The key that a request carries in a header, or in the cookie of the sign-in.

    The cookie goes before HTTP Basic: a browser sends the password of a proxy in front with it.
    """
    headers = connection.headers
    if "x-api-key" in headers:
        return headers["x-api-key"]
    kind, _, key = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and key:
        return key.strip()
    # Starlette parses cookies as browsers do: unlike `http.cookies`, it skips malformed ones that
    # other services on this host have set.
    cookie = connection.cookies.get(COOKIE)
    return _basic_password(key) if cookie is None and kind.lower() == "basic" else cookie


def _basic_password(credentials: str) -> str:
    """The password of ``Authorization: Basic`` (RFC 7617), under any name; empty if malformed."""
    try:
        pair = base64.b64decode(credentials.strip(), validate=True).decode()
    except ValueError:  # not base64, or not UTF-8
        return ""
    return pair.partition(":")[2]


def check_key(keys: Mapping[str, ApiKey], secret: str | None) -> tuple[str, ApiKey]:
    """Look up a key; returns its name and what is known of it.

    Raises:
        KeyMissing: ``secret`` is empty or unknown.
        KeyExpired: its last day has passed.
    """
    if not secret:
        raise KeyMissing(
            "This needs a key. Send it as X-API-Key, as Authorization: Bearer, or as the password "
            "of HTTP Basic under any name (curl -u name:KEY), or sign in at /login."
        )
    found = find_key(keys, secret)
    if found is None:
        raise KeyMissing("This key is unknown. Ask the owner of the service for one.")
    name, key = found
    if key.expired(datetime.now(UTC)):
        raise KeyExpired(
            f"The key {name} expired after {key.expires}. Ask the service's owner for a new one."
        )
    return name, key


def authorize(keys: Mapping[str, ApiKey], connection: HTTPConnection, needed: Scope) -> str:
    """Check that a request's key opens what needs this scope; returns the key's name.

    Raises:
        KeyMissing: it has none, or an unknown one.
        KeyExpired: its last day has passed.
        KeyForbidden: it lacks the scope.
    """
    name, key = check_key(keys, read_key(connection))
    if not key.opens(needed):
        raise KeyForbidden(f"The key {name} lacks the scope {needed}.")
    return name


class KeyGuard:
    """ASGI middleware: passes a request or a WebSocket to the app if its key opens the path."""

    def __init__(self, app: ASGIApp, keys: Mapping[str, ApiKey]) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with a refusal."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        connection = HTTPConnection(scope)
        dialects: DialectTable = connection.app.state.dialects
        needed = dialects.find(route_path(scope)).scope
        if needed is None:
            return await self._app(scope, receive, send)
        try:
            scope[KEY_NAME] = authorize(self._keys, connection, needed)
        except EdgeError as error:
            return await _refusal(connection, error)(scope, receive, send)
        return await self._app(scope, receive, send)


def _refusal(connection: HTTPConnection, error: EdgeError) -> Response:
    """Redirect a browser that asks for a page to the sign-in; answer a program with the error."""
    scope = connection.scope
    wants_page = "text/html" in connection.headers.get("accept", "")
    if wants_page and scope["type"] == "http" and scope["method"] == "GET":
        return login_redirect(scope, scope["path"], error.code if read_key(connection) else None)
    response = error_response(connection, error)
    if error.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
        if not _is_browser(connection):
            response.headers.append("WWW-Authenticate", _BASIC)
    return response


def _is_browser(connection: HTTPConnection) -> bool:
    """Whether the client would ask its user for a name and a password, though the pages sign in."""
    headers = connection.headers
    names_itself = "mozilla/" in headers.get("user-agent", "").lower()
    return names_itself or any(name in headers for name in _SENT_BY_BROWSERS)


def login_redirect(scope: AsgiScope, following: str, fault: str | None = None) -> Response:
    """Redirect to the sign-in, and from there to ``following``; the page explains the fault."""
    query = {"next": following} | ({"fault": fault} if fault else {})
    return RedirectResponse(f"{root_path(scope)}/login?{urlencode(query)}", HTTPStatus.SEE_OTHER)
