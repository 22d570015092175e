"""Checks that a request does not come from another site's page, unless the owner allows that site.

Browsers let any page send some requests, such as form posts and WebSockets, to any address.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from edge.errors import EdgeError
from edge.origins import is_same_origin, parse_origin
from edge.printable import escape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.origins import Host

_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing: a page may send them as any link or picture does."""

_OWN = frozenset({b"same-origin", b"none"})
"""Values of ``Sec-Fetch-Site`` for the service's own pages, and for what the user typed."""

_SHOWN = 100


class ForeignPage(EdgeError):
    """A page of another site sent the request."""

    status = HTTPStatus.FORBIDDEN
    code = "foreign_page"


class AllowedOrigins:
    """The origins of other sites whose pages may use the service.

    Args:
        origins: from the setting ``allowed_origins``.
    """

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(filter(None, map(parse_origin, origins)))

    def __repr__(self) -> str:
        return f"<AllowedOrigins {sorted(self._origins)}>"

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._origins)

    def lists(self, header: bytes) -> bool:
        """Whether the owner allows the origin of this header."""
        return parse_origin(header.decode("latin-1")) in self._origins


def check_origin(
    method: str, scheme: str, host: Host | None, origin: bytes | None, fetch_site: bytes | None
) -> None:
    """Refuse a request that a page of another site sent.

    Args:
        method: of the request; any that is not harmless for a WebSocket's handshake.
        scheme: of the request.
        host: that was asked for; ``None`` if the request names none.
        origin: the Origin header, which browsers send with every request that may change something
            and with every one whose answer the page wants to read. Programs send none.
        fetch_site: the Sec-Fetch-Site header, which no page can forge or leave out.

    Raises:
        ForeignPage: the origin is another one, or hidden (``null``).
    """
    if origin is None:
        if fetch_site is None or fetch_site in _OWN or method in _HARMLESS:
            return
        raise ForeignPage(
            "A page of another site sent this request. Open the service's own pages, or send the "
            "request without a browser."
        )
    text = origin.decode("latin-1")
    page = parse_origin(text)
    if page is None or host is None or not is_same_origin(page, scheme, host):
        raise ForeignPage(
            f"Pages of {escape(text[:_SHOWN])} may not use this service. Open its own pages, send "
            "the request without a browser, or let its owner add the origin to allowed_origins "
            "(EDGE_ALLOWED_ORIGINS)."
        )
