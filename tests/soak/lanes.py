"""Fires the shots of a fuzz over several connections at once, and judges what comes back."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from soak.connection import Connection
from soak.failures import Failures
from soak.websocket import CLOSE, take_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    from soak.replies import Reply
    from soak.shot import Shot

HANG_S = 30.0
"""A shot that is neither answered nor cut off within it hangs."""

MAX_HUNG = 200
"""After so many hung shots a fuzz stops: each costs its lane half a minute."""

_LOOSE_S = 0.1
"""How long bytes that may be no request wait for a reply, before the client ends the connection."""

_HUNG = "hung"
_ALLOWED = {503, 504}
_NOT_SERVED = 501
_SERVER_FAULT = 500
_SWITCHING = 101


@dataclass(slots=True)
class Tally:
    """What came of the shots so far.

    Attributes:
        outcomes: entrance and outcome (a status, ``cut off``, ``closed`` ...) to their number.
        messages: answers on streams.
        under_way: the shot of each lane that has one.
    """

    shots: int = 0
    messages: int = 0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: Failures = field(default_factory=Failures)
    under_way: dict[int, Shot] = field(default_factory=dict)
    slowest_s: float = 0.0
    slowest: str = ""

    @property
    def is_over(self) -> bool:
        """So many shots hung that going on is pointless."""
        hung = sum(n for (_, outcome), n in self.outcomes.items() if outcome == _HUNG)
        return hung >= MAX_HUNG


async def fire_all(
    address: tuple[str, int],
    shots: Iterator[Shot],
    lanes: int,
    tally: Tally,
    stopping: Callable[[], bool],
) -> None:
    """Fire the shots until there are none, too many hung, or ``stopping`` says so."""
    running = [
        asyncio.create_task(_Lane(address, number, tally).run(shots, stopping))
        for number in range(lanes)
    ]
    try:
        await asyncio.gather(*running)
    finally:
        for lane in running:
            lane.cancel()


class _Lane:
    """One connection at a time; a new one after each that has ended."""

    def __init__(self, address: tuple[str, int], number: int, tally: Tally) -> None:
        self._address = address
        self._number = number
        self._tally = tally
        self._connection: Connection | None = None

    async def run(self, shots: Iterator[Shot], stopping: Callable[[], bool]) -> None:
        for shot in shots:
            if stopping() or self._tally.is_over:
                break
            self._tally.under_way[self._number] = shot
            began = time.monotonic()
            try:
                outcome = await self._fire(shot)
            except OSError as error:
                outcome = f"not connected: {type(error).__name__}"
                await asyncio.sleep(_LOOSE_S)
            self._tally.shots += 1
            self._tally.outcomes[shot.entrance, outcome] += 1
            seconds = time.monotonic() - began
            if seconds > self._tally.slowest_s:
                self._tally.slowest_s, self._tally.slowest = seconds, shot.request_id
        self._tally.under_way.pop(self._number, None)
        self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.abort()
        self._connection = None

    async def _fire(self, shot: Shot) -> str:
        connection = await self._connected()
        if not shot.is_whole:
            return await self._fire_loose(connection, shot)
        try:
            await self._send(connection, shot)
            reply = await connection.reply(HANG_S)
        except TimeoutError:
            self._tally.failures.add(f"{shot.entrance}: no reply within {HANG_S:.0f} s", shot)
            self._drop()
            return _HUNG
        if connection.fault is not None:
            self._tally.failures.add(f"{shot.entrance}: no HTTP", shot, connection.fault)
        if reply is None:
            self._drop()
            return "cut off"
        self._judge(shot, reply)
        if reply.status == _SWITCHING:
            return await self._talk(connection, shot)
        is_last = reply.endless or (reply.header(b"connection") or b"").lower() == b"close"
        if not is_last:  # what is refused before its head was read has an id of its own
            self._judge_id(shot, reply)
        # The last reply to HEAD may have a body: where HTTP itself was refused, the method is lost.
        if not connection.idle and not (is_last and shot.bodiless):
            surplus = connection.surplus.decode("latin-1")
            self._tally.failures.add(f"{shot.entrance}: two replies to one request", shot, surplus)
        if is_last or connection.closed or not connection.idle:
            self._drop()
        return str(reply.status)

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = await Connection.open(self._address)
        return self._connection

    async def _send(self, connection: Connection, shot: Shot) -> None:
        if shot.split:
            await connection.send(shot.data[: shot.split], bodiless=shot.bodiless)
            await asyncio.sleep(0.002)
        async with asyncio.timeout(HANG_S):
            await connection.send(shot.data[shot.split :], bodiless=shot.bodiless)

    async def _fire_loose(self, connection: Connection, shot: Shot) -> str:
        """Send what may be anything; then the client ends the connection, and the server must."""
        outcome = "silent"
        try:
            await self._send(connection, shot)
            reply = await connection.reply(_LOOSE_S)
            outcome = "cut off" if reply is None else str(reply.status)
            if reply is not None:
                self._judge(shot, reply)
        except TimeoutError:
            connection.end_sending()
            try:
                await connection.until_closed(HANG_S)
            except TimeoutError:
                self._tally.failures.add(
                    f"{shot.entrance}: still open {HANG_S:.0f} s after its end", shot
                )
                outcome = _HUNG
        if connection.fault is not None:
            self._tally.failures.add(f"{shot.entrance}: no HTTP", shot, connection.fault)
        self._drop()
        return outcome

    async def _talk(self, connection: Connection, shot: Shot) -> str:
        """Send the messages of a stream, each after the answer to the last, and then its tail."""
        try:
            async with asyncio.timeout(HANG_S):
                for message in shot.messages:
                    await connection.send(message)
                    if not await self._answered(connection):
                        break
                    self._tally.messages += 1
                await connection.send(shot.tail)
                connection.end_sending()
                while not connection.closed:
                    await connection.news()
        except TimeoutError:
            self._tally.failures.add(f"{shot.entrance}: a stream hung for {HANG_S:.0f} s", shot)
            return _HUNG
        finally:
            self._drop()
        return "stream"

    @staticmethod
    async def _answered(connection: Connection) -> bool:
        """Whether an answer came before the stream's end."""
        while True:
            frames = take_frames(connection.rest)
            if frames:
                return all(opcode != CLOSE for opcode, _ in frames)
            if connection.closed:
                return False
            await connection.news()

    def _judge(self, shot: Shot, reply: Reply) -> None:
        if reply.status < _SERVER_FAULT or reply.status in _ALLOWED:
            return
        code = (reply.header(b"x-edge-error") or b"").decode("latin-1")
        if reply.status == _NOT_SERVED and code == "not_served":
            return  # documented: `:classify` and `:regress`
        received = (reply.head + reply.body).decode("utf-8", "replace")
        self._tally.failures.add(f"{shot.entrance}: {reply.status} {code}", shot, received)

    def _judge_id(self, shot: Shot, reply: Reply) -> None:
        """A reply with the id of no request, or of another, answers something that was not sent."""
        found = reply.header(b"x-request-id")
        if found is not None and found.decode("latin-1") != shot.request_id:
            received = (reply.head + reply.body).decode("utf-8", "replace")
            self._tally.failures.add(
                f"{shot.entrance}: the reply to another request", shot, received
            )
            self._drop()
