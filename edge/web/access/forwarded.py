"""What a trusted reverse proxy says about the request: who asks, over what, and for which host.

Only ``X-Forwarded-For``, ``-Proto`` and ``-Host`` of the addresses in the setting
``trusted_proxies`` are believed. Of several values the last counts, since it comes from the nearest
proxy; those before it may be forged.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Scope

    from edge.settings import Network

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_SCHEMES = {
    "http": {"http": "http", "https": "https"},
    "websocket": {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"},
}
_FOR, _PROTO, _HOST = b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"


def apply_forwarded(scope: Scope, trusted: Sequence[Network]) -> None:
    """Replace client, scheme and Host header of the request by what a trusted proxy forwards."""
    client = scope.get("client")
    address = _address(client[0]) if client else None
    if address is None or not _is_trusted(address, trusted):
        return
    values: dict[bytes, list[str]] = {_FOR: [], _PROTO: [], _HOST: []}
    for name, value in scope["headers"]:
        if name in values:
            values[name] += value.decode("latin-1").split(",")
    scope["client"] = (str(_client(address, values[_FOR], trusted)), 0)
    proto = values[_PROTO][-1].strip().lower() if values[_PROTO] else ""
    scope["scheme"] = _SCHEMES[scope["type"]].get(proto, scope["scheme"])
    if values[_HOST]:
        host = values[_HOST][-1].strip().encode("latin-1")
        others = [(name, value) for name, value in scope["headers"] if name != b"host"]
        scope["headers"] = [*others, (b"host", host)]


def _client(nearest: Address, hops: list[str], trusted: Sequence[Network]) -> Address:
    """The last address that is no trusted proxy; what is before it may be forged."""
    client = nearest
    for hop in reversed(hops):
        address = _address(hop.strip())
        if address is None:  # a proxy that hides its client, or a mistake
            return client
        client = address
        if not _is_trusted(address, trusted):
            return client
    return client


def _is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)


def _address(text: str) -> Address | None:
    """An address, which may have a port; IPv4 in IPv6 becomes IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
