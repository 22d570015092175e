"""More cameras than the server can answer, each over its own connection, one frame at a time."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_WAIT = re.compile(rb"\r\nretry-after: *(\d+)\r\n", re.IGNORECASE)


@dataclass
class Member:
    """One camera.

    Attributes:
        answered: when its frames were answered, on `time.monotonic`.
        statuses: of all its answers.
    """

    answered: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


@dataclass
class Crowd:
    """What became of all of them.

    Attributes:
        began: on `time.monotonic`.
        ended: likewise.
    """

    members: list[Member]
    began: float
    ended: float

    @property
    def frames(self) -> list[int]:
        """Frames answered, by camera, fewest first."""
        return sorted(len(member.answered) for member in self.members)

    @property
    def per_second(self) -> float:
        """Frames answered in a second, of all cameras together."""
        return sum(self.frames) / (self.ended - self.began)

    @property
    def longest_silence(self) -> float:
        """The longest time in seconds that a camera got no answer to a frame."""
        silences = []
        for member in self.members:
            times = [self.began, *member.answered, self.ended]
            silences += [after - before for before, after in pairwise(times)]
        return max(silences)

    def __str__(self) -> str:
        few, most = self.frames[0], self.frames[-1]
        refused = sum(member.statuses[503] for member in self.members)
        return (
            f"{len(self.members)} cameras, {self.per_second:.0f} frames/s: {few} to {most} frames, "
            f"median {median(self.frames)}, longest silence {self.longest_silence:.2f} s, "
            f"{refused} refusals"
        )


def press(
    address: tuple[str, int],
    frame: bytes,
    *,
    cameras: int,
    seconds: float,
    honour: bool = False,
    reconnect: int = 0,
) -> Crowd:
    """Let cameras post without a pause.

    Args:
        address: of the server.
        frame: what each posts.
        cameras: their number.
        seconds: that they go on.
        honour: wait as long as Retry-After says; else ask again at once.
        reconnect: so many of them, the last ones, open a connection for each frame.
    """
    return asyncio.run(_press(address, frame, cameras, seconds, honour, reconnect))


async def _press(
    address: tuple[str, int],
    frame: bytes,
    cameras: int,
    seconds: float,
    honour: bool,
    reconnect: int,
) -> Crowd:
    host = f"{address[0]}:{address[1]}"
    head = f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(frame)}\r\n\r\n"
    request = head.encode() + frame
    members = [Member() for _ in range(cameras)]
    began = time.monotonic()
    until = began + seconds
    await asyncio.gather(
        *(
            _camera(
                address,
                request,
                member,
                until,
                honour,
                number >= cameras - reconnect,
                number / cameras,  # within a second, as cameras that were switched on by people
            )
            for number, member in enumerate(members)
        )
    )
    return Crowd(members, began, until)


async def _camera(
    address: tuple[str, int],
    request: bytes,
    member: Member,
    until: float,
    honour: bool,
    reconnects: bool,
    start_s: float,
) -> None:
    await asyncio.sleep(start_s)
    reader, writer = await asyncio.open_connection(*address)
    while time.monotonic() < until:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        await reader.readexactly(int(length[1]) if length else 0)
        status = int(head[9:12])
        member.statuses[status] += 1
        now = time.monotonic()
        if status == 200 and now < until:
            member.answered.append(now)
        elif honour and (wait := _WAIT.search(head)):
            await asyncio.sleep(min(int(wait[1]), max(0.0, until - now)))
        if reconnects or b"connection: close" in head.lower():
            writer.close()
            reader, writer = await asyncio.open_connection(*address)
    writer.close()
