"""Whether a request comes from a page of this service: browsers let any page send some requests to any address."""

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
    """Refuse what another site's page sends: a WebSocket, or a form post, would carry the visitor's cookie.

    Raises:
        ForeignPage: the Origin header, which browsers always send with these, names another host.
    """
    origin = connection.headers.get("origin")
    if (
        origin is not None
        and urlsplit(origin).netloc.lower() != connection.headers.get("host", "").lower()
    ):
        raise ForeignPage(
            f"Pages of {origin} may not ask this service. Open its own pages, or ask without a browser."
        )
