"""Builds the service from the settings, with the cloud behind the edge if that is configured."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from edge.dataplane.admission import Admission
from edge.dataplane.local import LocalAnswerer
from edge.dataplane.service import InferenceService
from edge.errors import ExportError, SettingsError
from edge.model.rules import Rules
from edge.repository.repository import ModelRepository, open_repository
from edge.runtime.cpus import frame_threads, usable_cpus
from edge.runtime.memory import limit_free_memory
from edge.runtime.pipeline import DecodeOptions
from edge.runtime.pool import WorkerPool
from edge.runtime.proof import Prover
from edge.runtime.proof_record import ProofRecord
from edge.vision.decode_memory import decode_memory
from edge.wiring.mounts import chosen_mount, misplaced_mount

if TYPE_CHECKING:
    from edge.dataplane.alerting import Alerting
    from edge.dataplane.cloud_parts import CloudParts
    from edge.settings import Settings

_log = logging.getLogger(__name__)

_PACKAGE = Path(__file__).parents[1]


def embedded_models() -> Path:
    """Return the built-in models' folder: in the installed package, or next to it in a checkout."""
    installed = _PACKAGE / "embedded_models"
    return installed if installed.is_dir() else _PACKAGE.parent / "models"


def build_repository(settings: Settings, root: Path = Path("/")) -> ModelRepository:
    """Read the repository that the settings name, without loading it.

    Args:
        root: the folder that holds `proc`; another one than `/` is for tests.

    Raises:
        ExportError: as `open_repository` raises it; never for an export in a container's mount,
            which is reported as refused instead.
        ModelNotFound: no model has the name of the default model.
        SettingsError: there is no model, and the built-in ones are turned off.
    """
    if settings.models is not None:
        return _open(settings.models, settings)
    if settings.model_mounts is not None:
        return _open_container(settings, settings.model_mounts, root)
    if not settings.builtin:
        raise SettingsError("There is no model: set models (EDGE_MODELS), or builtin to true.")
    return _open(embedded_models(), settings)


def _open(path: Path, settings: Settings, *, keep_refused: bool = False) -> ModelRepository:
    return open_repository(
        path,
        settings.default_model,
        keep_refused=keep_refused,
        allow_unsafe=settings.allow_unsafe_models,
        prover=build_prover(settings),
        threads=frame_threads(settings.latency, usable_cpus()),
    )


def build_prover(settings: Settings) -> Prover:
    """What tries new models in a process of their own; it remembers them in the data folder."""
    try:
        folder = settings.data_folder / "proofs"
    except RuntimeError:  # a user without a home folder, as in many containers
        _log.debug("there is no data folder: models are proven at each start")
        return Prover()
    return Prover(ProofRecord(folder))


def _open_mounted(mounted: Path, settings: Settings) -> ModelRepository:
    """Open a container's mount; whatever is refused is reported, and does not end the process.

    A restart policy would start the container again and again. So the service stays up, and
    /health/ready says what is wrong.
    """
    try:
        return _open(mounted, settings, keep_refused=True)
    except ExportError as error:  # the mount itself cannot be read
        return _nothing(mounted, error)


def _open_container(settings: Settings, model_mounts: str, root: Path) -> ModelRepository:
    """Open what is mounted; the built-in models only if nothing is meant as models."""
    mounts = [Path(mount) for mount in model_mounts.split(":") if mount]
    mounted = chosen_mount(mounts)
    if mounted is not None:
        return _open_mounted(mounted, settings)
    places = " and ".join(map(str, mounts))
    misplaced = misplaced_mount(root, settings.data)
    if misplaced is not None:
        reason = f"it is mounted, but models are looked for at {places}"
        remedy = f"Mount it at {mounts[0]}, or set EDGE_MODELS={misplaced}"
        return _nothing(misplaced, ExportError(misplaced, reason, remedy))
    if not settings.builtin:
        reason = f"nothing is mounted at {places}, and the built-in models are turned off"
        remedy = "Mount an export there and start the container again"
        return _nothing(mounts[0], ExportError(mounts[0], reason, remedy))
    repository = _open(embedded_models(), settings)
    repository.mark_builtin()
    return repository


def _nothing(path: Path, fault: ExportError) -> ModelRepository:
    _log.error("no model is served: %s", fault)
    return ModelRepository(path, [], {path.name: fault})


def build_service(
    settings: Settings, repository: ModelRepository | None = None
) -> InferenceService:
    """Build the edge alone, as the command line uses it; its models are not loaded yet."""
    return _build(settings, repository or build_repository(settings))


def build_serving_service(settings: Settings, repository: ModelRepository) -> InferenceService:
    """Build the service that `edge serve` runs, with the online model and the outbox if configured.

    Raises:
        SettingsError: the settings contradict each other.
    """
    cloud = None
    if settings.cloud is not None or settings.outbox is not None:
        # Imported late: a start without them must not pay for this.
        from edge.wiring.cloud import build_cloud_parts  # noqa: PLC0415

        cloud = build_cloud_parts(settings, repository)
    elif (mode := settings.fallback.mode) != "off":
        raise SettingsError(f"cloud_mode = {mode} without cloud_endpoint or outbox_dir. Set one.")
    alerting = None
    if settings.alerts is not None:
        from edge.wiring.alerts import build_alerting  # noqa: PLC0415 -- as above

        has_cloud = settings.cloud is not None
        alerting = build_alerting(settings.alerts, repository, has_cloud=has_cloud)
    return _build(settings, repository, cloud, alerting)


def _build(
    settings: Settings,
    repository: ModelRepository,
    cloud: CloudParts | None = None,
    alerting: Alerting | None = None,
) -> InferenceService:
    limit_free_memory()
    pool = WorkerPool(settings.workers or usable_cpus(), settings.queue_size)
    decode_memory.limit(settings.max_decoded_bytes, pool.workers)
    options = DecodeOptions(settings.max_pixels, exact=settings.exact_decode)
    slots = pool.workers + pool.queue_size  # so that those admitted never find the queue full
    max_held_bytes = max(settings.max_held_bytes, settings.max_body_bytes)  # one body always fits
    # Which answers are certain does not depend on whether an online model is configured.
    rules = Rules(threshold=settings.fallback.threshold, margin=settings.fallback.margin)
    edge = LocalAnswerer(repository, pool, options, rules)
    if cloud is None:
        admission = Admission(slots, max_held_bytes, workers=pool.workers)
        return InferenceService(repository, pool, options, admission, edge, alerting=alerting)
    from edge.dataplane.escalation import EscalatingAnswerer  # noqa: PLC0415 -- as above

    admission = Admission(slots, max_held_bytes, cloud.extra_slots, workers=pool.workers)
    answerer = EscalatingAnswerer(edge, cloud, settings.max_pixels)
    return InferenceService(repository, pool, options, admission, answerer, cloud, alerting)
