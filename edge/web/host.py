"""The address under which a client reached the service, as its Host header says."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from edge.errors import BadRequest

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

_MAX_LENGTH = 255
"""Of a name (RFC 1035)."""
_MAX_PORT = 65_535
_HOST = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?"
)


def asked_host(connection: HTTPConnection) -> tuple[str | None, int | None]:
    """Name or address, and port; ``None`` for what the header does not give.

    Raises:
        BadRequest: the header is not a host with a port.
    """
    text = connection.headers.get("host", "")
    if not text:
        return None, None
    found = _HOST.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if found is None or int(found["port"] or 0) > _MAX_PORT or not _is_v6(found["v6"]):
        raise BadRequest("The Host header is not a host name or address with a port.")
    return (found["v6"] or found["name"]).lower(), int(found["port"]) if found["port"] else None


def _is_v6(text: str | None) -> bool:
    """Whether the text between brackets, if there are any, is an address."""
    if text is None:
        return True
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
