"""Checks that a request does not come from another site's page.

Browsers let any page send some requests, such as form posts, to any address.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from edge.errors import RequestError

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection


class ForeignPage(RequestError):
    """A page of another site sent the request."""

    status = HTTPStatus.FORBIDDEN
    code = "foreign_page"


def check_origin(connection: HTTPConnection) -> None:
    """Refuse a WebSocket or a form post from another site: it would carry the visitor's cookie.

    Raises:
        ForeignPage: the Origin header, which browsers always send with these, names another host.
    """
    origin = connection.headers.get("origin")
    if origin is None:
        return
    own_host = connection.headers.get("host", "").lower()
    if urlsplit(origin).netloc.lower() != own_host:
        raise ForeignPage(
            f"Pages of {origin} may not use this service. Open its own pages, or send the request "
            "without a browser."
        )
