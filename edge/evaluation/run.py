"""Takes every picture of a set through the data plane, as a camera's frame goes."""

from __future__ import annotations

import asyncio
import math
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from edge.dataplane.answer import InferRequest
from edge.errors import EdgeError, InputError
from edge.export.regular_file import read_bounded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence
    from pathlib import Path

    from edge.dataplane.answer import Answer
    from edge.dataplane.service import InferenceService

    Take = Callable[[int, bytes, Answer | EdgeError], None]

MAX_PICTURE_BYTES: Final = 512 << 20
"""Of one picture: an uncompressed one of 50 megapixels has 400 MB at most."""


def read_picture(file: Path) -> bytes:
    """Read a picture's file.

    Raises:
        InputError: it is missing, no regular file, unreadable or too large.
    """
    try:
        return read_bounded(file, MAX_PICTURE_BYTES)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}.") from error
    except EdgeError as error:
        raise InputError(f"{file} cannot be read: {error.message}") from error


def answer_all(service: InferenceService, model: str, pictures: Sequence[Path], take: Take) -> bool:
    """Answer pictures, one per worker under way, and stop the service.

    Args:
        service: its model is loaded.
        model: name of the model.
        take: called in the order of the pictures, with the number of each, its bytes (empty if
            they cannot be read), and the answer or the error in its place.

    Returns:
        Whether all were answered; ``False`` after Ctrl-C.
    """
    try:
        asyncio.run(_answer_all(service, model, pictures, take))
    except KeyboardInterrupt:
        return False
    return True


async def _answer_all(
    service: InferenceService, model: str, pictures: Sequence[Path], take: Take
) -> None:
    request = InferRequest(math.inf, model)
    try:
        async with aclosing(_outcomes(service, request, pictures)) as outcomes:
            number = 0
            async for content, outcome in outcomes:
                take(number, content, outcome)
                number += 1
    finally:
        await service.stop()


async def _outcomes(
    service: InferenceService, request: InferRequest, pictures: Sequence[Path]
) -> AsyncGenerator[tuple[bytes, Answer | EdgeError], None]:
    ahead = service.pool.workers

    def start(number: int) -> asyncio.Task[tuple[bytes, Answer | EdgeError]]:
        return asyncio.create_task(_answer(service, request, pictures[number]))

    tasks = {number: start(number) for number in range(min(ahead, len(pictures)))}
    for number in range(len(pictures)):
        outcome = await tasks.pop(number)
        if number + ahead < len(pictures):
            tasks[number + ahead] = start(number + ahead)
        yield outcome


async def _answer(
    service: InferenceService, request: InferRequest, picture: Path
) -> tuple[bytes, Answer | EdgeError]:
    content = b""
    try:
        content = await asyncio.to_thread(read_picture, picture)
        return content, await service.infer(content, request)
    except EdgeError as error:
        # The frames of its traceback hold the picture.
        error.__traceback__ = error.__cause__ = error.__context__ = None
        return content, error
