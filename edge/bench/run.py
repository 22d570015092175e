"""One run from start to end: which processes, in which order, measured when."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.bench import bare, load
from edge.bench.frames import SIZES, TELEPHONE, WEBCAM, make_frames
from edge.bench.machine import machine_facts
from edge.bench.procfs import maps_tensorflow, memory
from edge.bench.report import (
    AIM_CONNECTIONS,
    CONNECTIONS,
    Measurements,
    Pair,
    Report,
    Twins,
    make_report,
)
from edge.bench.server import running
from edge.dataplane.turns import OVERLOAD_S
from edge.runtime.cpus import usable_cpus
from edge.runtime.pipeline import DecodeOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import ProcessPoolExecutor

    from edge.bench.frames import Size
    from edge.bench.load import LoadPoint, Target
    from edge.repository.version import ModelVersion
    from edge.settings import Settings

_BOUNDARY = "edge-bench-boundary"
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
        return self.starts + self.rounds * (2 * len(SIZES) * len(CONNECTIONS) + 2)


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
            bench = _Bench(worker, client, server.target, frames, plan, advance)
            pairs, twins = bench.rounds()
        time.sleep(_REST_S)
        measured = Measurements(
            pairs, twins, first_answers, after_start, memory(pid), maps_tensorflow(pid)
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
    frames: Mapping[Size, Sequence[bytes]]
    plan: Plan
    advance: Callable[[], None]

    def rounds(self) -> tuple[list[Pair], list[Twins]]:
        """Run bare, server, bare, server ... then raw, multipart; in each round."""
        pairs, twins = [], []
        for _ in range(self.plan.rounds):
            pairs += [
                self._pair(size, connections) for size in SIZES for connections in CONNECTIONS
            ]
            raw = self._server(self._raw(TELEPHONE), AIM_CONNECTIONS)
            twins.append(Twins(raw, self._server(self._multipart(TELEPHONE), AIM_CONNECTIONS)))
        return pairs, twins

    def _pair(self, size: Size, connections: int) -> Pair:
        alone = self.bare.submit(bare.measure, size, self.plan.warm_s, self.plan.seconds).result()
        self.advance()
        return Pair(size, connections, alone, self._server(self._raw(size), connections))

    def _server(self, requests: list[bytes], connections: int) -> LoadPoint:
        """Load the server; returns when an overload is over, so that the next point has none."""
        warm_s, seconds = self.plan.warm_s, self.plan.seconds
        point = self.client.submit(
            load.measure, self.target, requests, connections, warm_s, seconds
        )
        self.advance()
        measured = point.result()
        if measured.refused:
            time.sleep(OVERLOAD_S)
        return measured

    def _raw(self, size: Size) -> list[bytes]:
        return [load.http_request(self.target, "image/jpeg", frame) for frame in self.frames[size]]

    def _multipart(self, size: Size) -> list[bytes]:
        kind = f"multipart/form-data; boundary={_BOUNDARY}"
        return [
            load.http_request(self.target, kind, _in_a_form(frame)) for frame in self.frames[size]
        ]


def _in_a_form(frame: bytes) -> bytes:
    """Build the body that `curl -F image=@frame.jpg` sends."""
    head = (
        f"--{_BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="image"; filename="frame.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    return head.encode() + frame + f"\r\n--{_BOUNDARY}--\r\n".encode()
