"""`edge bench`: measures the server and prints the figures next to the targets."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from edge.bench.entrances import Entrance
from edge.bench.points import AIM_CONNECTIONS, CONNECTIONS
from edge.bench.run import QUICK, THOROUGH, measure
from edge.wiring.bootstrap import build_repository, embedded_models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge.bench.report import Aim, Report
    from edge.settings import Settings


@dataclass(frozen=True, slots=True)
class Request:
    """The command's arguments."""

    model: str | None
    quick: bool
    seconds: float | None
    as_json: bool


def run(request: Request, settings: Settings) -> None:
    """Measure and print.

    Raises:
        EdgeError: there is no such model, or the server does not start with it.
    """
    name = request.model
    if name is not None and Path(name).exists():
        update = {"models": Path(name), "default_model": None}
        settings, name = settings.model_copy(update=update), None
    settings = settings.model_copy(update={"models": settings.models or embedded_models()})
    version = build_repository(settings).find(name)
    plan = QUICK if request.quick else THOROUGH
    if request.seconds is not None:
        plan = replace(plan, seconds=request.seconds)
    with _progress(plan.steps) as advance:
        report = measure(version, settings, plan, advance)
    if request.as_json:
        click.echo(json.dumps(asdict(report), indent=2))
    else:
        _print(report, Console())


def _print(report: Report, console: Console) -> None:
    machine, method = report.machine, report.method
    console.print(
        f"{machine['cpu']}, {machine['usable_cpus']} of {machine['cores']} cores, "
        f"{machine['memory_mib']} MiB; {machine['system']}, Python {machine['python']}, "
        f"LiteRT {machine.get('ai-edge-litert')}, Pillow {machine.get('pillow')}, "
        f"uvicorn {machine.get('uvicorn')}",
        style="dim",
    )
    console.print(
        f"Model {method['model']}, {method['workers']} workers; median of {method['rounds']} "
        f"rounds of {method['seconds']} s per point.\nCPU ms per frame of yardstick (decode, "
        "resize, invoke with plain Pillow, at twice the model's input), bare work (as the server "
        "does it), server and client. c: connections, in the second table "
        f"{AIM_CONNECTIONS}; /s: frames answered; refused: 503.\n",
        style="dim",
    )
    console.print(points_table(report))
    console.print()
    console.print(entrances_table(report))
    console.print()
    console.print(overload_table(report))
    console.print()
    console.print(aims_table(report.aims))
    starts = report.first_answer_s
    after_start, after_load = report.memory["after_start"], report.memory["after_load"]
    console.print(
        f"\nStart to first answer {min(starts):.2f} to {max(starts):.2f} s, "
        f"median {median(starts):.2f} s. "
        f"PSS {after_start.pss_mib:.0f} MiB after start, {after_load.pss_mib:.0f} after load "
        f"(RSS {after_start.rss_mib:.0f}, {after_load.rss_mib:.0f}).",
        style="dim",
    )
    console.print(f"\n{report.capacity.sentence}", highlight=False)


def points_table(report: Report) -> Table:
    """Return server against bare work and yardstick, a row per size and number of connections."""
    table = _table(
        "JPEG",
        "c",
        "yardstick",
        "bare",
        "server",
        "/ yardst.",
        "/ bare",
        "client",
        "/s",
        "p50 ms",
        "p99 ms",
    )
    for point in report.points:
        table.add_row(
            point.size if point.connections == CONNECTIONS[0] else "",
            str(point.connections),
            _figure(point.yardstick_cpu_ms, 2),
            _figure(point.bare_cpu_ms, 2),
            _figure(point.server_cpu_ms, 2),
            _figure(point.yardstick_ratio, 3),
            _figure(point.ratio, 3),
            _figure(point.client_cpu_ms, 2),
            _figure(point.server_frames_per_s, 0),
            _figure(point.p50_ms, 1),
            _figure(point.p99_ms, 1),
        )
    return table


def entrances_table(report: Report) -> Table:
    """Return every entrance against yardstick, bare work and the raw entrance."""
    table = _table(
        "JPEG",
        "entrance",
        "server",
        "/ yardst.",
        "/ bare",
        "/ raw",
        "/s",
        "p50 ms",
        "p99 ms",
        "not 200",
    )
    for point in report.entrances:
        table.add_row(
            point.size if point.entrance == Entrance.RAW else "",
            point.entrance,
            _figure(point.server_cpu_ms, 2),
            _figure(point.yardstick_ratio, 3),
            _figure(point.ratio, 3),
            _figure(point.raw_ratio, 3),
            _figure(point.server_frames_per_s, 0),
            _figure(point.p50_ms, 1),
            _figure(point.p99_ms, 1),
            str(point.refused + point.other),
        )
    return table


def overload_table(report: Report) -> Table:
    """Return the outcome of the requests at the largest number of connections."""
    table = _table(
        "JPEG", "c", "answered", "refused", "other", "answered/s", "refused/s", "slowest ms"
    )
    for point in report.points:
        if point.connections == CONNECTIONS[-1]:
            table.add_row(
                point.size,
                str(point.connections),
                str(point.answered),
                str(point.refused),
                str(point.other),
                _figure(point.server_frames_per_s, 0),
                _figure(point.refused_per_s, 0),
                _figure(point.slowest_ms, 0),
            )
    return table


def aims_table(aims: Sequence[Aim]) -> Table:
    """Return the targets, each with the measured value and whether it was met."""
    words = {
        True: Text("met", "green"),
        False: Text("not met", "red"),
        None: Text("not measured", "dim"),
    }
    table = _table("target", "maximum", "measured", "")
    for aim in aims:
        table.add_row(
            aim.name,
            f"{aim.limit:.4g}",
            "-" if aim.measured is None else f"{aim.measured:.4g}",
            words[aim.met],
        )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    return table


def _figure(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on the terminal; silent where nobody looks."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("measuring", total=total)
        yield lambda: progress.advance(task)
