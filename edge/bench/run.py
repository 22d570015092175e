"""One run from start to end: which processes, in which order, measured when."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.bench import bare, load
from edge.bench.bare import Work
from edge.bench.entrances import Entrance, make_traffic
from edge.bench.frames import SIZES, WEBCAM, make_frames
from edge.bench.machine import machine_facts
from edge.bench.points import AIM_CONNECTIONS, CONNECTIONS, Pair
from edge.bench.procfs import maps_tensorflow, memory
from edge.bench.report import Measurements, Report, make_report
from edge.bench.server import running
from edge.dataplane.turns import OVERLOAD_S
from edge.runtime.cpus import usable_cpus
from edge.runtime.pipeline import DecodeOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import ProcessPoolExecutor

    from edge.bench.bare import BarePoint
    from edge.bench.frames import Size
    from edge.bench.load import LoadPoint, Target
    from edge.repository.version import ModelVersion
    from edge.settings import Settings

_REST_S = 3.0
"""Pause between load and reading memory, so that only what the server keeps is counted."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure.

    Attributes:
        seconds: per point, without its warm-up.
        starts: of the server, one or more; the last one is loaded.
    """

    seconds: float
    warm_s: float
    rounds: int
    starts: int

    @property
    def steps(self) -> int:
        """Number of steps of a run; ``advance`` is called after each."""
        other_entrances = len(Entrance) - 1
        return self.starts + self.rounds * len(SIZES) * (3 * len(CONNECTIONS) + other_entrances)


THOROUGH = Plan(seconds=2.0, warm_s=0.5, rounds=5, starts=5)
QUICK = Plan(seconds=0.3, warm_s=0.1, rounds=1, starts=2)


def measure(
    version: ModelVersion, settings: Settings, plan: Plan, advance: Callable[[], None]
) -> Report:
    """Measure the model as `edge serve` would serve it with these settings.

    Raises:
        MeasurementFailed: the server did not start.
    """
    workers = settings.workers or usable_cpus()
    frames = make_frames()
    flags = [
        *("--models", str(settings.models), "--default-model", version.name),
        *("--workers", str(workers), "--log-level", "warning"),
        *("--max-streams", str(max(settings.max_streams, AIM_CONNECTIONS))),
        *("--max-streams-per-client", str(max(settings.max_streams_per_client, AIM_CONNECTIONS))),
    ]
    first_answers = []
    for _ in range(plan.starts - 1):
        with running(flags, frames[WEBCAM][0]) as server:
            first_answers.append(server.first_answer_s)
        advance()
    with running(flags, frames[WEBCAM][0]) as server:
        first_answers.append(server.first_answer_s)
        advance()
        pid = server.target.pid
        after_start = memory(pid)
        decoding = DecodeOptions(settings.max_pixels, exact=settings.exact_decode)
        with (
            bare.start(version.export.path, frames, decoding, threads=workers) as worker,
            load.start() as client,
        ):
            bench = _Bench(worker, client, server.target, version.name, frames, plan, advance)
            pairs = bench.rounds()
        time.sleep(_REST_S)
        measured = Measurements(
            pairs, first_answers, after_start, memory(pid), maps_tensorflow(pid)
        )
    method: dict[str, str | int | float | bool] = {
        "model": version.name,
        "digest": version.export.digest,
        "format": version.contract.format,
        "workers": workers,
        "exact_decode": settings.exact_decode,
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "warm_s": plan.warm_s,
    }
    sizes = {str(size): [len(frame) for frame in images] for size, images in frames.items()}
    return make_report(measured, machine_facts(), method, sizes)


@dataclass(frozen=True, slots=True)
class _Bench:
    bare: ProcessPoolExecutor
    client: ProcessPoolExecutor
    target: Target
    model: str
    frames: Mapping[Size, Sequence[bytes]]
    plan: Plan
    advance: Callable[[], None]

    def rounds(self) -> list[Pair]:
        """Run yardstick, bare, server, yardstick, bare, server ... in each round."""
        return [
            self._pair(size, connections)
            for _ in range(self.plan.rounds)
            for size in SIZES
            for connections in CONNECTIONS
        ]

    def _pair(self, size: Size, connections: int) -> Pair:
        yardstick = self._alone(Work.YARDSTICK, size)
        bare_point = self._alone(Work.BARE, size)
        server = self._server(Entrance.RAW, size, connections)
        entrances: dict[Entrance, LoadPoint] = {}
        if connections == AIM_CONNECTIONS:
            others = [entrance for entrance in Entrance if entrance is not Entrance.RAW]
            entrances = {one: self._server(one, size, connections) for one in others}
        return Pair(size, connections, yardstick, bare_point, server, entrances)

    def _alone(self, work: Work, size: Size) -> BarePoint:
        point = self.bare.submit(bare.measure, work, size, self.plan.warm_s, self.plan.seconds)
        measured = point.result()
        self.advance()
        return measured

    def _server(self, entrance: Entrance, size: Size, connections: int) -> LoadPoint:
        """Load the server; returns when an overload is over, so that the next point has none."""
        host = f"{self.target.host}:{self.target.port}"
        traffic = make_traffic(entrance, host, self.model, self.frames[size])
        warm_s, seconds = self.plan.warm_s, self.plan.seconds
        point = self.client.submit(load.measure, self.target, traffic, connections, warm_s, seconds)
        measured = point.result()
        self.advance()
        if measured.refused:
            time.sleep(OVERLOAD_S)
        return measured
