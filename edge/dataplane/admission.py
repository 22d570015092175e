"""Admission of requests: bounds on their number and on the bytes of their bodies, and draining.

Knows no model and no protocol. A request goes through two stages. While its body arrives it takes
no slot, so that a caller who sends nothing keeps no other one out: only the bytes that have arrived
count. With its body complete it takes one of the few slots for frames. A request that finds no slot
free is refused before its body is read, so that a refusal costs nothing.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.dataplane.arriving import ArrivingBody, to_give_way
from edge.dataplane.turns import Turns
from edge.errors import Overloaded, ShuttingDown
from edge.runtime.memory import release_free_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge.dataplane.turns import Caller

_BURST_BYTES = 4 << 20
"""A burst that held more bytes than this leaves memory behind that is worth returning when idle."""

STOPPING = "The service is stopping. Try another one, or again in a moment."

_SETTLE_S = 1.0
"""Seconds after a burst until the connections' own buffers are empty as well."""

_BUSY_S = 60.0
"""Seconds after which a service that is never idle returns free memory too: under mixed load up to
40 MiB lie in the gaps of its heaps. It stops every thread that allocates for 3 to 7 ms."""


class AdmissionSlot(ArrivingBody):
    """One admitted request, from its head to its answer.

    Attributes:
        caller: the connection it came over.
        in_flight: whether its body is complete and it has its slot.
    """

    def __init__(self, admission: Admission, caller: Caller | None = None) -> None:
        super().__init__(admission)
        self.caller = caller
        self.in_flight = False

    def start(self) -> None:
        """Take a slot for the frame: its body is complete; raises ``Overloaded``.

        A service that is stopping still starts the requests that it let in before.
        """
        self._admission.start(self)
        self.in_flight = True


