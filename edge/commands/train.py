"""`edge train`: fits a classifier to a data set and writes it as an export to serve."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console
from rich.progress import Progress as Bars

from edge.commands.exit_code import INTERRUPTED
from edge.commands.machine import fit_to_machine
from edge.commands.pictures_read import picture_cache
from edge.datasets.read import read_data_set
from edge.errors import UsageError
from edge.export.read import read_export
from edge.printable import escape
from edge.training.good_parts import GoodTask, train_good_parts
from edge.training.good_parts_report import WHERE_IT_WORKS, false_alarm_period
from edge.training.report import accuracy_words, percent
from edge.training.task import Task
from edge.training.train import train
from edge.wiring.bootstrap import embedded_models

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from edge.datasets.picture_cache import PictureCache
    from edge.settings import Settings
    from edge.training.report import Report

_BACKBONE: Final = "imagenet"


@dataclass(frozen=True, slots=True)
class Request:
    """The command's arguments: a data set, or a folder of good parts."""

    data_set: Path | None
    out: Path
    added: tuple[Path, ...]
    saved_model: bool
    minutes: float | None
    good: Path | None = None
    resume: bool = False


def run(request: Request, settings: Settings) -> int:
    """Train, and print what came out.

    Returns:
        0, or 130 after Ctrl-C, which leaves no model behind.

    Raises:
        EdgeError: nothing can be trained, or written.
    """
    _refuse_what_does_not_go_together(request)
    try:
        if request.good is not None:
            _train_good(request.good, request, settings)
        elif request.data_set is not None:
            _train_set(request.data_set, request, settings)
    except KeyboardInterrupt:
        click.echo("edge: stopped; no model was written.", err=True)
        return INTERRUPTED
    return 0


def _refuse_what_does_not_go_together(request: Request) -> None:
    if (request.data_set is None) == (request.good is None):
        raise UsageError("Name a data set SET, or with --good a folder of good parts: one of both.")
    if request.good is None:
        return
    if request.added:
        raise UsageError("--add goes with a data set. Put all good parts into the --good folder.")
    if request.minutes is not None:
        raise UsageError("--minutes goes with a data set: good parts are learned in seconds.")


def _train_set(data_set: Path, request: Request, settings: Settings) -> None:
    began = time.monotonic()
    settings, workers = fit_to_machine(settings)
    task = Task(
        base=read_data_set(data_set),
        added=tuple(read_data_set(path) for path in request.added),
        out=request.out,
        backbone=read_export(embedded_models() / _BACKBONE),
        max_pixels=settings.max_pixels,
        workers=workers,
        saved_model=request.saved_model,
        seconds=None if request.minutes is None else 60 * request.minutes,
    )
    with _cache(data_set, request, settings) as cache, _shown() as progress:
        report = train(task, cache, progress)
    _print(report, request.out, time.monotonic() - began)


def _train_good(good: Path, request: Request, settings: Settings) -> None:
    began = time.monotonic()
    settings, workers = fit_to_machine(settings)
    task = GoodTask(
        good=good,
        out=request.out,
        backbone=read_export(embedded_models() / _BACKBONE),
        max_pixels=settings.max_pixels,
        workers=workers,
    )
    with _cache(good, request, settings) as cache, _shown() as progress:
        report = train_good_parts(task, cache, progress)
    out = request.out
    _print_left_out(report.broken, report.notes)
    seconds = time.monotonic() - began
    click.echo(f"{escape(str(out))}: {report.learned:,} pictures of good parts, {seconds:.0f} s")
    click.echo(
        f"An anomaly has a score of 0.5 or more; about one good part in {false_alarm_period()} "
        "will be called one"
    )
    click.echo(WHERE_IT_WORKS)
    click.echo(f"Serve it: edge serve --models {escape(str(out))}")


@contextmanager
def _cache(data_set: Path, request: Request, settings: Settings) -> Iterator[PictureCache]:
    """What is kept of the set's pictures; says in the end how many of them were known."""
    with picture_cache(settings.data_folder, data_set, resume=request.resume) as cache:
        yield cache
        if request.resume:
            count = f"{cache.reused:,} pictures were" if cache.reused != 1 else "1 picture was"
            click.echo(f"{count} known already.", err=True)


def _print(report: Report, out: Path, seconds: float) -> None:
    training_set = report.training_set
    _print_left_out(report.broken, report.all_notes)
    pictures = f"{len(training_set.examples):,} pictures, {len(training_set.labels):,} labels"
    click.echo(f"{escape(str(out))}: {pictures}, {seconds:.0f} s")
    figures = report.measured.figures
    if figures.pictures:
        click.echo(f"{percent(figures.accuracy)} {accuracy_words(report)}")
    else:
        click.echo("How good it is was not measured: there is no test picture")
    click.echo(f"Look at {escape(str(out / 'report.html'))}; serve it: edge serve --models {out}")


def _print_left_out(broken: Sequence[tuple[Path, str]], notes: Sequence[str]) -> None:
    for file, reason in broken[:10]:
        click.echo(f"left out: {escape(str(file))}: {escape(reason)}", err=True)
    for note in notes:
        click.echo(f"note: {escape(note)}", err=True)


class _Bar:
    """One bar, which begins again with each stage."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task = bars.add_task("")

    def stage(self, words: str) -> None:
        """Begin again under another title."""
        self._bars.reset(self._task, description=words, total=None)

    def advance(self, done: int, total: int) -> None:
        """Move the bar."""
        self._bars.update(self._task, completed=done, total=total)


@contextmanager
def _shown() -> Iterator[_Bar]:
    console = Console(stderr=True)
    with Bars(console=console, transient=True, disable=not sys.stderr.isatty()) as bars:
        yield _Bar(bars)
