"""`edge data`: looks data sets over before something is trained on them."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edge.commands.exit_code import INTERRUPTED
from edge.commands.machine import fit_to_machine
from edge.commands.pictures_read import picture_cache
from edge.commands.results.data_page import COMMAND, make_page
from edge.commands.results.text import echo_json
from edge.datasets.describe import Describer
from edge.datasets.inspection import Progress as Steps
from edge.datasets.inspection import inspect_data_set
from edge.datasets.picture_pass import PictureReader
from edge.datasets.read import no_labelled_pictures, read_with_faults
from edge.export.read import read_export
from edge.printable import escape
from edge.report_file import check_page, write_page
from edge.runtime.features import FeatureReader, with_whole_picture
from edge.vision.sketch import SKETCH_SIDE
from edge.wiring.bootstrap import embedded_models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge.datasets.inspection import Inspection
    from edge.datasets.picture_cache import PictureCache
    from edge.datasets.reading import Reading
    from edge.settings import Settings

_CLASSIFIER: Final = "imagenet"
"""The built-in classifier, whose features labels are checked on."""


@dataclass(frozen=True, slots=True)
class Request:
    """The command's arguments."""

    data_set: Path
    as_json: bool
    html: Path | None
    resume: bool


def inspect(request: Request, settings: Settings) -> int:
    """Look a data set over and print what was found.

    Returns:
        0; 1 if lines, files or pictures of it are broken; 130 after Ctrl-C.

    Raises:
        DataSetError: it cannot be read at all, or has no example.
        OutputError: the page or the data folder cannot be written.
    """
    if request.html is not None:
        check_page(request.html, COMMAND)
    try:
        reading = read_with_faults(request.data_set)
        if not reading.data_set.examples and not reading.fault_count:
            raise no_labelled_pictures(reading.data_set)
        found = _inspect(reading, request, settings)
    except KeyboardInterrupt:
        click.echo("edge: stopped.", err=True)
        return INTERRUPTED
    describer = Describer(found)
    if request.html is not None:
        page = make_page(found, describer, request.html, settings.max_pixels)
        write_page(request.html, page)
    if request.as_json:
        echo_json(describer.json(), indent=2)
    else:
        for line in describer.text_lines():
            click.echo(line)
    if request.resume:
        total = len(reading.data_set.examples)
        click.echo(f"\n{found.resumed:,} of {total:,} pictures were known already.", err=True)
    if request.html is not None:
        click.echo(f"\nThe page is in {escape(str(request.html))}.", err=True)
    return 1 if found.broken or reading.fault_count else 0


def _inspect(reading: Reading, request: Request, settings: Settings) -> Inspection:
    settings, workers = fit_to_machine(settings)
    with (
        picture_cache(settings.data_folder, request.data_set, resume=request.resume) as cache,
        _steps() as steps,
    ):
        if _are_labels_checked(reading):
            reader = _with_features(settings, workers, cache)
        else:
            reader = PictureReader(settings.max_pixels, SKETCH_SIDE, workers)
        return inspect_data_set(reading, reader, cache, steps)


def _are_labels_checked(reading: Reading) -> bool:
    """Whether it is a classification with labels to tell apart."""
    data_set = reading.data_set
    has_boxes = any(example.boxes is not None for example in data_set.examples)
    return len(data_set.labels) > 1 and not has_boxes


def _with_features(settings: Settings, workers: int, cache: PictureCache) -> PictureReader:
    """A reader that gives features as `edge train` reads them, which the cache keeps."""
    export = read_export(embedded_models() / _CLASSIFIER)
    features = FeatureReader(
        export.model,
        with_whole_picture(export.contract),
        max_pixels=settings.max_pixels,
        workers=workers,
    )
    cache.open_features(features.size, export.digest)
    return PictureReader(settings.max_pixels, features.min_side, workers, features.read_stored)


@contextmanager
def _steps() -> Iterator[Steps]:
    """Show a bar for each step, if standard error is a terminal."""
    if not sys.stderr.isatty():
        yield Steps(lambda _name, _total: None, lambda: None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True
    ) as bars:
        yield Steps(*_callbacks(bars))


def _callbacks(bars: Progress) -> tuple[Callable[[str, int], None], Callable[[], None]]:
    current: list[Any] = []

    def start(name: str, total: int) -> None:
        current[:] = [bars.add_task(name, total=total)]

    def advance() -> None:
        bars.advance(current[0])

    return start, advance
