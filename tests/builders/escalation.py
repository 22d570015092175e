"""A service in this process with a small model, backed by a scripted cloud and an outbox."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from builders.cloud import Cloud, HandClock, make_link
from builders.images import encode, quadrants
from builders.tflite import classifier
from edge.dataplane.admission import Admission
from edge.dataplane.cloud_parts import CloudParts
from edge.dataplane.escalation import EscalatingAnswerer
from edge.dataplane.local import LocalAnswerer
from edge.dataplane.service import InferenceService
from edge.fallback.cloud import CloudResponse
from edge.fallback.policy import LinkState
from edge.model.rules import Rules, parse_modes
from edge.model.tasks.classification import Classification
from edge.outbox.outbox import Outbox
from edge.outbox.store import Store
from edge.runtime.pipeline import DecodeOptions
from edge.runtime.pool import WorkerPool
from edge.settings import Settings
from edge.wiring.bootstrap import build_repository

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from edge.repository.repository import ModelRepository

LABELS = tuple(f"label {number}" for number in range(12))
PHOTO = encode(quadrants(), "PNG")
MAX_PIXELS = 10_000


def cloud_says(label: str, score: float = 0.75) -> CloudResponse:
    """The cloud's response: one label, which the edge may not know."""
    labels = LABELS if label in LABELS else (*LABELS, label)
    scores = np.array([score if one == label else 0.0 for one in labels], np.float32)
    unknown = () if label in LABELS else (label,)
    return CloudResponse(Classification(labels, scores, False), unknown, "far", 250.0)


def answering_cloud() -> Cloud:
    """A cloud that gives every frame a label of the edge's."""
    cloud = Cloud()
    cloud.usual = cloud_says("label 3")
    return cloud


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
) -> InferenceService:
    """The service; no answer of the edge's is sure enough unless ``threshold`` says so."""
    parts = CloudParts(
        repository,
        Rules(parse_modes(mode), threshold, margin=0.0),
        timeout_s,
        None if cloud is None else make_link(cloud, clock or HandClock(), **(link or {})),
        **how,
    )
    pool = WorkerPool(workers, queue_size)
    options = DecodeOptions(MAX_PIXELS)
    answerer = EscalatingAnswerer(LocalAnswerer(repository, pool, options), parts, MAX_PIXELS)
    admission = Admission(workers + queue_size, 1 << 20, parts.extra_slots)
    return InferenceService(repository, pool, options, admission, answerer, parts)


@asynccontextmanager
async def running(
    service: InferenceService, *, load: bool = True, forward: bool = True
) -> AsyncIterator[InferenceService]:
    """Its models loaded, its link up; stopped in the end.

    Without ``forward`` only callers' frames reach the cloud.
    """
    assert service.cloud is not None
    if load:
        service.load_models()
    link, outbox = service.cloud.link, service.cloud.outbox
    if forward:
        service.start()
    else:
        for part in (outbox, link):
            if part is not None:
                part.start()
    if link is not None:
        await until(lambda: link.state is LinkState.UP)
    try:
        yield service
    finally:
        await service.stop()


async def until(condition: Any, seconds: float = 30.0) -> None:
    """Return once a condition of another thread holds; fail after ``seconds``."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 -- no event tells it
            await asyncio.sleep(0.005)