class Admission:
    """Admits requests up to a limit. Used from one event loop.

    Args:
        slots: requests in flight at once.
        max_held_bytes: bytes of request bodies in memory at once.
        extra_slots: called when all of ``slots`` are taken: slots beyond them that something else,
            such as an online model, offers right now.
        workers: of ``slots``, those that are computed at once; given, connections take turns in an
            overload.
        clock: for tests; seconds that never go back.

    Attributes:
        answered_at_end: admitted requests that were answered while the service was stopping.
        refused_at_end: requests that were refused then, admitted ones among them whose answer was
            not ready in time.
    """

    def __init__(
        self,
        slots: int,
        max_held_bytes: int,
        extra_slots: Callable[[], int] | None = None,
        *,
        workers: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.max_held_bytes = max_held_bytes
        self._turns = Turns(slots, workers)
        self._slots = slots
        self._extra_slots = extra_slots
        self._receiving = 0
        self._arriving: set[ArrivingBody] = set()
        self._in_flight = 0
        self._held_bytes = 0
        self._peak_held_bytes = 0
        self._stopping = False
        self.answered_at_end = 0
        self.refused_at_end = 0
        self._drained = asyncio.Event()
        self._tidying: asyncio.TimerHandle | None = None
        self._clock = clock
        self._tidied_at = clock()

    def __repr__(self) -> str:
        state = ", stopping" if self._stopping else ""
        held = f"{self._held_bytes}/{self.max_held_bytes} bytes"
        requests = f"{self._in_flight}/{self.max_in_flight} in flight, {self._receiving} receiving"
        return f"<Admission {requests}, {held}{state}>"

    @property
    def max_in_flight(self) -> int:
        """Requests that may be in flight now."""
        return self._slots + (self._extra_slots() if self._extra_slots is not None else 0)

    @property
    def in_flight(self) -> int:
        """Requests whose body is complete and which are not answered yet."""
        return self._in_flight

    @property
    def receiving(self) -> int:
        """Requests whose body is arriving; they take no slot."""
        return self._receiving

    @property
    def held_bytes(self) -> int:
        """Bytes of request bodies in memory."""
        return self._held_bytes

    @property
    def stopping(self) -> bool:
        """Whether new requests are refused."""
        return self._stopping

    @property
    def may_refuse(self) -> bool:
        """Whether `refusal` is worth asking: own slots are all taken, or it is an overload."""
        return self._in_flight >= self._slots or self._turns.overloaded

    def refusal(self, caller: Caller | None) -> Overloaded | None:
        """Why a request would not be let in now; ``None`` if it would be.

        A refusal counts: its connection waits for a turn from then on.

        Args:
            caller: the connection it came over, which has its turn in an overload.
        """
        if not self._has_free_slot():
            return self._overloaded(caller)
        if self._turns.overloaded and not self._turns.may_arrive(caller, self._in_flight):
            return self._overloaded(caller)
        return None

    @contextmanager
    def receive(self, caller: Caller | None = None) -> Iterator[AdmissionSlot]:
        """Let one request in whose body is still to arrive; it takes no slot until it starts.

        Their number is bounded by that of connections, their bytes by ``max_held_bytes``.

        Args:
            caller: the connection it came over, which has its turn in an overload.

        Raises:
            Overloaded: every slot is taken at the moment, or it is not this connection's turn.
            ShuttingDown: the service is stopping.
        """
        if self._stopping:
            self.refused_at_end += 1
            raise ShuttingDown(STOPPING)
        if (refusal := self.refusal(caller)) is not None:
            raise refusal
        slot = AdmissionSlot(self, caller)
        self._receiving += 1
        self._arriving.add(slot)
        try:
            yield slot
        except asyncio.CancelledError:
            if self.stopping:  # the grace is over
                self.refused_at_end += 1
                self.answered_at_end -= 1
            raise
        finally:
            self._leave(slot)

    @contextmanager
    def admit(self, caller: Caller | None = None) -> Iterator[AdmissionSlot]:
        """Take a slot for one request whose frame is in memory already.

        Args:
            caller: the connection it came over, which has its turn in an overload.

        Raises:
            Overloaded: every slot is taken, or it is not this connection's turn.
            ShuttingDown: the service is stopping.
        """
        with self.receive(caller) as slot:
            slot.start()
            yield slot

    def start(self, slot: AdmissionSlot) -> None:
        """Give a slot to a request that `receive` let in; raises ``Overloaded``."""
        if not self._has_free_slot():
            raise self._overloaded(slot.caller)
        if self._turns.overloaded and not self._turns.may_enter(slot.caller, self._in_flight):
            raise self._overloaded(slot.caller)
        self._arriving.discard(slot)
        self._receiving -= 1
        self._in_flight += 1

    def begin_body(self, cut: Callable[[], None]) -> ArrivingBody:
        """Count a body that belongs to no request, such as a stream's message, until `end_body`.

        Args:
            cut: called if it must give way; see `ArrivingBody`.
        """
        body = ArrivingBody(self, cut)
        self._arriving.add(body)
        return body

    def end_body(self, body: ArrivingBody) -> None:
        """Undo `begin_body`: it has arrived or never will."""
        self._arriving.discard(body)
        body.release()

    def _has_free_slot(self) -> bool:
        # The extra slots are asked for only when the own ones are taken: that looks at every model.
        return self._in_flight < self._slots or self._in_flight < self.max_in_flight

    def _overloaded(self, caller: Caller | None) -> Overloaded:
        error = Overloaded(
            f"{self._in_flight} requests are in flight already. "
            "Send fewer, or try again in a moment."
        )
        error.retry_after_s = self._turns.refuse(caller)
        return error

    def hold(self, size: int, asker: ArrivingBody | None = None) -> None:
        """Count bytes as held in memory until `release`; raises ``Overloaded`` beyond the limit.

        Bodies that have been arriving for longer than the asker's give way first.
        """
        excess = self._held_bytes + size - self.max_held_bytes
        if excess > 0:
            for body in to_give_way(self._arriving, excess, asker, time.monotonic()):
                body.give_way()
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
        if self._in_flight or self._receiving:
            await self._drained.wait()

    def _leave(self, slot: AdmissionSlot) -> None:
        slot.release()
        self._arriving.discard(slot)
        if slot.in_flight:
            self._in_flight -= 1
        else:
            self._receiving -= 1
        if self._stopping:
            self.answered_at_end += 1
        if self._in_flight or self._receiving:
            if self._clock() - self._tidied_at >= _BUSY_S:
                self._release_free_memory()
            return
        if self._stopping:
            self._drained.set()
        if self._peak_held_bytes > _BURST_BYTES and self._tidying is None:
            loop = asyncio.get_running_loop()
            self._tidying = loop.call_later(_SETTLE_S, self._tidy)

    def _tidy(self) -> None:
        """Return a burst's memory if the service is idle; otherwise `_leave` tries again."""
        self._tidying = None
        if not self._in_flight and not self._receiving:
            self._peak_held_bytes = 0
            self._release_free_memory()

    def _release_free_memory(self) -> None:
        release_free_memory()
        self._tidied_at = self._clock()
