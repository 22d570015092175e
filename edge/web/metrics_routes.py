"""`GET /metrics` for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import choose_encoder

from edge.api_key import Scope
from edge.web.dialects.dialect import Dialect

if TYPE_CHECKING:
    from edge.metrics import Metrics

PATHS = ("/metrics", "/monitoring/prometheus/metrics")
"""Our path, and the one in TensorFlow Serving's configuration files."""


def metrics_dialect(metrics: Metrics) -> Dialect:
    """`GET /metrics`, and the same at TensorFlow Serving's path."""
    router = APIRouter()

    async def scrape(request: Request) -> Response:
        """OpenMetrics if the caller accepts it, else Prometheus's text format."""
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
            responses={
                200: {
                    "content": {
                        "text/plain": {"schema": {"type": "string"}},
                        "application/openmetrics-text": {"schema": {"type": "string"}},
                    }
                }
            },
        )
    return Dialect("metrics", dict.fromkeys(PATHS, Scope.VIEW), router)
