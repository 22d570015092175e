"""The host of a ``Host`` header and the origin of a web page, as HTTP writes them. Pure.

Both come from anybody, so a malformed one is ``None``, never an exception.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

MAX_HOST = 255
"""Characters of a host: a DNS name has at most 253 (RFC 1035, 2.3.4), an address 45."""

_MAX_PORT = 65535
_HOST = re.compile(
    rf"(?P<host>[a-z0-9._-]{{1,{MAX_HOST}}}|\[[0-9a-f:.]{{2,45}}\])(?::(?P<port>[0-9]{{0,5}}))?"
)
_ORIGIN = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]{0,31})://(?P<host>[^/?#]{1,300})")

DEFAULT_PORTS = {"http": 80, "https": 443}


class Host(NamedTuple):
    """A host and its port.

    Attributes:
        name: a name or an address, in lower case, without brackets and without a final dot.
        port: ``None`` if none is given.
    """

    name: str
    port: int | None


class Origin(NamedTuple):
    """Where a page comes from (RFC 6454).

    Attributes:
        scheme: ``https``, or that of an app's web view such as ``capacitor``.
        name: as in `Host`.
        port: the scheme's default if none is given; ``None`` if the scheme has none.
    """

    scheme: str
    name: str
    port: int | None


def parse_host(text: str) -> Host | None:
    """Parse a ``Host`` header; ``None`` if it is malformed."""
    found = _HOST.fullmatch(text.lower())
    if found is None:
        return None
    port = int(found["port"]) if found["port"] else None
    if port is not None and port > _MAX_PORT:
        return None
    name = found["host"].removesuffix(".")
    if name.startswith("["):
        try:
            name = ipaddress.IPv6Address(name[1:-1]).compressed
        except ValueError:
            return None
    return Host(name, port) if name else None


def parse_origin(text: str) -> Origin | None:
    """Parse an ``Origin`` header; ``None`` if it is malformed or ``null``."""
    found = _ORIGIN.fullmatch(text.lower())
    host = parse_host(found["host"]) if found is not None else None
    if found is None or host is None:
        return None
    port = DEFAULT_PORTS.get(found["scheme"]) if host.port is None else host.port
    return Origin(found["scheme"], host.name, port)


def is_same_origin(origin: Origin, scheme: str, host: Host) -> bool:
    """Whether a page of this origin belongs to the service that was asked for by this host.

    Without a port, the host has the default port of the origin's scheme: a proxy that ends TLS
    passes ``Host: edge.example.org`` over plain HTTP for a page of ``https://edge.example.org``.

    Args:
        scheme: of the request: ``http``, ``https``, ``ws`` or ``wss``.
    """
    if origin.scheme not in DEFAULT_PORTS:
        return False
    if scheme in {"https", "wss"} and origin.scheme != "https":
        return False
    port = DEFAULT_PORTS[origin.scheme] if host.port is None else host.port
    return (origin.name, origin.port) == (host.name, port)
