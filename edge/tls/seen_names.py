"""Names and addresses by which devices reach this machine, learnt from the pairing page.

A container knows neither its host's name nor its address; whoever opens the pairing page does. They
are stored next to the certificate, which then holds them as well.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from typing import TYPE_CHECKING

from edge.durable import replace_file
from edge.errors import SettingsError
from edge.tls.addresses import LOCAL_DOMAINS, PRIVATE_NETWORKS, is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_log = logging.getLogger(__name__)

MAX_NAMES = 16
"""Maximum number of names kept: the page asks for no key, and a stranger may send any name."""

_FILE = "names.txt"
_MAX_LENGTH = 253  # of a host name (RFC 1035)


def seen_names(folder: Path) -> list[str]:
    """The names that were learnt, oldest first."""
    try:
        lines = (folder / _FILE).read_text("ascii", "replace").splitlines()
    except OSError:
        return []
    return [line for line in lines if can_vouch(line)][:MAX_NAMES]


def can_vouch(host: str) -> bool:
    """Whether every authority made here may vouch for a host: private address, or local domain."""
    if len(host) > _MAX_LENGTH or is_loopback(host):
        return False
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        is_plain = host.isascii() and host.replace("-", "").replace(".", "").isalnum()
        return is_plain and host.lower().endswith(tuple(f".{one}" for one in LOCAL_DOMAINS))
    return any(address in ipaddress.ip_network(network) for network in PRIVATE_NETWORKS)


class NameLearner:
    """Takes up the names by which devices ask, and has the certificate renewed for a new one.

    Args:
        folder: that holds the certificate.
        renew: makes the certificate for all names and serves it; raises ``SettingsError``.
    """

    def __init__(self, folder: Path, renew: Callable[[], None]) -> None:
        self._folder = folder
        self._renew = renew
        self._known = seen_names(folder)
        self._lock = asyncio.Lock()

    async def learn(self, host: str | None) -> None:
        """Take up a host that the authority may vouch for, if there is room."""
        if host is None or not can_vouch(host):
            return
        name = host.lower().strip("[]")
        async with self._lock:
            if name in self._known or len(self._known) >= MAX_NAMES:
                return
            self._known.append(name)
            try:
                await asyncio.to_thread(self._write)
            except (OSError, SettingsError) as error:
                _log.warning("the certificate was not made for %s: %s", name, error)

    def _write(self) -> None:
        replace_file(self._folder / _FILE, "".join(f"{one}\n" for one in self._known).encode())
        self._renew()
