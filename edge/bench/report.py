"""Turns rounds of measurements into the reported figures and compares them with targets. Pure.

`Report` is the JSON of `edge bench --json`, field by field; the attributes below say what each key
means.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import TYPE_CHECKING

from edge.bench.capacity import Capacity, make_capacity
from edge.bench.entrances import Entrance
from edge.bench.frames import SIZES, TELEPHONE, WEBCAM
from edge.bench.points import AIM_CONNECTIONS, CONNECTIONS, make_entrance, make_point

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.bench.frames import Size
    from edge.bench.points import EntrancePoint, Pair, Point
    from edge.bench.procfs import Memory

MAX_YARDSTICK_RATIO = 1.0
MAX_BARE_RATIO = 1 / 0.85
MAX_MULTIPART_RATIO = 1.1
MAX_START_S = 1.0
MAX_PSS_MIB = 130


@dataclass(frozen=True, slots=True)
class Measurements:
    """Everything that a run measured, in this order."""

    pairs: Sequence[Pair]
    first_answers_s: Sequence[float]
    after_start: Memory
    after_load: Memory
    tensorflow: bool


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
        entrances: every entrance at every size.
        capacity: how many cameras the machine serves.
        memory: ``after_start`` and ``after_load``, each in MiB as ``pss_mib`` and ``rss_mib``.
        tensorflow: whether a TensorFlow library was mapped into the server.
    """

    machine: Mapping[str, str | int]
    method: Mapping[str, str | int | float | bool]
    frame_bytes: Mapping[str, Sequence[int]]
    points: list[Point]
    entrances: list[EntrancePoint]
    capacity: Capacity
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
    entrances = [
        make_entrance(entrance, pairs_by_point[size, AIM_CONNECTIONS])
        for size, entrance in product(SIZES, Entrance)
    ]
    return Report(
        machine=machine,
        method=method,
        frame_bytes=frame_bytes,
        points=points,
        entrances=entrances,
        capacity=make_capacity(str(WEBCAM), _find(points, WEBCAM).server_frames_per_s),
        first_answer_s=list(measured.first_answers_s),
        memory={"after_start": measured.after_start, "after_load": measured.after_load},
        tensorflow=measured.tensorflow,
        aims=make_aims(points, entrances, measured),
    )


def make_aims(
    points: Sequence[Point], entrances: Sequence[EntrancePoint], measured: Measurements
) -> list[Aim]:
    """Return the project's targets for a TFLite model, each with the measured value."""
    at_aim = _find(points, WEBCAM)
    (multipart,) = (
        point
        for point in entrances
        if (point.entrance, point.size) == (Entrance.MULTIPART, str(TELEPHONE))
    )
    against_yardstick = [
        aim(
            f"server CPU / yardstick, {point.entrance}, {point.size}, c = {point.connections}",
            MAX_YARDSTICK_RATIO,
            point.yardstick_ratio,
        )
        for point in entrances
    ]
    pss_mib = max(measured.after_start.pss_mib, measured.after_load.pss_mib)
    return [
        aim(f"server CPU / bare work, {at_aim.size}, c = 8", MAX_BARE_RATIO, at_aim.ratio),
        aim(
            f"server CPU, multipart / raw, {multipart.size}",
            MAX_MULTIPART_RATIO,
            multipart.raw_ratio,
        ),
        aim("start to first answer, s", MAX_START_S, median(measured.first_answers_s)),
        aim("memory (PSS), MiB", MAX_PSS_MIB, pss_mib),
        aim("libraries of TensorFlow mapped", 0, float(measured.tensorflow)),
        *against_yardstick,
    ]


def aim(name: str, limit: float, measured: float | None) -> Aim:
    """Compare a measured value with its target."""
    return Aim(name, limit, measured, None if measured is None else measured <= limit)


def _find(points: Sequence[Point], size: Size) -> Point:
    """The point of a size at `AIM_CONNECTIONS`."""
    (found,) = (
        point for point in points if (point.size, point.connections) == (str(size), AIM_CONNECTIONS)
    )
    return found
