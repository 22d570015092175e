"""`edge predict`: sends images through the same service as HTTP requests."""

from __future__ import annotations

import asyncio
import math
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from edge.commands.images import find_images
from edge.dataplane.answer import Answer, InferRequest, answer_json, error_json
from edge.errors import EdgeError, InputError, OutputError
from edge.printable import escape, printable_json
from edge.vision.draw import Mark, draw
from edge.wiring.bootstrap import build_repository, build_service
from edge.wiring.limits import fit_to_memory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from edge.dataplane.service import InferenceService
    from edge.settings import Settings


@dataclass(frozen=True, slots=True)
class Request:
    """The command's arguments."""

    images: tuple[str, ...]
    model: str | None
    top_k: int | None
    threshold: float | None
    as_json: bool
    draw: Path | None


def run(request: Request, settings: Settings) -> int:
    """Answer all images and print the answers.

    Returns:
        0, or 1 if an image could not be answered.

    Raises:
        EdgeError: nothing can be answered: no image, no model, or no place to draw.
    """
    images = find_images(request.images)
    name = request.model
    if name is not None and Path(name).exists():
        settings, name = settings.model_copy(update={"models": Path(name)}), None
    repository = build_repository(settings)
    service = build_service(fit_to_memory(settings, repository), repository)
    version = service.repository.find(name)
    version.load(service.pool.workers, service.options)
    query = InferRequest(math.inf, version.name, None, request.top_k, request.threshold)
    return asyncio.run(_answer_all(request, service, images, query))


async def _answer_all(
    request: Request, service: InferenceService, images: list[Path], query: InferRequest
) -> int:
    failed = 0
    table = Table(
        "image", "prediction", "score", "ms", box=None, header_style="bold", pad_edge=False
    )
    target_of = _drawing_target(request.draw, images) if request.draw else None
    with _progress(len(images)) as advance:
        async for path, answer in _answers(service, images, query):
            advance()
            failed += isinstance(answer, EdgeError)
            if request.as_json:
                body = error_json(answer) if isinstance(answer, EdgeError) else answer_json(answer)
                click.echo(printable_json({"file": str(path), **body}))
            else:
                _add_rows(table, path, answer)
            if target_of is not None and isinstance(answer, Answer):
                _draw(answer, path, target_of(path), service.options.max_pixels)
    await service.stop()
    if not request.as_json:
        Console().print(table)
    return 1 if failed else 0


def _draw(answer: Answer, image: Path, target: Path, max_pixels: int) -> None:
    marks = [Mark(item.label, item.index, item.score, item.box) for item in answer.items]
    draw(image.read_bytes(), marks, target, max_pixels=max_pixels)


async def _answers(
    service: InferenceService, images: list[Path], query: InferRequest
) -> AsyncIterator[tuple[Path, Answer | EdgeError]]:
    """Yield the answers in the order of the images; one image per worker is under way."""
    ahead = service.pool.workers
    tasks = {
        index: asyncio.create_task(_answer(service, path, query))
        for index, path in enumerate(images[:ahead])
    }
    for index, path in enumerate(images):
        answer = await tasks.pop(index)
        if index + ahead < len(images):
            tasks[index + ahead] = asyncio.create_task(
                _answer(service, images[index + ahead], query)
            )
        yield path, answer


async def _answer(service: InferenceService, path: Path, query: InferRequest) -> Answer | EdgeError:
    try:
        return await service.infer(await asyncio.to_thread(path.read_bytes), query)
    except OSError as error:
        return InputError(f"{path} cannot be read: {error.strerror or error}.")
    except EdgeError as error:
        return error


def _add_rows(table: Table, path: Path, answer: Answer | EdgeError) -> None:
    file = Text(escape(str(path)))  # as `Text`: a name is no markup of rich's
    if isinstance(answer, EdgeError):
        table.add_row(file, Text(escape(answer.message), "red"))
        return
    stages = answer.stages
    took = f"{stages.decode + stages.preprocess + stages.infer + stages.postprocess:.1f}"
    if not answer.items:
        table.add_row(file, Text("nothing over the threshold", "dim"), "", took)
    for index, item in enumerate(answer.items):
        label = Text(escape(item.label))
        if item.box is not None:
            label.append(
                f"  x {item.box[0]:.2f}-{item.box[2]:.2f}, y {item.box[1]:.2f}-{item.box[3]:.2f}",
                "dim",
            )
        first = index == 0
        table.add_row(file if first else "", label, f"{item.score:.3f}", took if first else "")


def _drawing_target(out: Path, images: list[Path]) -> Callable[[Path], Path]:
    """Return where each picture goes: ``out`` itself for a single image, else a file in it."""
    names_a_file = out.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp"} and not out.is_dir()
    if len(images) == 1 and names_a_file:
        return lambda _: out
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The pictures cannot be written to {out}: {error.strerror}.") from error
    taken: set[str] = set()

    def unused(path: Path) -> Path:
        name, number = f"{path.stem}.jpg", 1
        while name in taken:
            number += 1
            name = f"{path.stem}-{number}.jpg"
        taken.add(name)
        return out / name

    return unused


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar for several images, if standard error is a terminal."""
    if total == 1 or not sys.stderr.isatty():
        yield lambda: None
        return
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("images", total=total)
        yield lambda: progress.advance(task)
