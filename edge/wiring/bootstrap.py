"""Wires the edge itself: settings in, a service out; with the cloud behind it where that is configured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.dataplane.admission import Admission
from edge.dataplane.local import LocalAnswerer
from edge.dataplane.service import InferenceService
from edge.errors import SettingsError
from edge.repository.repository import ModelRepository, open_repository
from edge.runtime.cpus import usable_cpus
from edge.runtime.memory import return_large_blocks
from edge.runtime.pipeline import DecodeOptions
from edge.runtime.pool import WorkerPool

if TYPE_CHECKING:
    from edge.settings import Settings

_PACKAGE = Path(__file__).parents[1]


def embedded_models() -> Path:
    """The model repository that ships: inside the installed package, or beside it in a checkout."""
    installed = _PACKAGE / "embedded_models"
    return installed if installed.is_dir() else _PACKAGE.parent / "models"


def build_repository(settings: Settings) -> ModelRepository:
    """The repository the settings name, read but not loaded; raises as `open_repository` does."""
    if settings.models is not None:
        return open_repository(settings.models, settings.default_model)
    mounted = _mounted(settings)
    if mounted is not None:
        # A container that ends over a bad export is only started again: it stays up and says why.
        return open_repository(mounted, settings.default_model, keep_refused=True)
    return open_repository(embedded_models(), settings.default_model)


def _mounted(settings: Settings) -> Path | None:
    """The first mount point that exists: also an empty one, since whoever mounted it meant it to serve."""
    for place in (settings.model_mounts or "").split(":"):
        if place and Path(place).exists():
            return Path(place)
    return None


def build_service(
    settings: Settings, repository: ModelRepository | None = None
) -> InferenceService:
    """The edge alone, as the command line uses it; its models are still to be loaded."""
    return_large_blocks()
    repository = repository or build_repository(settings)
    pool = WorkerPool(settings.workers or usable_cpus(), settings.queue_size)
    options = DecodeOptions(settings.max_pixels, exact=settings.exact_decode)
    admission = Admission(_slots(pool), _max_held_bytes(settings))
    answerer = LocalAnswerer(repository, pool, options)
    return InferenceService(repository, pool, options, admission, answerer)


def build_serving_service(settings: Settings, repository: ModelRepository) -> InferenceService:
    """The service that `edge serve` runs: with an online model and an outbox behind it where configured.

    Raises:
        SettingsError: what is configured contradicts itself.
    """
    if settings.cloud_endpoint is None and settings.outbox_dir is None:
        if settings.cloud_mode != "off":
            raise SettingsError(
                f"cloud_mode = {settings.cloud_mode} without cloud_endpoint or outbox_dir. Set one."
            )
        return build_service(settings, repository)
    # Imported here, since it costs a start that does not need it.
    from edge.dataplane.escalation import EscalatingAnswerer  # noqa: PLC0415
    from edge.wiring.cloud import build_cloud_parts  # noqa: PLC0415

    return_large_blocks()
    cloud = build_cloud_parts(settings, repository)
    pool = WorkerPool(settings.workers or usable_cpus(), settings.queue_size)
    options = DecodeOptions(settings.max_pixels, exact=settings.exact_decode)
    admission = Admission(_slots(pool), _max_held_bytes(settings), cloud.extra_slots)
    edge = LocalAnswerer(repository, pool, options)
    answerer = EscalatingAnswerer(edge, cloud, settings.max_pixels)
    return InferenceService(repository, pool, options, admission, answerer, cloud)


def _slots(pool: WorkerPool) -> int:
    """What is admitted never finds the pool's queue full."""
    return pool.workers + pool.queue_size


def _max_held_bytes(settings: Settings) -> int:
    """One body alone must always fit."""
    return max(settings.max_held_bytes, settings.max_body_bytes)
