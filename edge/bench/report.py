"""Turns rounds of measurements into the reported figures and compares them with targets. Pure.

A figure of several rounds is their median. `Report` is the JSON of `edge bench --json`, field by
field; the attributes below say what each key means.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from http import HTTPStatus
from itertools import product
from statistics import median
from typing import TYPE_CHECKING

from edge.bench.frames import SIZES, TELEPHONE, WEBCAM

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge.bench.bare import BarePoint
    from edge.bench.frames import Size
    from edge.bench.load import LoadPoint
    from edge.bench.procfs import Memory

CONNECTIONS = (1, 8, 32, 200)
"""The last is overload: more than the workers and the queue can hold."""

AIM_CONNECTIONS = 8
MAX_BARE_RATIO = 1 / 0.85
MAX_MULTIPART_RATIO = 1.1
MAX_START_S = 1.0
MAX_PSS_MIB = 130


@dataclass(frozen=True, slots=True)
class Pair:
    """The bare work, and the server immediately after it."""

    size: Size
    connections: int
    bare: BarePoint
    server: LoadPoint


@dataclass(frozen=True, slots=True)
class Twins:
    """The same frames raw, and immediately after that as multipart."""

    raw: LoadPoint
    multipart: LoadPoint


@dataclass(frozen=True, slots=True)
class Measurements:
    """Everything that a run measured, in this order."""

    pairs: Sequence[Pair]
    twins: Sequence[Twins]
    first_answers_s: Sequence[float]
    after_start: Memory
    after_load: Memory
    tensorflow: bool


@dataclass(frozen=True, slots=True)
class Point:
    """One image size at one number of connections.

    Attributes:
        bare_cpu_ms: CPU milliseconds per frame of the bare work.
        server_cpu_ms: CPU milliseconds of the server's processes per answered frame, including
            those spent on refusals.
        ratio: server to bare, the median over the pairs.
        ratios: that of each pair.
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
    bare_cpu_ms: float
    bare_frames_per_s: float
    server_cpu_ms: float | None
    server_frames_per_s: float
    ratio: float | None
    ratios: list[float | None]
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
class Multipart:
    """The largest frame as multipart against raw, in CPU milliseconds of the server per frame."""

    size: str
    connections: int
    raw_cpu_ms: float | None
    multipart_cpu_ms: float | None
    ratio: float | None
    ratios: list[float | None]


