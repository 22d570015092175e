"""What serves, and whether it can: models, liveness, readiness."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Response

from edge.export.describe import contract_json
from edge.web.replies import json_response

if TYPE_CHECKING:
    from edge.repository.manager import ModelRepository
    from edge.repository.servable import Servable
    from edge.service import InferenceService


def status_door(service: InferenceService) -> APIRouter:
    """`GET /models`, `/health/live` and `/health/ready`."""
    router = APIRouter(tags=["status"])
    repository = service.repository

    @router.get("/models", summary="Which models serve, and their contracts")
    async def models() -> Response:
        return json_response(
            {
                "default": repository.default,
                "models": [_model(servable) for servable in repository.servables],
                "refused": {name: str(fault) for name, fault in repository.refused.items()},
            }
        )

    @router.get("/health/live", summary="Does the process answer?")
    async def live() -> Response:
        return json_response({"live": True})

    @router.get("/health/ready", summary="Has every model run its warm-up?")
    async def ready() -> Response:
        is_ready = repository.ready and not service.stopping
        status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        return json_response({"ready": is_ready, **_reasons(repository, stopping=service.stopping)}, status)

    return router


def _model(servable: Servable) -> dict[str, Any]:
    return {
        "name": servable.name,
        "version": servable.version,
        "state": servable.state,
        "fault": str(servable.fault) if servable.fault else None,
        "digest": servable.export.digest,
        **contract_json(servable.contract, servable.labels),
    }


def _reasons(repository: ModelRepository, *, stopping: bool) -> dict[str, Any]:
    states = {servable.name: str(servable.fault or servable.state) for servable in repository.servables}
    reasons: dict[str, Any] = {"models": states | {name: str(fault) for name, fault in repository.refused.items()}}
    if stopping:
        reasons["reason"] = "the service is stopping"
    elif not reasons["models"]:
        reasons["reason"] = f"no model was found in {repository.path}"
    return reasons
