"""Wires the rooms together: settings in, a service out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import SettingsError
from edge.repository.manager import ModelRepository, open_repository
from edge.repository.servable import Decoding
from edge.runtime.cpus import usable_cpus
from edge.runtime.memory import release_free_memory, return_large_blocks
from edge.runtime.pool import WorkerPool
from edge.service import InferenceService

if TYPE_CHECKING:
    from edge.settings import Settings

_PACKAGE = Path(__file__).parent


def embedded_models() -> Path:
    """The model repository that ships: inside the installed package, or beside it in a checkout."""
    installed = _PACKAGE / "embedded_models"
    return installed if installed.is_dir() else _PACKAGE.parent / "models"


def build_repository(settings: Settings) -> ModelRepository:
    """The repository the settings name, read but not loaded; raises as `open_repository` does."""
    return open_repository(settings.models or _mounted(settings) or embedded_models(), settings.default_model)


def _mounted(settings: Settings) -> Path | None:
    """The first of the mount points that is there: also an empty one, since whoever mounted it meant it to serve."""
    places = (settings.model_mounts or "").split(":")
    return next((Path(place) for place in places if place and Path(place).exists()), None)


def build_service(settings: Settings, repository: ModelRepository | None = None) -> InferenceService:
    """The service, its models still to be loaded with `load_models`."""
    return_large_blocks()
    repository = repository or build_repository(settings)
    pool = WorkerPool(settings.workers or usable_cpus(), settings.queue_size)
    decoding = Decoding(settings.max_pixels, exact=settings.exact_decode)
    max_held_bytes = max(settings.max_held_bytes, settings.max_body_bytes)  # one body alone must always fit
    return InferenceService(repository, pool, decoding, max_held_bytes=max_held_bytes)


def serving_service(settings: Settings, repository: ModelRepository) -> InferenceService:
    """The service that `edge serve` runs: with an online model and an outbox behind it where they are configured.

    Raises:
        SettingsError: what is configured contradicts itself.
    """
    if settings.cloud_endpoint is None and settings.outbox_dir is None:
        if settings.cloud_mode != "off":
            raise SettingsError(f"cloud_mode = {settings.cloud_mode} without cloud_endpoint or outbox_dir. Set one.")
        return build_service(settings, repository)
    from edge.assistance import assisted_service  # noqa: PLC0415 -- costs a start nothing where it is not configured

    return assisted_service(settings, build_service(settings, repository))


def load_models(service: InferenceService) -> None:
    """Load and warm up every model; takes from milliseconds (TFLite) to seconds (TensorFlow)."""
    service.repository.load(service.pool.workers, service.decoding)
    release_free_memory()  # what reading and packing the weights took: 4 MiB
