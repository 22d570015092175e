"""Under which names the service may be asked for while no API key is set.

A page of any site can point a name of its own at this machine (DNS rebinding). The browser then
counts the service as that site's own, and only the ``Host`` header tells the difference. Nobody can
do that with an address, nor with a name that the public DNS does not have.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from edge.errors import BadRequest, EdgeError
from edge.origins import MAX_HOST, Host, parse_host
from edge.tls.addresses import is_local_name, is_loopback, machine_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.settings import Settings

ANY = "*"
"""In ``allowed_hosts``: every name."""

_MAX_HEADER = MAX_HOST + len(":65535")
_REMEMBERED = 256


class UnknownHost(EdgeError):
    """The request asks for a host that this service is not."""

    status = HTTPStatus.MISDIRECTED_REQUEST
    code = "unknown_host"


class HostPolicy:
    """Decides whether the service answers to a host.

    Args:
        names: own names, in the form of `Host.name`.
        on_network: also answer to every address, and to names that the public DNS does not have.
        any_host: answer to every host that is well-formed.
    """

    def __init__(self, names: Iterable[str], *, on_network: bool, any_host: bool) -> None:
        self._names = frozenset(names)
        self._on_network = on_network
        self._any_host = any_host
        self._parse = lru_cache(_REMEMBERED)(self._parse_allowed)

    def __repr__(self) -> str:
        if self._any_host:
            return "<HostPolicy any>"
        others = " and local names" if self._on_network else ""
        return f"<HostPolicy {', '.join(sorted(self._names))}{others}>"

    def check(self, header: bytes) -> Host:
        """Parse a ``Host`` header.

        Raises:
            BadRequest: it is malformed.
            UnknownHost: the service does not answer to it.
        """
        # The most frequent hosts are remembered; a long one is not, since it is refused anyway.
        parsed = self._parse(header) if len(header) <= _MAX_HEADER else None
        if parsed is None:
            raise BadRequest("The Host header is malformed.")
        host, is_allowed = parsed
        if not is_allowed:
            raise UnknownHost(
                f"This service does not answer to the name {host.name} while no API key is set. "
                "Use its address or its own name, or let its owner add the name to allowed_hosts "
                "(EDGE_ALLOWED_HOSTS)."
            )
        return host

    def _parse_allowed(self, header: bytes) -> tuple[Host, bool] | None:
        host = parse_host(header.decode("latin-1"))
        return None if host is None else (host, self.allows(host.name))

    def allows(self, name: str) -> bool:
        """Whether the service answers to this name or address."""
        if self._any_host or name in self._names or is_loopback(name):
            return True
        return self._on_network and (_is_address(name) or is_local_name(name))


def host_policy(settings: Settings) -> HostPolicy:
    """The policy for these settings; with API keys the key decides, not the host.

    A page that rebinds a name has no key: the cookie of the sign-in belongs to the real name.
    """
    any_host = bool(settings.api_keys) or ANY in settings.allowed_hosts
    given = [settings.host, *settings.allowed_hosts, *(settings.tls_names or "").split(",")]
    # This machine's addresses are not among them: on loopback nobody reaches it by one, and on the
    # network every address is taken.
    own = (*given, *machine_names())
    names = [name for text in own if (name := _host_name(text)) is not None]
    return HostPolicy(names, on_network=not is_loopback(settings.host), any_host=any_host)


def _host_name(text: str) -> str | None:
    """A name or an address of the settings in the form of `Host.name`; ``None`` if it is none."""
    text = text.strip().strip("[]")
    if _is_address(text):
        return ipaddress.ip_address(text).compressed
    try:
        host = parse_host(text.encode("idna").decode())
    except UnicodeError:
        return None
    return None if host is None else host.name


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
