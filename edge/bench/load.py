"""The load generator: keep-alive connections that send frames in a closed loop, in its own process.

It shares the CPUs with the server, so it must cost little: plain asyncio protocols under uvloop,
requests that are built beforehand (`edge.bench.entrances`). It reports its own CPU time.
"""

from __future__ import annotations

import asyncio
import math
import multiprocessing
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import cycle, islice
from typing import TYPE_CHECKING, cast

import uvloop

from edge.bench.entrances import read_http
from edge.bench.procfs import cpu_seconds
from edge.errors import MeasurementFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.bench.entrances import Traffic

_PAUSE_S = 0.05  # after a connection that broke
_MAX_DRAIN_S = 60.0

BROKEN = 0
"""Stands for the status if the connection broke before an answer."""


@dataclass(frozen=True, slots=True)
class LoadPoint:
    """What the server did under one load, and what it cost.

    Attributes:
        seconds: from the first request to the last answer.
        statuses: status to the number of answers; `BROKEN` for requests that got none.
        p50_ms: of the answers 200, like the next two; ``None`` if there were none.
        server_cpu_s: CPU seconds of the server's processes.
        client_cpu_s: CPU seconds of the load generator.
    """

    seconds: float
    statuses: dict[int, int]
    p50_ms: float | None
    p99_ms: float | None
    slowest_ms: float | None
    server_cpu_s: float
    client_cpu_s: float

    @property
    def answered(self) -> int:
        """Frames that were computed and answered."""
        return self.statuses.get(HTTPStatus.OK, 0)

    @property
    def refused(self) -> int:
        """Frames that found no place."""
        return self.statuses.get(HTTPStatus.SERVICE_UNAVAILABLE, 0)


@dataclass(frozen=True, slots=True)
class Target:
    """The server: where it listens and its process."""

    host: str
    port: int
    pid: int


def start() -> ProcessPoolExecutor:
    """Start a process in which `measure` can be called."""
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


def measure(
    target: Target, traffic: Traffic, connections: int, warm_s: float, seconds: float
) -> LoadPoint:
    """Load the server for ``seconds`` and until its last answer, after an uncounted warm-up.

    Raises:
        MeasurementFailed: it gave no answer, or refused the greeting.
    """
    return uvloop.run(_measure(target, traffic, connections, warm_s, seconds))


async def _measure(
    target: Target, traffic: Traffic, connections: int, warm_s: float, seconds: float
) -> LoadPoint:
    clients = [_Client(target, traffic, number) for number in range(connections)]
    await asyncio.gather(*(client.connect() for client in clients))
    await _phase(clients, warm_s)
    began = time.perf_counter()
    server_cpu_before = cpu_seconds(target.pid)
    client_cpu_before = time.process_time()
    samples = await _phase(clients, seconds)
    elapsed = time.perf_counter() - began
    server_cpu = cpu_seconds(target.pid) - server_cpu_before
    client_cpu = time.process_time() - client_cpu_before
    for client in clients:
        client.close()
    latencies = sorted(samples.latencies_ms)
    return LoadPoint(
        seconds=elapsed,
        statuses=dict(samples.statuses),
        p50_ms=percentile(latencies, 50),
        p99_ms=percentile(latencies, 99),
        slowest_ms=latencies[-1] if latencies else None,
        server_cpu_s=server_cpu,
        client_cpu_s=client_cpu,
    )


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """Return the nearest-rank percentile of sorted values; ``None`` if there are none."""
    if not ordered:
        return None
    rank = max(1, math.ceil(len(ordered) * percent / 100))
    return ordered[rank - 1]


@dataclass(slots=True)
class _Samples:
    statuses: Counter[int] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)

    def add(self, status: int, latency_ms: float) -> None:
        self.statuses[status] += 1
        if status == HTTPStatus.OK:
            self.latencies_ms.append(latency_ms)


async def _phase(clients: list[_Client], seconds: float) -> _Samples:
    """Let all clients send for ``seconds``; returns when each has its last answer."""
    samples = _Samples()
    until = time.perf_counter() + seconds
    try:
        async with asyncio.timeout(seconds + _MAX_DRAIN_S):
            await asyncio.gather(*(client.run(until, samples) for client in clients))
    except TimeoutError:
        raise MeasurementFailed(
            f"The server gave no answer to a frame for {_MAX_DRAIN_S:.0f} s."
        ) from None
    return samples


class _Client(asyncio.Protocol):
    """One connection, which sends its next frame when it has the answer to the last."""

    def __init__(self, target: Target, traffic: Traffic, number: int) -> None:
        """Remember what to do; ``number`` is that of the first frame to send."""
        self._target = target
        self._traffic = traffic
        self._requests = islice(cycle(traffic.requests), number, None)
        self._received = b""
        self._sent = 0.0
        self._transport: asyncio.Transport | None = None
        self._greeted: asyncio.Future[None] | None = None
        self._done: asyncio.Future[None] | None = None

    async def connect(self) -> None:
        """Open the connection; done when its greeting is answered.

        Raises:
            OSError: it cannot be opened, or broke.
            MeasurementFailed: the greeting was refused.
        """
        loop = asyncio.get_running_loop()
        greeted = self._greeted = loop.create_future()
        await loop.create_connection(lambda: self, self._target.host, self._target.port)
        if not self._traffic.greeting:
            greeted.set_result(None)
        await greeted

    def run(self, until: float, samples: _Samples) -> asyncio.Future[None]:
        """Send until `time.perf_counter` reaches ``until``, at least once; done when answered."""
        self._until, self._samples = until, samples
        self._done = asyncio.get_running_loop().create_future()
        self._send()
        return self._done

    def close(self) -> None:
        self._done = None
        if self._transport is not None:
            self._transport.close()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        if self._transport is None:  # the server closed it between two phases
            self._connecting = asyncio.create_task(self._reconnect())
        else:
            self._transport.write(next(self._requests))

    def _answered(self, status: int) -> None:
        assert self._done is not None
        now = time.perf_counter()
        self._samples.add(status, (now - self._sent) * 1000)
        if now < self._until:
            self._send()
        else:
            self._done.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport does not inherit from asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._received = b""
        if self._traffic.greeting:
            self._transport.write(self._traffic.greeting)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._greeted is not None and not self._greeted.done():
            self._read_welcome(self._greeted)
            return
        answer = self._traffic.read(self._received)
        while answer is not None:
            status, size = answer
            self._received = self._received[size:]
            if status:
                self._answered(status)
            answer = self._traffic.read(self._received)

    def _read_welcome(self, greeted: asyncio.Future[None]) -> None:
        answer = read_http(self._received)
        if answer is None:
            return
        status, size = answer
        self._received = self._received[size:]
        if status == HTTPStatus.SWITCHING_PROTOCOLS:
            greeted.set_result(None)
        else:
            greeted.set_exception(
                MeasurementFailed(f"The server answered {status} instead of opening a stream.")
            )

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._greeted is not None and not self._greeted.done():
            self._greeted.set_exception(exc or ConnectionResetError())
        elif self._done is not None and not self._done.done():
            asyncio.get_running_loop().call_later(_PAUSE_S, self._broken)

    def _broken(self) -> None:
        """Count a lost request and continue with a new connection."""
        if self._done is not None and not self._done.done():
            self._answered(BROKEN)

    async def _reconnect(self) -> None:
        try:
            await self.connect()
        except (OSError, MeasurementFailed):
            asyncio.get_running_loop().call_later(_PAUSE_S, self._broken)
        else:
            self._send()
