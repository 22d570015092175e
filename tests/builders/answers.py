"""Asks a service, built as the commands build it, without a door."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from edge.dataplane.answer import Answer, InferRequest
from edge.errors import EdgeError
from edge.settings import Settings
from edge.wiring.bootstrap import build_service

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def ask_all(
    models: Path, images: Sequence[bytes], *, exact: bool = True, **query: Any
) -> list[Answer | EdgeError]:
    """An answer or an error for each image, from the models at that path."""
    service = build_service(Settings(models=models, workers=1, exact_decode=exact))

    async def run() -> list[Answer | EdgeError]:
        try:
            return await service.infer_many(images, InferRequest(math.inf, **query))
        finally:
            await service.stop()

    service.load_models()
    return asyncio.run(run())


def ask(models: Path, image: bytes, *, exact: bool = True, **query: Any) -> Answer:
    """The answer to one image; raises its error."""
    (answer,) = ask_all(models, [image], exact=exact, **query)
    if isinstance(answer, EdgeError):
        raise answer
    return answer
