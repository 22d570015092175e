"""`edge predict`: sends images through the same service as HTTP requests."""

from __future__ import annotations

import asyncio
import math
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from edge.commands.exit_code import INTERRUPTED
from edge.commands.images import STANDARD_INPUT, ImageFile, find_images, read_streams, short_names
from edge.commands.named_model import find_model
from edge.commands.results.drawings import Drawings
from edge.commands.results.html_report import THUMBNAILS, HtmlReport
from edge.commands.results.outcome import Outcome
from edge.commands.results.summary import Summary
from edge.commands.results.terminal import Details, Lines, print_summary
from edge.commands.results.text import CsvFile, JsonLines, TabSeparated
from edge.dataplane.answer import InferRequest
from edge.errors import EdgeError, UsageError
from edge.wiring.bootstrap import build_service
from edge.wiring.limits import fit_to_memory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
    from pathlib import Path

    from edge.commands.results.outcome import Output
    from edge.dataplane.service import InferenceService
    from edge.settings import Settings


@dataclass(frozen=True, slots=True)
class Request:
    """The command's arguments.

    Attributes:
        csv: the file to write; `-` for standard output.
    """

    images: tuple[str, ...]
    model: str | None
    top_k: int | None
    threshold: float | None
    as_json: bool
    csv: Path | None
    html: Path | None
    draw: Path | None


def run(request: Request, settings: Settings) -> int:
    """Answer all images and print the answers.

    Returns:
        0, or 1 if an image could not be answered, or 130 after Ctrl-C.

    Raises:
        EdgeError: nothing can be answered: no image, no model, or no place to write to.
    """
    if request.as_json and _is_stdout(request.csv):
        raise UsageError("Only one of --json and --csv - can go to standard output.")
    images = find_images(request.images, _written_folders(request))
    try:
        service, query = _prepare(request, settings)
        images = read_streams(images)
        summary = Summary(len(images))
        words_for = service.repository.find(query.model).contract.tuning.words_for
        outputs = _outputs(request, images, service.options.max_pixels, words_for)
    except KeyboardInterrupt:
        return INTERRUPTED
    with suppress(KeyboardInterrupt):
        asyncio.run(_answer_all(service, images, query, outputs, summary))
    for output in outputs:
        output.finish(summary)
    if len(images) > 1 and not (sys.stdout.isatty() and _shows_lines(request)):
        print_summary(Console(stderr=True), summary)
    if summary.done < summary.planned:
        return INTERRUPTED
    return 1 if summary.failed else 0


def _prepare(request: Request, settings: Settings) -> tuple[InferenceService, InferRequest]:
    repository, version, settings = find_model(request.model, settings)
    service = build_service(fit_to_memory(settings, repository), repository)
    version.load(service.pool.workers, service.options)
    query = InferRequest(math.inf, version.name, None, request.top_k, request.threshold)
    return service, query


def _written_folders(request: Request) -> list[Path]:
    """The folders whose pictures this command has made."""
    folders = [] if request.draw is None else [request.draw]
    if request.html is not None:
        folders += [request.html, request.html / THUMBNAILS]
    return folders


def _is_stdout(target: Path | None) -> bool:
    return target is not None and str(target) == STANDARD_INPUT


def _shows_lines(request: Request) -> bool:
    """Whether standard output shows the answers to people."""
    return not request.as_json and not _is_stdout(request.csv)


def _outputs(
    request: Request,
    images: Sequence[ImageFile],
    max_pixels: int,
    words_for: Callable[[str], str],
) -> list[Output]:
    outputs: list[Output] = []
    if request.csv is not None:
        outputs.append(CsvFile(None if _is_stdout(request.csv) else request.csv))
    if request.html is not None:
        outputs.append(HtmlReport(request.html, max_pixels))
    if request.draw is not None:
        outputs.append(Drawings(request.draw, images, max_pixels, words_for))
    if request.as_json:
        outputs.append(JsonLines())
    elif _shows_lines(request):
        outputs.append(_lines(images))
    return outputs


def _lines(images: Sequence[ImageFile]) -> Output:
    if not sys.stdout.isatty():
        return TabSeparated()
    console = Console()
    if len(images) == 1:
        return Details(console)
    return Lines(console, short_names(images))


async def _answer_all(
    service: InferenceService,
    images: Sequence[ImageFile],
    query: InferRequest,
    outputs: Sequence[Output],
    summary: Summary,
) -> None:
    try:
        with _progress(len(images)) as advance:
            async for outcome in _outcomes(service, images, query):
                await _finish_even_if_cancelled(_show(outcome, outputs, summary))
                advance()
    finally:
        await service.stop()


async def _show(outcome: Outcome, outputs: Sequence[Output], summary: Summary) -> None:
    for output in outputs:
        await output.add(outcome)
    summary.add(outcome)


async def _finish_even_if_cancelled(work: Coroutine[None, None, None]) -> None:
    """Wait for the work; Ctrl-C in between leaves no image in one output and not in another."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def _outcomes(
    service: InferenceService, images: Sequence[ImageFile], query: InferRequest
) -> AsyncIterator[Outcome]:
    """Yield the outcomes in the order of the images; one image per worker is under way."""
    names = short_names(images)
    ahead = service.pool.workers

    def start(index: int) -> asyncio.Task[Outcome]:
        return asyncio.create_task(_answer(service, images[index], names[index], query))

    tasks = {index: start(index) for index in range(min(ahead, len(images)))}
    for index in range(len(images)):
        outcome = await tasks.pop(index)
        if index + ahead < len(images):
            tasks[index + ahead] = start(index + ahead)
        yield outcome


async def _answer(
    service: InferenceService, image: ImageFile, name: str, query: InferRequest
) -> Outcome:
    content = b""
    try:
        content = await asyncio.to_thread(image.read)
        return Outcome(image, name, content, await service.infer(content, query))
    except EdgeError as error:
        return Outcome(image, name, content, error)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar for several images, if only standard error is a terminal."""
    if total == 1 or not sys.stderr.isatty() or sys.stdout.isatty():
        yield lambda: None
        return
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("images", total=total)
        yield lambda: progress.advance(task)
