"""Cross-origin resource sharing: what a browser must read before it hands an answer to a page.

See the Fetch standard, "CORS protocol". Only origins that the owner lists get these headers. There
are none for credentials: a page of another site sends its key in a header, not in a cookie.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.types import Message, Scope, Send

SCOPE_KEY = "edge.cors"
"""Where a request's scope holds its headers, for replies that pass through no middleware."""

REQUEST_METHOD = b"access-control-request-method"

_METHODS = "GET, HEAD, POST"
_HEADERS = "Authorization, Content-Encoding, Content-Type, X-API-Key, X-Request-ID"
_EXPOSED = b"X-Edge-Error, X-Request-ID, Retry-After"
_MAX_AGE_S = 600
_HEADER_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,1024}")
_VARY = (b"vary", b"Origin")


def add_headers(scope: Scope, send: Send, origin: bytes | None) -> Send:
    """Wrap ``send`` so that every reply names the origin that may read it.

    Args:
        origin: of the page, if it is listed; else the reply only says that it varies.
    """
    headers = [_VARY]
    if origin is not None:
        headers += [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _EXPOSED),
        ]
    scope[SCOPE_KEY] = headers

    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *headers]
        await send(message)

    return send_on


def preflight(headers: Headers) -> Response:
    """Answer a browser that asks what a page of a listed origin may send.

    The page is trusted, so it may send every header that it asks for.
    """
    wanted = headers.get("access-control-request-headers", "")
    return Response(
        status_code=HTTPStatus.NO_CONTENT,
        headers={
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": wanted if _HEADER_NAMES.fullmatch(wanted) else _HEADERS,
            "Access-Control-Max-Age": str(_MAX_AGE_S),
            "Vary": "Access-Control-Request-Method, Access-Control-Request-Headers",
        },
    )
