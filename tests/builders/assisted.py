"""A service in this process with a small model, and behind it a cloud and an outbox that are told what to do."""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from builders.cloud import Cloud, HandClock, make_link
from builders.images import encode, quadrants
from builders.tflite import classifier
from edge.assisted import Assistance, AssistedService
from edge.bootstrap import build_repository, load_models
from edge.fallback.cloud import CloudAnswer
from edge.fallback.policy import LinkState, Rules, parse_modes
from edge.model.prediction import Classification
from edge.outbox.outbox import Outbox
from edge.outbox.store import Store
from edge.repository.servable import Decoding
from edge.runtime.pool import WorkerPool
from edge.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from edge.repository.manager import ModelRepository

LABELS = tuple(f"label {number}" for number in range(12))
PHOTO = encode(quadrants(), "PNG")


def cloud_says(label: str, score: float = 0.75) -> CloudAnswer:
    """Its answer: that label alone, which the edge may not know."""
    labels = LABELS if label in LABELS else (*LABELS, label)
    scores = np.array([score if one == label else 0.0 for one in labels], np.float32)
    unknown = () if label in LABELS else (label,)
    return CloudAnswer(Classification(labels, scores, False), unknown, "far", 250.0)


def small_repository(folder: Path) -> ModelRepository:
    """One classifier of twelve labels, read and not loaded yet."""
    model = folder / "flowers"
    model.mkdir()
    (model / "model.tflite").write_bytes(classifier())
    (model / "dict.txt").write_text("\n".join(LABELS))
    return build_repository(Settings(models=model))


def kept_in(folder: Path) -> Outbox:
    """An outbox, not started yet."""
    return Outbox(partial(Store, folder), folder)


def build(
    repository: ModelRepository,
    cloud: Cloud | None = None,
    mode: str = "low_confidence",
    *,
    clock: HandClock | None = None,
    workers: int = 1,
    queue_size: int = 3,
    link: dict[str, Any] | None = None,
    threshold: float = 1.0,
    timeout_s: float = 10.0,
    **how: Any,
) -> AssistedService:
    """The service; of what the edge says nothing is sure unless ``threshold`` says so."""
    assistance = Assistance(
        Rules(parse_modes(mode), threshold, margin=0.0),
        timeout_s,
        None if cloud is None else make_link(cloud, clock or HandClock(), **(link or {})),
        **how,
    )
    pool = WorkerPool(workers, queue_size)
    return AssistedService(repository, pool, Decoding(10_000), assistance, max_held_bytes=1 << 20)


@asynccontextmanager
async def running(
    service: AssistedService, *, load: bool = True, forward: bool = True
) -> AsyncIterator[AssistedService]:
    """Its models loaded, its link up; stopped in the end. Without ``forward`` nobody asks the cloud but its callers."""
    if load:
        load_models(service)
    link, outbox = service.assistance.link, service.assistance.outbox
    if forward:
        service.start()
    else:
        for part in filter(None, (outbox, link)):
            part.start()
    if link is not None:
        await until(lambda: link.state is LinkState.UP)
    try:
        yield service
    finally:
        await service.stop()


async def until(condition: Any, seconds: float = 30.0) -> None:
    """Return once it holds, which another thread brings about; it must within that many seconds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 -- no event tells it
            await asyncio.sleep(0.005)


ENDLESS = math.inf
