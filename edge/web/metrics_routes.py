"""`GET /metrics`, where Prometheus reads what the service counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import choose_encoder

from edge.api_key import Scope
from edge.web.dialects.dialect import Dialect

if TYPE_CHECKING:
    from edge.metrics import Metrics

PATHS = ("/metrics", "/monitoring/prometheus/metrics")
"""Ours, and the one that TensorFlow Serving's own configuration files use."""


def metrics_dialect(metrics: Metrics) -> Dialect:
    """`GET /metrics`, and the same at TensorFlow Serving's path."""
    router = APIRouter()

    async def scrape(request: Request) -> Response:
        """In OpenMetrics where the caller asks for it, else in Prometheus's text format."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(
            encode(metrics.registry), media_type=None, headers={"Content-Type": content_type}
        )

    for path in PATHS:
        router.add_api_route(
            path,
            scrape,
            methods=["GET"],
            summary="Counters for Prometheus",
            operation_id="metrics" if path == PATHS[0] else "metrics_as_tf_serving",
            response_class=Response,
        )
    return Dialect("metrics", dict.fromkeys(PATHS, Scope.VIEW), router)
