"""`edge predict`: images from the command line through the same service as over HTTP."""

from __future__ import annotations

import asyncio
import json
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

from edge.bootstrap import build_repository, build_service
from edge.commands.images import find_images
from edge.errors import EdgeError, InputError, OutputError
from edge.service import Answer, Query
from edge.vision.draw import Mark, draw
from edge.web.schema import answer_json, error_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from edge.service import InferenceService
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
        0, or 1 where an image could not be answered.

    Raises:
        EdgeError: nothing can be answered: no image, no model, or nowhere to draw.
    """
    images = find_images(request.images)
    name = request.model
    if name is not None and Path(name).exists():
        settings, name = settings.model_copy(update={"models": Path(name)}), None
    service = build_service(settings, build_repository(settings))
    servable = service.repository.find(name)
    servable.load(service.pool.workers, service.decoding)
    query = Query(math.inf, servable.name, None, request.top_k, request.threshold)
    return asyncio.run(_answer_all(request, service, images, query))


async def _answer_all(request: Request, service: InferenceService, images: list[Path], query: Query) -> int:
    failed = 0
    table = Table("image", "prediction", "score", "ms", box=None, header_style="bold", pad_edge=False)
    drawn = _drawing_target(request.draw, images) if request.draw else None
    with _progress(len(images)) as advance:
        async for path, answer in _answers(service, images, query):
            advance()
            failed += isinstance(answer, EdgeError)
            if request.as_json:
                body = error_json(answer) if isinstance(answer, EdgeError) else answer_json(answer)
                click.echo(json.dumps({"file": str(path), **body}, ensure_ascii=False))
            else:
                _add_rows(table, path, answer)
            if drawn is not None and isinstance(answer, Answer):
                marks = [Mark(item.label, item.index, item.score, item.box) for item in answer.items]
                draw(
                    path.read_bytes(),
                    marks,
                    drawn(path),
                    max_pixels=service.decoding.max_pixels,
                )
    await service.stop()
    if not request.as_json:
        Console().print(table)
    return 1 if failed else 0


async def _answers(
    service: InferenceService, images: list[Path], query: Query
) -> AsyncIterator[tuple[Path, Answer | EdgeError]]:
    """The answers in the images' order, as many under way as there are workers."""
    ahead = service.pool.workers
    tasks = {index: asyncio.create_task(_answer(service, path, query)) for index, path in enumerate(images[:ahead])}
    for index, path in enumerate(images):
        answer = await tasks.pop(index)
        if index + ahead < len(images):
            tasks[index + ahead] = asyncio.create_task(_answer(service, images[index + ahead], query))
        yield path, answer


async def _answer(service: InferenceService, path: Path, query: Query) -> Answer | EdgeError:
    try:
        return await service.infer(await asyncio.to_thread(path.read_bytes), query)
    except OSError as error:
        return InputError(f"{path} cannot be read: {error.strerror or error}.")
    except EdgeError as error:
        return error


def _add_rows(table: Table, path: Path, answer: Answer | EdgeError) -> None:
    if isinstance(answer, EdgeError):
        table.add_row(str(path), Text(answer.message, "red"))
        return
    stages = answer.stages
    took = f"{stages.decode + stages.preprocess + stages.infer + stages.read_out:.1f}"
    if not answer.items:
        table.add_row(str(path), Text("nothing over the threshold", "dim"), "", took)
    for index, item in enumerate(answer.items):
        label = Text(item.label)
        if item.box is not None:
            label.append(f"  x {item.box[0]:.2f}-{item.box[2]:.2f}, y {item.box[1]:.2f}-{item.box[3]:.2f}", "dim")
        first = index == 0
        table.add_row(str(path) if first else "", label, f"{item.score:.3f}", took if first else "")


def _drawing_target(out: Path, images: list[Path]) -> Callable[[Path], Path]:
    """Where a picture goes: the file named for a single image, else a file of the image's name in the folder."""
    if len(images) == 1 and out.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp"} and not out.is_dir():
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
    """A bar on the terminal where there are several images; silent where nobody looks."""
    if total == 1 or not sys.stderr.isatty():
        yield lambda: None
        return
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("images", total=total)
        yield lambda: progress.advance(task)
