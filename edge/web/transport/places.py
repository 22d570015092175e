"""The open connections of the process: how many, from where, and which of them gives way.

There is no fixed share for an address, since all cameras of a plant may come through one router or
proxy. Only once all places are taken, the address that holds most of them gives one up for a
newcomer: the connection that has waited longest for a request, and one that never had a request
before one that is kept alive. So one hostile client displaces itself, idle connections never keep a
camera out, and a flood of silent ones does not cut off the cameras behind the same address.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from edge.web.transport.parse_queue import ParseQueue
from edge.web.transport.refusal_pace import RefusalPace

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.metrics import ConnectionFigures

_log = logging.getLogger(__name__)

_SWEEP_S = 1.0
_IPV6_SITE_BYTES = 8  # a site has a /64 to itself, and an attacker all addresses of it


class Connection(Protocol):
    """What this room knows of a connection."""

    def cut(self) -> None:
        """Close at once, whatever is still to send."""

    def check(self, now: float) -> None:
        """Close if a time limit has passed; called about once a second."""


@dataclass(slots=True)
class _Waiting:
    """The connections of one site without a request in progress, each with the time since when.

    Attributes:
        fresh: those that never had a request, the longest waiting first.
        kept_alive: those that had one, likewise.
    """

    fresh: dict[Connection, float] = field(default_factory=dict)
    kept_alive: dict[Connection, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.fresh) + len(self.kept_alive)

    def discard(self, connection: Connection) -> None:
        self.fresh.pop(connection, None)
        self.kept_alive.pop(connection, None)

    def first_to_go(self) -> tuple[Connection, float]:
        return next(iter((self.fresh or self.kept_alive).items()))


class Places:
    """All connections of the process, those of the pairing port among them.

    Used on the event loop only.

    Args:
        limit: most connections.
        figures: where cut and refused connections are counted, by reason.
        clock: steady seconds.
    """

    def __init__(
        self,
        limit: int,
        figures: ConnectionFigures,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit = limit
        self.parse_queue = ParseQueue()
        self.refusal_pace = RefusalPace()
        self.clock = clock
        self._figures = figures
        self._figures.limit = limit
        self._sites: dict[Connection, str] = {}
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, _Waiting] = {}
        self._used: set[Connection] = set()
        """Those that have had a request."""
        self._reported: Counter[str] = Counter()

    def __repr__(self) -> str:
        waiting = sum(map(len, self._waiting.values()))
        return f"<Places {len(self._sites)}/{self.limit} taken, {waiting} of them waiting>"

    def __len__(self) -> int:
        return len(self._sites)

    def make_room(self, address: str) -> bool:
        """Whether a connection from there may be taken; closes a waiting one if all are taken."""
        if len(self._sites) < self.limit:
            return True
        if self._close_waiting(site_of(address)):
            return True
        self.count("too_many_connections")
        return False

    def enter(self, connection: Connection, address: str) -> None:
        """Give a new connection a place; it waits for its first request."""
        site = site_of(address)
        self._sites[connection] = site
        self._held[site] += 1
        self._figures.open = len(self._sites)
        self.wait(connection)

    def leave(self, connection: Connection) -> None:
        """Free a connection's place, if it has one."""
        site = self._sites.pop(connection, None)
        if site is None:
            return
        self._stop_waiting(connection, site)
        self._used.discard(connection)
        self._held[site] -= 1
        if not self._held[site]:
            del self._held[site]
        self._figures.open = len(self._sites)

    def wait(self, connection: Connection) -> None:
        """The connection has no request in progress: it may be closed for a newcomer."""
        site = self._sites.get(connection)
        if site is not None:
            waiting = self._waiting.get(site)
            if waiting is None:
                waiting = self._waiting[site] = _Waiting()
            waiting.discard(connection)  # to the end of its queue
            queue = waiting.kept_alive if connection in self._used else waiting.fresh
            queue[connection] = self.clock()

    def work(self, connection: Connection) -> None:
        """The connection has a request in progress."""
        site = self._sites.get(connection)
        if site is not None:
            self._used.add(connection)
            self._stop_waiting(connection, site)

    def count(self, reason: str) -> None:
        """Count a connection that was refused or cut, for the metrics and the log."""
        self._figures.cut[reason] += 1

    def shed(self) -> None:
        """Close the connection that has waited longest: file descriptors have run out."""
        self._close_waiting(None)

    async def watch(self) -> None:
        """Check all time limits and report once a second, until cancelled."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            self.sweep()

    def sweep(self) -> None:
        """Check every connection's time limits, and log what was refused since the last time."""
        now = self.clock()
        for connection in list(self._sites):
            connection.check(now)
        if news := self._figures.cut - self._reported:
            self._reported = self._figures.cut.copy()
            reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(news.items()))
            _log.warning(
                "connections refused or cut in the last second: %s; %d of %d are open",
                reasons,
                len(self._sites),
                self.limit,
            )

    def _close_waiting(self, newcomer: str | None) -> bool:
        """Close a waiting connection of the site that holds most.

        Args:
            newcomer: the site for which a place is needed. It takes one from a site that holds
                more than itself, or from itself.
        """
        own = self._held[newcomer] if newcomer is not None else 0
        best: tuple[int, float] | None = None
        victim: Connection | None = None
        for site, waiting in self._waiting.items():
            held = self._held[site]
            if site != newcomer and held <= own:
                continue
            connection, since = waiting.first_to_go()
            rank = (held, -since)
            if best is None or rank > best:
                best, victim = rank, connection
        if victim is None:
            return False
        self.count("displaced")
        self.leave(victim)
        victim.cut()
        return True

    def _stop_waiting(self, connection: Connection, site: str) -> None:
        waiting = self._waiting.get(site)
        if waiting is not None:
            waiting.discard(connection)
            if not waiting:
                del self._waiting[site]


def site_of(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 of an IPv6 address."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return parsed.packed[:_IPV6_SITE_BYTES].hex()
