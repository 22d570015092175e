"""Drains the outbox while there is a link: asks the online model about each waiting entry and stores what it says.

At least once: an entry is asked about again where the process ended between the answer and its storing, under the same
key, by which the far side can tell. What fails because of the link waits with the link; what fails by itself goes to
the back of the line, and after some times is set aside.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Any, Protocol

from edge.errors import CloudError, CloudRefused, EdgeError, OutboxError
from edge.outbox.rounds import work_through

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.outbox.entry import Entry
    from edge.outbox.outbox import Outbox

_log = logging.getLogger(__name__)

MOST_ATTEMPTS = 5
"""A frame that was refused, or answered with nonsense, so often is set aside."""

_AT_ONCE = 4
_IDLE_S = 1.0
_FIRST_WAIT_S = 2.0
_MOST_WAIT_S = 3_600.0


class Asker(Protocol):
    """The way to the online model."""

    def free(self) -> bool:
        """Whether an entry may be sent now."""
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

    async def run(self) -> None:
        """Forward until cancelled."""
        await work_through(self._turn, self._idle_s, "the outbox could not be forwarded")

    async def _turn(self) -> bool:
        return self._asker.free() and await self.step()

    async def step(self) -> bool:
        """Forward some entries; whether there were any."""
        await self._outbox.well()
        entries = await asyncio.wrap_future(self._outbox.call(lambda store: store.due(_AT_ONCE)))
        for entry in entries:
            if not self._asker.free():
                break
            await self._forward(entry)
        return bool(entries)

    async def _forward(self, entry: Entry) -> None:
        key = entry.key
        try:
            image = await asyncio.wrap_future(self._outbox.call(lambda store: store.image(key)))
        except OutboxError as error:  # sealed with another key, say: the others may open
            await self._postpone(entry, error.message, counts=True)
            return
        try:
            result = await self._asker.ask(entry, image)
        except CloudRefused as error:
            await self._postpone(entry, error.message, counts=True)
        except CloudError as error:
            await self._postpone(entry, error.message, counts=False)
        except EdgeError as error:  # its model is not there any more, say
            await self._postpone(entry, error.message, counts=True)
        else:
            await asyncio.wrap_future(self._outbox.change(lambda store: store.settle(key, result)))

    async def _postpone(self, entry: Entry, fault: str, *, counts: bool) -> None:
        key = entry.key
        if counts and entry.attempts + 1 >= MOST_ATTEMPTS:
            _log.warning("outbox entry %s is set aside: %s", key, fault)
            await asyncio.wrap_future(self._outbox.change(lambda store: store.set_aside(key, fault)))
            return
        seconds = wait_s(entry.attempts + 1) if counts else _FIRST_WAIT_S
        await asyncio.wrap_future(self._outbox.change(lambda store: store.postpone(key, seconds, fault, counts=counts)))


def wait_s(attempt: int) -> float:
    """Seconds before the next attempt: doubled each time, up to an hour, half of it at random."""
    full = min(_FIRST_WAIT_S * 2.0 ** min(attempt - 1, 30), _MOST_WAIT_S)
    return full * random.uniform(0.5, 1.0)  # noqa: S311 -- jitter
