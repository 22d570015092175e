"""Turns the rounds of one point, an image size under one load, into its figures. Pure.

A figure of several rounds is their median.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from edge.bench.entrances import Entrance

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge.bench.bare import BarePoint
    from edge.bench.frames import Size
    from edge.bench.load import LoadPoint

CONNECTIONS = (1, 8, 32, 200)
"""The last is overload: more than the workers and the queue can hold."""

AIM_CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class Pair:
    """The yardstick, the bare work after it, and the server immediately after that.

    Attributes:
        entrances: the same frames through the other entrances, right after the server's raw ones;
            empty but at `AIM_CONNECTIONS`.
    """

    size: Size
    connections: int
    yardstick: BarePoint
    bare: BarePoint
    server: LoadPoint
    entrances: Mapping[Entrance, LoadPoint] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Point:
    """One image size at one number of connections.

    Attributes:
        yardstick_cpu_ms: CPU milliseconds per frame of the yardstick (`edge.bench.yardstick`).
        bare_cpu_ms: CPU milliseconds per frame of the bare work as the service does it.
        server_cpu_ms: CPU milliseconds of the server's processes per answered frame, including
            those spent on refusals.
        ratio: server to bare, the median over the pairs.
        ratios: that of each pair.
        yardstick_ratio: server to yardstick, likewise.
        yardstick_ratios: that of each pair.
        client_cpu_ms: CPU milliseconds of the load generator, on the same machine, per answered
            frame.
        p50_ms: of the answers 200, from the first byte sent to the last received; likewise p99_ms,
            and slowest_ms, which is the maximum of all rounds.
        answered: answers 200 in all rounds.
        refused: answers 503 in all rounds.
        other: any other outcome in all rounds, including broken connections.
        outcomes: status to its count over all rounds; 0 is a broken connection.
        refused_per_s: answers 503 per second.
    """

    size: str
    connections: int
    yardstick_cpu_ms: float
    yardstick_frames_per_s: float
    bare_cpu_ms: float
    bare_frames_per_s: float
    server_cpu_ms: float | None
    server_frames_per_s: float
    ratio: float | None
    ratios: list[float | None]
    yardstick_ratio: float | None
    yardstick_ratios: list[float | None]
    client_cpu_ms: float | None
    p50_ms: float | None
    p99_ms: float | None
    slowest_ms: float | None
    answered: int
    refused: int
    other: int
    outcomes: dict[int, int]
    refused_per_s: float


@dataclass(frozen=True, slots=True)
class EntrancePoint:
    """One entrance at one image size and `AIM_CONNECTIONS`.

    Attributes:
        entrance: ``raw``, ``multipart``, ``stream`` or ``tf_serving``.
        server_cpu_ms: as of `Point`, like the next three and ``p50_ms``, ``p99_ms``, ``answered``,
            ``refused`` and ``other``.
        raw_ratio: server CPU to that of the raw entrance in the same round.
    """

    entrance: str
    size: str
    connections: int
    server_cpu_ms: float | None
    server_frames_per_s: float
    ratio: float | None
    yardstick_ratio: float | None
    raw_ratio: float | None
    p50_ms: float | None
    p99_ms: float | None
    answered: int
    refused: int
    other: int


def make_point(pairs: Sequence[Pair]) -> Point:
    """Compute the figures of one size and number of connections from one or more pairs."""
    servers = [pair.server for pair in pairs]
    ratios = [_ratio(_server_cpu_ms(pair.server), pair.bare.cpu_ms) for pair in pairs]
    yardstick_ratios = [
        _ratio(_server_cpu_ms(pair.server), pair.yardstick.cpu_ms) for pair in pairs
    ]
    totals = _add_up(servers)
    slowest = [server.slowest_ms for server in servers if server.slowest_ms is not None]
    return Point(
        size=str(pairs[0].size),
        connections=pairs[0].connections,
        yardstick_cpu_ms=median(pair.yardstick.cpu_ms for pair in pairs),
        yardstick_frames_per_s=median(pair.yardstick.frames_per_s for pair in pairs),
        bare_cpu_ms=median(pair.bare.cpu_ms for pair in pairs),
        bare_frames_per_s=median(pair.bare.frames_per_s for pair in pairs),
        server_cpu_ms=_median(map(_server_cpu_ms, servers)),
        server_frames_per_s=median(server.answered / server.seconds for server in servers),
        ratio=_median(ratios),
        ratios=ratios,
        yardstick_ratio=_median(yardstick_ratios),
        yardstick_ratios=yardstick_ratios,
        client_cpu_ms=_median(_ms_per_frame(server.client_cpu_s, server) for server in servers),
        p50_ms=_median(server.p50_ms for server in servers),
        p99_ms=_median(server.p99_ms for server in servers),
        slowest_ms=max(slowest, default=None),
        answered=totals.answered,
        refused=totals.refused,
        other=totals.other,
        outcomes=totals.outcomes,
        refused_per_s=median(server.refused / server.seconds for server in servers),
    )


def make_entrance(entrance: Entrance, pairs: Sequence[Pair]) -> EntrancePoint:
    """Compute the figures of one entrance from the pairs of one size at `AIM_CONNECTIONS`."""
    servers = [
        pair.server if entrance is Entrance.RAW else pair.entrances[entrance] for pair in pairs
    ]
    costs = [_server_cpu_ms(server) for server in servers]
    totals = _add_up(servers)
    rounds = list(zip(costs, pairs, strict=True))
    return EntrancePoint(
        entrance=entrance,
        size=str(pairs[0].size),
        connections=pairs[0].connections,
        server_cpu_ms=_median(costs),
        server_frames_per_s=median(server.answered / server.seconds for server in servers),
        ratio=_median(_ratio(cost, pair.bare.cpu_ms) for cost, pair in rounds),
        yardstick_ratio=_median(_ratio(cost, pair.yardstick.cpu_ms) for cost, pair in rounds),
        raw_ratio=_median(_ratio(cost, _server_cpu_ms(pair.server)) for cost, pair in rounds),
        p50_ms=_median(server.p50_ms for server in servers),
        p99_ms=_median(server.p99_ms for server in servers),
        answered=totals.answered,
        refused=totals.refused,
        other=totals.other,
    )


class _Totals(NamedTuple):
    """Answers of all rounds."""

    outcomes: dict[int, int]
    answered: int
    refused: int
    other: int


def _add_up(servers: Sequence[LoadPoint]) -> _Totals:
    counts: Counter[int] = Counter()
    for server in servers:
        counts.update(server.statuses)
    answered = sum(server.answered for server in servers)
    refused = sum(server.refused for server in servers)
    other = counts.total() - answered - refused
    return _Totals(dict(sorted(counts.items())), answered, refused, other)


def _server_cpu_ms(server: LoadPoint) -> float | None:
    return _ms_per_frame(server.server_cpu_s, server)


def _ms_per_frame(cpu_s: float, server: LoadPoint) -> float | None:
    """Return CPU milliseconds per answered frame."""
    return cpu_s / server.answered * 1000 if server.answered else None


def _ratio(measured: float | None, yardstick: float | None) -> float | None:
    return measured / yardstick if measured is not None and yardstick else None


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
