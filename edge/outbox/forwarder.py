"""Sends waiting entries to the online model while the link is up, and stores its answers.

It works in rounds. A round takes as many entries, the oldest first, as the caller has free slots;
the next begins when every entry of this one is through, so that no entry is ever sent twice at
once. Delivery is at least once: an entry is sent again if the process ends between the answer and
storing it, under the same key, by which the receiver can recognise it. An answer that the disk does
not take is held until it does, and nothing else is sent meanwhile.

An entry that fails waits, longer each time, and lets the others go first. After `MAX_ATTEMPTS` it
becomes a dead letter if the fault is its own: the online model, which accepts other frames, refused
it, or it failed in any other way again although others were resolved in the meantime. A link that
is down, an endpoint that refuses everything (`edge.fallback.refusals`), a captive portal in the
cloud's place, a missing model or a wrong key makes no dead letters. A damaged entry is one at once.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Protocol

from edge.errors import (
    CloudError,
    CloudNotAsked,
    CloudRefused,
    EntryDamaged,
    EntryUnreadable,
    ModelNotFound,
    ModelUnavailable,
    OutboxError,
)
from edge.outbox.polling import poll_forever
from edge.outbox.retry import retry_delay_s

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.errors import EdgeError
    from edge.outbox.entry import Entry
    from edge.outbox.outbox import Outbox

_log = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
"""Failures of its own after which an entry becomes a dead letter."""

_IDLE_S = 1.0
_MAX_LINK_DELAY_S = 60.0
"""After a failure that was not the entry's own, so that it is sent soon after the link is back."""


class CloudCaller(Protocol):
    """Sends entries to the online model."""

    def free_slots(self) -> int:
        """How many entries may be sent now."""
        ...

    async def call(self, entry: Entry, image: bytes) -> Mapping[str, Any]:
        """The online model's answer as JSON; raises ``CloudError``."""
        ...


class Forwarder:
    """Forwards the entries of one outbox through one caller."""

    def __init__(self, outbox: Outbox, caller: CloudCaller, *, idle_s: float = _IDLE_S) -> None:
        self._outbox = outbox
        self._caller = caller
        self._idle_s = idle_s
        self._resolved = 0
        self._unstored: dict[str, Mapping[str, Any]] = {}
        self._failures: dict[str, tuple[int, int]] = {}
        """By key of an entry that failed: its failures, and `_resolved` at the last of them."""

    async def run(self) -> None:
        """Forward until cancelled."""
        await poll_forever(self.step, self._idle_s, "forwarding outbox entries failed")

    async def step(self) -> bool:
        """Forward a round of entries; returns whether there were any.

        Raises:
            OutboxError: the disk does not take an answer, or nothing at all.
        """
        for key in list(self._unstored):
            await self._store(key)
        slots = self._caller.free_slots()
        if not slots:
            return False
        await self._outbox.ensure_writable()
        entries = await asyncio.wrap_future(self._outbox.call(lambda store: store.due(slots)))
        # Failures are raised when all are through: no entry is cancelled because of another.
        outcomes = await asyncio.gather(*map(self._forward, entries), return_exceptions=True)
        for error in outcomes:
            if error is not None:
                raise error
        return bool(entries)

    async def _forward(self, entry: Entry) -> None:
        key = entry.key
        try:
            image = await asyncio.wrap_future(self._outbox.call(lambda store: store.image(key)))
            if not self._caller.free_slots():  # taken by others of this round, or by live frames
                return
            self._unstored[key] = await self._caller.call(entry, image)
            self._resolved += 1
            await self._store(key)
        except EntryDamaged as error:  # no time and no setting brings its image back
            await self._give_up(key, error.message)
        except (CloudError, EntryUnreadable, ModelNotFound, ModelUnavailable) as error:
            refused = isinstance(error, CloudRefused)
            own_fault = _is_own_fault(error)
            await self._postpone(entry, error.message, own_fault=own_fault, refused=refused)
        except OutboxError:  # the disk's fault; the outbox has logged it
            raise
        except Exception as error:  # a bug: do not retry at once, since a call may cost money
            await self._postpone(entry, f"{type(error).__name__}: {error}", own_fault=True)
            raise

    async def _store(self, key: str) -> None:
        result = self._unstored.pop(key)
        try:
            await asyncio.wrap_future(self._outbox.change(lambda store: store.resolve(key, result)))
        except OutboxError:
            self._unstored[key] = result  # until the disk takes it
            raise
        self._failures.pop(key, None)

    async def _postpone(
        self, entry: Entry, fault: str, *, own_fault: bool, refused: bool = False
    ) -> None:
        """Let the entry wait, or make it a dead letter.

        Args:
            entry: that failed.
            fault: why, in words.
            own_fault: the failure is certainly the entry's own.
            refused: the online model has refused it, so that sending it soon only costs money.
        """
        key = entry.key
        failures, resolved_before = self._failures.get(key, (0, self._resolved))
        failures += 1
        counts = own_fault or self._resolved > resolved_before
        if counts and entry.attempts + 1 >= MAX_ATTEMPTS:
            await self._give_up(key, fault)
            return
        self._failures[key] = failures, self._resolved
        seconds = retry_delay_s(failures)
        if not counts and not refused:
            seconds = min(seconds, _MAX_LINK_DELAY_S)
        still_waiting = await asyncio.wrap_future(
            self._outbox.change(lambda store: store.postpone(key, seconds, fault, counts=counts))
        )
        if not still_waiting:  # dropped or resolved in the meantime
            self._failures.pop(key, None)

    async def _give_up(self, key: str, fault: str) -> None:
        """Make the entry a dead letter."""
        _log.warning("outbox entry %s became a dead letter: %s", key, fault)
        self._failures.pop(key, None)
        dead = self._outbox.change(lambda store: store.dead_letter(key, fault))
        await asyncio.wrap_future(dead)


def _is_own_fault(error: EdgeError) -> bool:
    """Whether the failure is certainly the fault of the entry that was sent."""
    if isinstance(error, CloudRefused):
        return error.certain
    return isinstance(error, CloudNotAsked)
