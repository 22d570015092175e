"""Admission of requests: bounds on their number and on the bytes of their bodies, and draining.

Knows no model and no protocol. A request is admitted before its body is read, so that a refusal
costs nothing.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.dataplane.turns import Turns
from edge.errors import Overloaded, ShuttingDown
from edge.runtime.memory import release_free_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge.dataplane.turns import Caller

_BURST_BYTES = 4 << 20
"""A burst that held more bytes than this leaves memory behind that is worth returning when idle."""

_SETTLE_S = 1.0
"""Seconds after a burst until the connections' own buffers are empty as well."""


class AdmissionSlot:
    """The slot of one admitted request.

    Attributes:
        held: bytes of its body that count as held in memory until the request ends.
    """

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.held = 0

    def hold(self, size: int) -> None:
        """Count more bytes of the body, before they are read; raises ``Overloaded``."""
        self._admission.hold(size)
        self.held += size


class Admission:
    """Admits requests up to a limit. Used from one event loop.

    Args:
        slots: requests in flight at once.
        max_held_bytes: bytes of request bodies in memory at once.
        extra_slots: called when all of ``slots`` are taken: slots beyond them that something else,
            such as an online model, offers right now.
        workers: of ``slots``, those that are computed at once; given, connections take turns in an
            overload.
    """

    def __init__(
        self,
        slots: int,
        max_held_bytes: int,
        extra_slots: Callable[[], int] | None = None,
        *,
        workers: int = 0,
    ) -> None:
        self.max_held_bytes = max_held_bytes
        self._turns = Turns(slots, workers)
        self._slots = slots
        self._extra_slots = extra_slots
        self._in_flight = 0
        self._held_bytes = 0
        self._peak_held_bytes = 0
        self._stopping = False
        self._drained = asyncio.Event()
        self._tidying: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        state = ", stopping" if self._stopping else ""
        held = f"{self._held_bytes}/{self.max_held_bytes} bytes"
        return f"<Admission {self._in_flight}/{self.max_in_flight} in flight, {held}{state}>"

    @property
    def max_in_flight(self) -> int:
        """Requests that may be in flight now."""
        return self._slots + (self._extra_slots() if self._extra_slots is not None else 0)

    @property
    def in_flight(self) -> int:
        """Requests that were admitted and are not answered yet."""
        return self._in_flight

    @property
    def held_bytes(self) -> int:
        """Bytes of request bodies in memory."""
        return self._held_bytes

    @property
    def stopping(self) -> bool:
        """Whether new requests are refused."""
        return self._stopping

    @contextmanager
    def admit(self, caller: Caller | None = None) -> Iterator[AdmissionSlot]:
        """Take a slot for one request; enter it before the body is read.

        Args:
            caller: the connection it came over, which has its turn in an overload.

        Raises:
            Overloaded: every slot is taken, or it is not this connection's turn.
            ShuttingDown: the service is stopping.
        """
        if self._stopping:
            raise ShuttingDown("The service is stopping. Try another one, or again in a moment.")
        # The extra slots are asked for only when the own ones are taken: that looks at every model.
        if self._in_flight >= self._slots and self._in_flight >= self.max_in_flight:
            raise self._overloaded(caller)
        if self._turns.overloaded and not self._turns.may_enter(caller, self._in_flight):
            raise self._overloaded(caller)
        self._in_flight += 1
        slot = AdmissionSlot(self)
        try:
            yield slot
        finally:
            self._leave(slot)

    def _overloaded(self, caller: Caller | None) -> Overloaded:
        error = Overloaded(
            f"{self._in_flight} requests are in flight already. "
            "Send fewer, or try again in a moment."
        )
        error.retry_after_s = self._turns.refuse(caller)
        return error

    def hold(self, size: int) -> None:
        """Count bytes as held in memory until `release`; raises ``Overloaded`` beyond the limit."""
        held_bytes = self._held_bytes + size
        if held_bytes > self.max_held_bytes:
            raise Overloaded(
                f"Bodies of {self._held_bytes:,} bytes are held already; {size:,} more exceed "
                f"the limit of {self.max_held_bytes:,}. Send fewer or smaller images at once, or "
                "try again in a moment."
            )
        self._held_bytes = held_bytes
        self._peak_held_bytes = max(self._peak_held_bytes, held_bytes)

    def release(self, size: int) -> None:
        """Undo `hold` for bytes that have left memory."""
        self._held_bytes -= size

    def refuse_new(self) -> None:
        """Refuse requests from now on; admitted ones go on. Safe in a signal handler."""
        self._stopping = True

    async def drained(self) -> None:
        """Return when every admitted request has ended. Call `refuse_new` first."""
        if self._in_flight:
            await self._drained.wait()

    def _leave(self, slot: AdmissionSlot) -> None:
        self.release(slot.held)
        self._in_flight -= 1
        if self._in_flight:
            return
        if self._stopping:
            self._drained.set()
        if self._peak_held_bytes > _BURST_BYTES and self._tidying is None:
            loop = asyncio.get_running_loop()
            self._tidying = loop.call_later(_SETTLE_S, self._tidy)

    def _tidy(self) -> None:
        """Return a burst's memory if the service is idle; otherwise `_leave` tries again."""
        self._tidying = None
        if not self._in_flight:
            self._peak_held_bytes = 0
            release_free_memory()
