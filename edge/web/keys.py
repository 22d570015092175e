"""Who may ask: the key on a request, the scope its path needs, and the sign-in of the pages.

Installed only where keys are set. A program shows its key in ``X-API-Key`` or ``Authorization: Bearer``. A browser
signs in once; its cookie is the key itself, so that it outlives a restart and ends with the key, and scripts cannot
read it. (A token signed with what the service keeps of a key would let whoever reads the settings sign in.)
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlencode

from fastapi import APIRouter, Request, Response
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse

from edge.api_key import Scope, find_key
from edge.errors import EdgeError
from edge.web.body import read_body
from edge.web.origin import check_origin
from edge.web.replies import error_response, json_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Receive, Send
    from starlette.types import Scope as AsgiScope

    from edge.api_key import ApiKey
    from edge.service import InferenceService

COOKIE = "edge_key"
_COOKIE_S = 400 * 24 * 3600  # as long as browsers keep one
_FORM_BYTES = 4096
_FORM_S = 10.0

_OPEN = frozenset(
    {
        "/", "/favicon.ico", "/login", "/logout", "/session",
        "/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready",  # probes carry no key
        "/phone", "/phone/picture",  # the phone door asks for the pass of its QR code itself
        "/pair",
    }
)  # fmt: skip
_OPEN_BELOW = ("/static/", "/pair/")  # the authority's certificate is no secret
_ADMIN = frozenset({"/wall/clear"})
_ADMIN_BELOW = ("/v2/repository/", "/admin/")
_VIEW = frozenset({"/wall", "/metrics", "/monitoring/prometheus/metrics", "/docs", "/openapi.json", "/fallback"})
_VIEW_BELOW = ("/wall/", "/outbox", "/static-offline-docs/")


class KeyMissing(EdgeError):
    """No key, or one that is not known."""

    status = HTTPStatus.UNAUTHORIZED
    code = "key_missing"


class KeyExpired(EdgeError):
    """The key's last day has passed."""

    status = HTTPStatus.UNAUTHORIZED
    code = "key_expired"


class KeyForbidden(EdgeError):
    """The key does not open this."""

    status = HTTPStatus.FORBIDDEN
    code = "key_forbidden"


def needed_scope(path: str) -> Scope | None:
    """What a path needs; ``None`` where it is open to all. What is not named here needs ``predict``."""
    path = path.lower()
    if path in _OPEN or path.startswith(_OPEN_BELOW):
        return None
    if path in _ADMIN or path.startswith(_ADMIN_BELOW):
        return Scope.ADMIN
    if path in _VIEW or path.startswith(_VIEW_BELOW):
        return Scope.VIEW
    return Scope.PREDICT


def shown_key(connection: HTTPConnection) -> str | None:
    """The key a request shows: by header, or by the cookie of the sign-in."""
    headers = connection.headers
    if "x-api-key" in headers:
        return headers["x-api-key"]
    kind, _, key = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and key:
        return key.strip()
    return connection.cookies.get(COOKIE)  # as browsers do, and unlike `http.cookies`, past odd ones of neighbours


def check_key(keys: Mapping[str, ApiKey], shown: str | None) -> tuple[str, ApiKey]:
    """Name and key that was shown.

    Raises:
        KeyMissing: none was, or an unknown one.
        KeyExpired: its last day has passed.
    """
    if not shown:
        raise KeyMissing("This needs a key. Send it as X-API-Key or Authorization: Bearer, or sign in at /login.")
    found = find_key(keys, shown)
    if found is None:
        raise KeyMissing("This key is not known here. Ask the owner of the service for one.")
    name, key = found
    if key.expired(datetime.now(UTC)):
        raise KeyExpired(f"The key {name} was good until {key.expires}. Ask the owner of the service for a new one.")
    return name, key


class KeyGuard:
    """ASGI middleware: lets a request or a WebSocket through to the app if its key opens its path."""

    def __init__(self, app: ASGIApp, keys: Mapping[str, ApiKey]) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Let it through, or answer in its place."""
        if scope["type"] == "lifespan" or (needed := needed_scope(scope["path"])) is None:
            return await self._app(scope, receive, send)
        connection = HTTPConnection(scope)
        try:
            name, key = check_key(self._keys, shown_key(connection))
            if not key.opens(needed):
                raise KeyForbidden(f"The key {name} does not open this; it needs the scope {needed}.")
        except EdgeError as error:
            return await _refusal(connection, error)(scope, receive, send)
        return await self._app(scope, receive, send)


def _refusal(connection: HTTPConnection, error: EdgeError) -> Response:
    """To the sign-in for a person before a page, an error for a program."""
    scope = connection.scope
    if scope["type"] == "http" and scope["method"] == "GET" and "text/html" in connection.headers.get("accept", ""):
        return _to_login(connection.url.path, error.code if shown_key(connection) else None)
    response = error_response(connection, error)
    if error.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _to_login(following: str, fault: str | None = None) -> Response:
    query = {"next": following} | ({"fault": fault} if fault else {})
    return RedirectResponse(f"/login?{urlencode(query)}", HTTPStatus.SEE_OTHER)


def sign_in_door(service: InferenceService, keys: Mapping[str, ApiKey]) -> APIRouter:
    """`POST /login`, `POST /logout`, and `GET /session` for the pages to know what they may show."""
    router = APIRouter(include_in_schema=False)

    @router.post("/login")
    async def login(request: Request) -> Response:
        check_origin(request)
        with service.admit() as place:
            body = await read_body(request, place, max_bytes=_FORM_BYTES, seconds=_FORM_S)
        form = parse_qs(body.decode("utf-8", "replace"))
        following = _local_path(form.get("next", ["/"])[0])
        shown = form.get("key", [""])[0].strip()
        try:
            _, key = check_key(keys, shown)
        except EdgeError as error:
            return _to_login(following, error.code)
        response = RedirectResponse(quote(following, safe="/?&=%+,:;@-._~"), HTTPStatus.SEE_OTHER)
        left = _COOKIE_S
        if key.expires is not None:
            end = datetime.combine(key.expires, datetime.max.time(), UTC).timestamp()
            left = min(left, max(1, int(end - time.time())))
        secure = request.url.scheme == "https"
        response.set_cookie(COOKIE, shown, max_age=left, httponly=True, samesite="strict", secure=secure)
        return response

    @router.post("/logout")
    async def logout(request: Request) -> Response:
        check_origin(request)
        response = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response

    @router.get("/session")
    async def session(request: Request) -> Response:
        if not keys:
            return json_response({"keys": False, "name": None, "scopes": list(Scope)})
        try:
            name, key = check_key(keys, shown_key(request))
        except EdgeError:
            return json_response({"keys": True, "name": None, "scopes": []})
        return json_response({"keys": True, "name": name, "scopes": [one for one in Scope if key.opens(one)]})

    return router


def _local_path(following: str) -> str:
    """Where to go after the sign-in: a path of this service, whatever the link said."""
    if not following.startswith("/") or following.startswith("//") or "\\" in following or not following.isprintable():
        return "/"
    return following
