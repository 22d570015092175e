"""The names and addresses under which others reach this machine.

Asks the kernel only; sends nothing to the network.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

LOCAL_DOMAINS = ("localhost", "local", "lan", "internal", "home.arpa")
"""Domains that the public DNS does not have: RFC 6761, 6762, 8375, ICANN, and routers' custom."""

PRIVATE_NETWORKS = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16",
    "127.0.0.0/8", "fc00::/7", "fe80::/10", "::1/128",
)  # fmt: skip
"""Addresses that mean another machine on every network."""

_CONTAINER_NAME = re.compile(r"[0-9a-f]{12}")
"""The host name that Docker and Podman give: the first 12 digits of the container's id."""

_FIB = Path("/proc/net/fib_trie")
_IF6 = Path("/proc/net/if_inet6")
_LOCAL4 = re.compile(r"\|-- (\S+)\n\s+/32 host LOCAL")


def machine_addresses() -> list[IPv4Address | IPv6Address]:
    """Addresses that others can reach: the default route's first, then IPv4, then IPv6."""
    found: list[IPv4Address | IPv6Address] = []
    if (default := _default_address()) is not None:
        found.append(default)
    if _FIB.exists():
        found += [ipaddress.IPv4Address(text) for text in _LOCAL4.findall(_FIB.read_text())]
    if _IF6.exists():
        found += [
            ipaddress.IPv6Address(bytes.fromhex(line.split()[0]))
            for line in _IF6.read_text().splitlines()
        ]
    reachable = [
        one for one in found if not (one.is_loopback or one.is_link_local or one.is_unspecified)
    ]
    return list(dict.fromkeys(reachable))


def in_container_network() -> bool:
    """Whether this is a container with a network of its own, whose name and address nobody uses."""
    return _CONTAINER_NAME.fullmatch(socket.gethostname()) is not None


def machine_names() -> list[str]:
    """The host name, and the one that mDNS announces on the local network.

    None in a container, whose name is new each time it is made.
    """
    name = socket.gethostname().lower().rstrip(".")
    if in_container_network():
        return []
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", name) or name == "localhost":
        return []
    return [name] if name.endswith(".local") else [name, f"{name.split('.')[0]}.local"]


def _default_address() -> IPv4Address | None:
    """The source address of the default route, from a connected UDP socket that sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1 (RFC 5737): assigned to no one
            return ipaddress.IPv4Address(probe.getsockname()[0])
        except OSError:  # no route at all
            return None


def is_loopback(host: str) -> bool:
    """Whether a host name or address reaches this machine from itself only."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_local_name(name: str) -> bool:
    """Whether no public DNS server can answer for a name: one word, or in a local domain."""
    return "." not in name or name.endswith(tuple(f".{domain}" for domain in LOCAL_DOMAINS))


def public_host(asked_host: str | None, named: str | None = None) -> str | None:
    """The host under which a phone reaches this service; ``None`` if only loopback would.

    Args:
        asked_host: host of the request's URL; taken unless it is loopback.
        named: the setting ``tls_names``, separated by commas; its first name is the second choice.
            The machine's address is the third, except in a container, whose address no phone
            reaches.
    """
    host = asked_host or ""
    if host and not is_loopback(host):
        return f"[{host}]" if ":" in host else host
    if named:
        return named.split(",", maxsplit=1)[0].strip()
    if in_container_network():
        return None
    for address in machine_addresses():
        return f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 -- IPv6
    return None
