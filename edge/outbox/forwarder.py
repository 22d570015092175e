"""Drains the outbox while there is a link: asks the online model about the waiting entries and stores what it says.

In rounds: as many entries at once, the oldest first, as there are places for them; the next round begins when all of
this one have their answer, so that no entry is ever under way twice. At least once: an entry is asked about again where
the process ended between the answer and its storing, under the same key, by which the far side can tell. An answer that
the disk does not take is held until it does, and nothing is asked meanwhile.

An entry that fails waits, longer each time, and lets the others go before. After `MOST_ATTEMPTS` it is set aside, where
the fault is its own: the far side refused it, or it failed in any other way again though others were settled since. A
link that is down, a hotel's login page in the cloud's place, a missing model or a wrong key set nothing aside.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Any, Protocol

from edge.errors import (
    CloudError,
    CloudNotAsked,
    CloudRefused,
    EntryUnreadable,
    ModelNotFound,
    ModelUnavailable,
    OutboxError,
)
from edge.outbox.rounds import work_through

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.outbox.entry import Entry
    from edge.outbox.outbox import Outbox

_log = logging.getLogger(__name__)

MOST_ATTEMPTS = 5
"""Failures by its own fault with which an entry is set aside."""

_IDLE_S = 1.0
_FIRST_WAIT_S = 2.0
_MOST_WAIT_S = 3_600.0
_MOST_LINK_WAIT_S = 60.0
"""After a failure that was not the entry's own: once the link is back it should not lie for an hour."""


class Asker(Protocol):
    """The way to the online model."""

    def places(self) -> int:
        """How many entries may be sent now."""
        ...

    async def ask(self, entry: Entry, image: bytes) -> Mapping[str, Any]:
        """What the online model says, as JSON; raises ``CloudError``."""
        ...


class Forwarder:
    """See the module."""

    def __init__(self, outbox: Outbox, asker: Asker, *, idle_s: float = _IDLE_S) -> None:
        self._outbox = outbox
        self._asker = asker
        self._idle_s = idle_s
        self._settled = 0
        self._unstored: dict[str, Mapping[str, Any]] = {}
        self._failures: dict[str, tuple[int, int]] = {}
        """Of entries that failed: how often, and how many had been settled at the last time."""

    async def run(self) -> None:
        """Forward until cancelled."""
        await work_through(self.step, self._idle_s, "the outbox could not be forwarded")

    async def step(self) -> bool:
        """Forward a round of entries; whether there were any.

        Raises:
            OutboxError: the disk does not take what the last round brought, or nothing at all.
        """
        for key in list(self._unstored):
            await self._store(key)
        places = self._asker.places()
        if not places:
            return False
        await self._outbox.well()
        entries = await asyncio.wrap_future(self._outbox.call(lambda store: store.due(places)))
        for fault in await asyncio.gather(*map(self._forward, entries), return_exceptions=True):
            if fault is not None:  # told when all are through: none is given up for another's sake
                raise fault
        return bool(entries)

    async def _forward(self, entry: Entry) -> None:
        key = entry.key
        try:
            image = await asyncio.wrap_future(self._outbox.call(lambda store: store.image(key)))
            if not self._asker.places():  # the round's others, or live frames, have taken them: it stays where it is
                return
            self._unstored[key] = await self._asker.ask(entry, image)
            self._settled += 1
            await self._store(key)
        except (CloudError, EntryUnreadable, ModelNotFound, ModelUnavailable) as error:
            await self._postpone(entry, error.message, own=isinstance(error, CloudRefused | CloudNotAsked))
        except OutboxError:  # the disk's: the outbox has told it
            raise
        except Exception as error:  # a fault of ours with this one: not asked again at once, for a call may cost
            await self._postpone(entry, f"{type(error).__name__}: {error}", own=True)
            raise

    async def _store(self, key: str) -> None:
        result = self._unstored.pop(key)
        try:
            await asyncio.wrap_future(self._outbox.change(lambda store: store.settle(key, result)))
        except OutboxError:
            self._unstored[key] = result  # until the disk takes it
            raise
        self._failures.pop(key, None)

    async def _postpone(self, entry: Entry, fault: str, *, own: bool) -> None:
        """Let the entry wait, or set it aside; ``own`` where the fault is its own beyond doubt."""
        key = entry.key
        failures, settled = self._failures.get(key, (0, self._settled))
        counts = own or self._settled > settled
        if counts and entry.attempts + 1 >= MOST_ATTEMPTS:
            _log.warning("outbox entry %s is set aside: %s", key, fault)
            self._failures.pop(key, None)
            await asyncio.wrap_future(self._outbox.change(lambda store: store.set_aside(key, fault)))
            return
        self._failures[key] = failures + 1, self._settled
        seconds = wait_s(failures + 1) if counts else min(wait_s(failures + 1), _MOST_LINK_WAIT_S)
        waits = await asyncio.wrap_future(
            self._outbox.change(lambda store: store.postpone(key, seconds, fault, counts=counts))
        )
        if not waits:  # somebody has dropped or settled it
            self._failures.pop(key, None)


def wait_s(attempt: int) -> float:
    """Seconds before the next attempt: doubled each time, up to an hour, half of it at random."""
    full = min(_FIRST_WAIT_S * 2.0 ** min(attempt - 1, 30), _MOST_WAIT_S)
    return full * random.uniform(0.5, 1.0)  # noqa: S311 -- jitter
