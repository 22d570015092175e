"""The bare work: decode, resize, invoke. Runs in its own process, which `start` creates."""

from __future__ import annotations

import multiprocessing
import resource
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING

from edge.export.read import read_export
from edge.runtime.open import open_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from edge.bench.frames import Size
    from edge.runtime.pipeline import DecodeOptions, Pipeline


@dataclass(frozen=True, slots=True)
class BarePoint:
    """Cost of the bare work at one image size."""

    cpu_ms: float
    """CPU milliseconds per frame."""
    frames_per_s: float


@dataclass(frozen=True, slots=True)
class _Work:
    pipeline: Pipeline
    threads: int
    frames: Mapping[Size, Sequence[bytes]]
    options: DecodeOptions


_work: _Work


def start(
    export: Path, frames: Mapping[Size, Sequence[bytes]], options: DecodeOptions, *, threads: int
) -> ProcessPoolExecutor:
    """Start a process that has opened the model and in which `measure` can be called."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(
        1, context, initializer=_prepare, initargs=(export, frames, options, threads)
    )


def _prepare(
    path: Path, frames: Mapping[Size, Sequence[bytes]], options: DecodeOptions, threads: int
) -> None:
    global _work  # noqa: PLW0603 -- the process's one purpose
    export = read_export(path)
    pipeline = open_pipeline(export.model, export.contract, threads)
    _work = _Work(pipeline, threads, frames, options)


def measure(size: Size, warm_s: float, seconds: float) -> BarePoint:
    """Run all threads for ``seconds``, after a warm-up of ``warm_s`` that is not counted."""
    _run_threads(size, warm_s)
    began, used = time.perf_counter(), _cpu_s()
    frames = _run_threads(size, seconds)
    elapsed, used = time.perf_counter() - began, _cpu_s() - used
    return BarePoint(cpu_ms=used / frames * 1000, frames_per_s=frames / elapsed)


def _run_threads(size: Size, seconds: float) -> int:
    """Return the frames computed by all threads; each computes at least one."""
    done = [0] * _work.threads
    until = time.monotonic() + seconds

    def work(number: int, frames: Iterator[bytes]) -> None:
        while True:
            _work.pipeline.compute(number, next(frames), _work.options)
            done[number] += 1
            if time.monotonic() >= until:
                return

    images = _work.frames[size]
    threads = [
        threading.Thread(target=work, args=(number, islice(cycle(images), number, None)))
        for number in range(_work.threads)
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