@dataclass(frozen=True, slots=True)
class Aim:
    """A target (a maximum), and whether it was met; unknown if nothing was measured."""

    name: str
    limit: float
    measured: float | None
    met: bool | None


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of a run.

    Attributes:
        machine: see `edge.bench.machine`.
        method: what was run: model, workers, decoder's settings, rounds, seconds per point.
        frame_bytes: image size to the byte counts of its frames.
        first_answer_s: seconds from the command to the first answer, of each start.
        memory: ``after_start`` and ``after_load``, each in MiB as ``pss_mib`` and ``rss_mib``.
        tensorflow: whether a TensorFlow library was mapped into the server.
    """

    machine: Mapping[str, str | int]
    method: Mapping[str, str | int | float | bool]
    frame_bytes: Mapping[str, Sequence[int]]
    points: list[Point]
    multipart: Multipart
    first_answer_s: list[float]
    memory: Mapping[str, Memory]
    tensorflow: bool
    aims: list[Aim]


def make_report(
    measured: Measurements,
    machine: Mapping[str, str | int],
    method: Mapping[str, str | int | float | bool],
    frame_bytes: Mapping[str, Sequence[int]],
) -> Report:
    """Compute the figures of a run."""
    pairs_by_point: dict[tuple[Size, int], list[Pair]] = defaultdict(list)
    for pair in measured.pairs:
        pairs_by_point[pair.size, pair.connections].append(pair)
    points = [make_point(pairs_by_point[key]) for key in product(SIZES, CONNECTIONS)]
    multipart = make_multipart(measured.twins)
    return Report(
        machine=machine,
        method=method,
        frame_bytes=frame_bytes,
        points=points,
        multipart=multipart,
        first_answer_s=list(measured.first_answers_s),
        memory={"after_start": measured.after_start, "after_load": measured.after_load},
        tensorflow=measured.tensorflow,
        aims=make_aims(points, multipart, measured),
    )


def make_point(pairs: Sequence[Pair]) -> Point:
    """Compute the figures of one size and number of connections from one or more pairs."""
    servers = [pair.server for pair in pairs]
    ratios = [_ratio(_server_cpu_ms(pair.server), pair.bare.cpu_ms) for pair in pairs]
    counts: Counter[int] = Counter()
    for server in servers:
        counts.update(server.statuses)
    outcomes = dict(sorted(counts.items()))
    refused = outcomes.get(HTTPStatus.SERVICE_UNAVAILABLE, 0)
    answered = outcomes.get(HTTPStatus.OK, 0)
    slowest = [server.slowest_ms for server in servers if server.slowest_ms is not None]
    return Point(
        size=str(pairs[0].size),
        connections=pairs[0].connections,
        bare_cpu_ms=median(pair.bare.cpu_ms for pair in pairs),
        bare_frames_per_s=median(pair.bare.frames_per_s for pair in pairs),
        server_cpu_ms=_median(map(_server_cpu_ms, servers)),
        server_frames_per_s=median(server.answered / server.seconds for server in servers),
        ratio=_median(ratios),
        ratios=ratios,
        client_cpu_ms=_median(_ms_per_frame(server.client_cpu_s, server) for server in servers),
        p50_ms=_median(server.p50_ms for server in servers),
        p99_ms=_median(server.p99_ms for server in servers),
        slowest_ms=max(slowest, default=None),
        answered=answered,
        refused=refused,
        other=sum(outcomes.values()) - answered - refused,
        outcomes=outcomes,
        refused_per_s=median(
            server.statuses.get(HTTPStatus.SERVICE_UNAVAILABLE, 0) / server.seconds
            for server in servers
        ),
    )


def make_multipart(twins: Sequence[Twins]) -> Multipart:
    """Compute the figures of multipart against raw."""
    ratios = [_ratio(_server_cpu_ms(one.multipart), _server_cpu_ms(one.raw)) for one in twins]
    return Multipart(
        size=str(TELEPHONE),
        connections=AIM_CONNECTIONS,
        raw_cpu_ms=_median(_server_cpu_ms(one.raw) for one in twins),
        multipart_cpu_ms=_median(_server_cpu_ms(one.multipart) for one in twins),
        ratio=_median(ratios),
        ratios=ratios,
    )


def make_aims(points: Sequence[Point], multipart: Multipart, measured: Measurements) -> list[Aim]:
    """Return the project's targets for a TFLite model, each with the measured value."""
    (at_aim,) = (
        point
        for point in points
        if (point.size, point.connections) == (str(WEBCAM), AIM_CONNECTIONS)
    )
    pss_mib = max(measured.after_start.pss_mib, measured.after_load.pss_mib)
    return [
        aim(f"server CPU / bare work, {at_aim.size}, c = 8", MAX_BARE_RATIO, at_aim.ratio),
        aim(f"server CPU, multipart / raw, {multipart.size}", MAX_MULTIPART_RATIO, multipart.ratio),
        aim("start to first answer, s", MAX_START_S, median(measured.first_answers_s)),
        aim("memory (PSS), MiB", MAX_PSS_MIB, pss_mib),
        aim("libraries of TensorFlow mapped", 0, float(measured.tensorflow)),
    ]


def aim(name: str, limit: float, measured: float | None) -> Aim:
    """Compare a measured value with its target."""
    return Aim(name, limit, measured, None if measured is None else measured <= limit)


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
