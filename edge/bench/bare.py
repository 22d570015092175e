"""The bare work and the yardstick, without a server, in a process of their own (`start`)."""

from __future__ import annotations

import multiprocessing
import resource
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import cycle, islice
from typing import TYPE_CHECKING

from edge.bench.yardstick import Yardstick
from edge.export.read import read_export
from edge.runtime.open import open_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from edge.bench.frames import Size
    from edge.runtime.pipeline import DecodeOptions


class Work(StrEnum):
    """What is done with a frame."""

    BARE = "bare"
    """Decode, resize, invoke, as the service does it."""
    YARDSTICK = "yardstick"
    """See `edge.bench.yardstick`."""


@dataclass(frozen=True, slots=True)
class BarePoint:
    """Cost of one kind of work at one image size."""

    cpu_ms: float
    """CPU milliseconds per frame."""
    frames_per_s: float


@dataclass(frozen=True, slots=True)
class _Process:
    compute: Mapping[Work, Callable[[int, bytes], object]]
    threads: int
    frames: Mapping[Size, Sequence[bytes]]


_process: _Process


def start(
    export: Path, frames: Mapping[Size, Sequence[bytes]], options: DecodeOptions, *, threads: int
) -> ProcessPoolExecutor:
    """Start a process that has opened the model twice and in which `measure` can be called."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(
        1, context, initializer=_prepare, initargs=(export, frames, options, threads)
    )


def _prepare(
    path: Path, frames: Mapping[Size, Sequence[bytes]], options: DecodeOptions, threads: int
) -> None:
    global _process  # noqa: PLW0603 -- the process's one purpose
    export = read_export(path)
    pipeline = open_pipeline(export.model, export.contract, threads)
    # The yardstick reads the outputs that the file itself lists.
    listed = {role: output for role, output in export.contract.outputs.items() if not output.inner}
    contract = replace(export.contract, outputs=listed)
    yardstick = Yardstick(export.model, contract, threads, exact=options.exact)

    def bare(worker: int, frame: bytes) -> object:
        return pipeline.compute(worker, frame, options)

    compute = {Work.BARE: bare, Work.YARDSTICK: yardstick.compute}
    _process = _Process(compute, threads, frames)


def measure(kind: Work, size: Size, warm_s: float, seconds: float) -> BarePoint:
    """Run all threads for ``seconds``, after a warm-up of ``warm_s`` that is not counted."""
    _run_threads(kind, size, warm_s)
    began, used = time.perf_counter(), _cpu_s()
    frames = _run_threads(kind, size, seconds)
    elapsed, used = time.perf_counter() - began, _cpu_s() - used
    return BarePoint(cpu_ms=used / frames * 1000, frames_per_s=frames / elapsed)


def _run_threads(kind: Work, size: Size, seconds: float) -> int:
    """Return the frames computed by all threads; each computes at least one."""
    compute = _process.compute[kind]
    done = [0] * _process.threads
    until = time.monotonic() + seconds

    def work(number: int, frames: Iterator[bytes]) -> None:
        while True:
            compute(number, next(frames))
            done[number] += 1
            if time.monotonic() >= until:
                return

    images = _process.frames[size]
    threads = [
        threading.Thread(target=work, args=(number, islice(cycle(images), number, None)))
        for number in range(_process.threads)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done)


def _cpu_s() -> float:
    """Return the CPU seconds of this process, user and system."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
