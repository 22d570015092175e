"""`GET /alerts`: the rules, whether they are on, the latest alerts, and where alerts go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from edge.api_key import Scope
from edge.web.dialects.dialect import Dialect
from edge.web.error_mapping import json_response

if TYPE_CHECKING:
    from edge.dataplane.alerting import Alerting


def alerts_dialect(alerting: Alerting) -> Dialect:
    """`GET /alerts`."""
    router = APIRouter()

    @router.get("/alerts", summary="The rules, the latest alerts, and whether they get through")
    async def status() -> Response:
        return json_response(alerting.as_json())

    return Dialect("alerts", {"/alerts": Scope.VIEW}, router)
