"""Takes every picture of a set through the data plane, as a camera's frame goes."""

from __future__ import annotations

import asyncio
import math
from functools import partial
from typing import TYPE_CHECKING

from edge.dataplane.answer import InferRequest
from edge.errors import EdgeError, InputError
from edge.export.regular_file import read_bounded
from edge.vision.picture_files import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from pathlib import Path

    from edge.dataplane.answer import Answer
    from edge.dataplane.service import InferenceService

    Outcome = Answer | EdgeError | None
    Ask = Callable[[Path], Coroutine[None, None, Outcome]]


def read_picture(file: Path) -> bytes:
    """Read a picture's file.

    Raises:
        InputError: it is missing, no regular file, unreadable or too large.
    """
    try:
        return read_bounded(file, MAX_BYTES)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}.") from error
    except EdgeError as error:
        raise InputError(f"{file} cannot be read: {error.message}") from error


def answer_all(
    service: InferenceService,
    model: str,
    pictures: Sequence[Path],
    take: Callable[[int, Outcome], None],
    leaves_out: Callable[[bytes], bool] = lambda _: False,
) -> bool:
    """Answer pictures, one per worker under way, and stop the service.

    Args:
        service: its model is loaded.
        model: name of the model.
        take: called in the order of the pictures, with the number of each, and the answer, the
            error in its place, or ``None`` for one that is left out.
        leaves_out: whether a picture is not to be answered, given its bytes.

    Returns:
        Whether all were answered; ``False`` after Ctrl-C.
    """
    ask = partial(_answer, service, InferRequest(math.inf, model), leaves_out)
    try:
        asyncio.run(_answer_all(service, ask, pictures, take))
    except KeyboardInterrupt:
        return False
    return True


async def _answer_all(
    service: InferenceService,
    ask: Ask,
    pictures: Sequence[Path],
    take: Callable[[int, Outcome], None],
) -> None:
    ahead = service.pool.workers

    def start(number: int) -> asyncio.Task[Outcome]:
        return asyncio.create_task(ask(pictures[number]))

    try:
        tasks = {number: start(number) for number in range(min(ahead, len(pictures)))}
        for number in range(len(pictures)):
            outcome = await tasks.pop(number)
            if number + ahead < len(pictures):
                tasks[number + ahead] = start(number + ahead)
            take(number, outcome)
    finally:
        await service.stop()


async def _answer(
    service: InferenceService,
    request: InferRequest,
    leaves_out: Callable[[bytes], bool],
    picture: Path,
) -> Outcome:
    try:
        content = await asyncio.to_thread(read_picture, picture)
        if leaves_out(content):
            return None
        return await service.infer(content, request)
    except EdgeError as error:
        # The frames of its traceback hold the picture.
        error.__traceback__ = error.__cause__ = error.__context__ = None
        return error
