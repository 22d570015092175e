"""Models, liveness and readiness."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Response

from edge.api_key import Scope
from edge.export.describe import contract_json
from edge.web.dialects.dialect import Dialect
from edge.web.error_mapping import json_response

if TYPE_CHECKING:
    from pathlib import Path

    from edge.dataplane.service import InferenceService
    from edge.repository.repository import ModelRepository
    from edge.repository.version import ModelVersion


def status_dialect(service: InferenceService) -> Dialect:
    """`GET /models`, `/health/live` and `/health/ready`."""
    router = APIRouter()
    repository = service.repository
    sizes = {version: _size_bytes(version.export.model) for version in repository.versions}

    @router.get("/models", summary="The models and their contracts")
    async def models() -> Response:
        return json_response(
            {
                "default": repository.default,
                "models": [_model_json(version, sizes[version]) for version in repository.versions],
                "refused": {name: str(fault) for name, fault in repository.refused.items()},
            }
        )

    @router.get("/health/live", summary="Whether the process answers, and no worker is stuck")
    async def live() -> Response:
        fault = service.watchdog.fault()
        if fault is not None:
            return json_response({"live": False, "reason": fault}, HTTPStatus.SERVICE_UNAVAILABLE)
        return json_response({"live": True})

    @router.get(
        "/health/ready",
        summary="Whether the default model serves and nothing is loading",
        responses={503: {"description": "Not ready", "content": {"application/json": {}}}},
    )
    async def ready() -> Response:
        is_ready = repository.ready and not service.stopping
        status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        return json_response(
            {
                "ready": is_ready,
                **_reasons(repository, stopping=service.stopping),
                **_outbox_fault(service),
                **_alert_faults(service),
            },
            status,
        )

    # Probes carry no key.
    scopes = {"/models": Scope.PREDICT, "/health/live": None, "/health/ready": None}
    return Dialect("status", scopes, router)


def _size_bytes(model: Path) -> int | None:
    """The size of a TFLite file or of all files of a SavedModel; ``None`` if it cannot be read."""
    try:
        files = (
            [model] if model.is_file() else [file for file in model.rglob("*") if file.is_file()]
        )
        return sum(file.stat().st_size for file in files)
    except OSError:
        return None


def _model_json(version: ModelVersion, size_bytes: int | None) -> dict[str, Any]:
    return {
        "name": version.name,
        "version": version.version,
        "state": version.state,
        "fault": str(version.fault) if version.fault else None,
        "digest": version.ref.digest,
        "size_bytes": size_bytes,
        **contract_json(version.contract, version.labels),
    }


def _outbox_fault(service: InferenceService) -> dict[str, Any]:
    """Why frames are not kept, if so: they are still answered, so the service stays ready."""
    outbox = service.cloud.outbox if service.cloud is not None else None
    fault = outbox.fault if outbox is not None else None
    return {} if fault is None else {"outbox": f"frames are not kept: {fault}"}


def _alert_faults(service: InferenceService) -> dict[str, Any]:
    """Where alerts do not get through, if so: frames are answered, so the service stays ready."""
    if service.alerting is None:
        return {}
    statuses = service.alerting.sink_statuses()
    faults = {status.name: status.fault for status in statuses if status.fault is not None}
    return {"alerts": faults} if faults else {}


def _reasons(repository: ModelRepository, *, stopping: bool) -> dict[str, Any]:
    """The state or the fault of each model, and why the service as a whole is not ready."""
    statuses = repository.statuses()
    reasons: dict[str, Any] = {
        "models": {status.name: status.fault or status.state for status in statuses}
    }
    if stopping:
        reasons["reason"] = "the service is stopping"
    elif not statuses:
        reasons["reason"] = f"no model was found in {repository.path}"
    return reasons
