"""The HTTP application: every door on one service, and the service's life inside the server's."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi_offline import FastAPIOffline

from edge import __version__
from edge.api_key import Scope
from edge.metrics import Metrics
from edge.web.access.keys import SIGN_IN, KeyGuard, sign_in_routes
from edge.web.cloud_routes import CLOUD, cloud_routes
from edge.web.dialects.camera import CAMERA, camera_routes
from edge.web.dialects.dialect import Dialect, DialectTable
from edge.web.dialects.stream import STREAM, stream_routes
from edge.web.dialects.tf_serving.routes import TF_SERVING, tf_serving_routes
from edge.web.error_mapping import install_handlers
from edge.web.metrics_routes import METRICS, metrics_routes
from edge.web.pages.pages import PAGES_DIALECT, pages_routes
from edge.web.pages.pairing import PAIRING, pairing_routes
from edge.web.pages.phone import PHONE_ROUTES, phone_routes
from edge.web.pages.wall import Wall
from edge.web.pages.wall_routes import WALL, wall_routes
from edge.web.request_log import ModelOfRequest, Observe
from edge.web.status import STATUS, status_routes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from edge.dataplane.service import InferenceService
    from edge.settings import Settings


_DOCUMENTATION = Dialect(
    "documentation",
    {"/docs": Scope.VIEW, "/openapi.json": Scope.VIEW, "/static-offline-docs/": Scope.VIEW},
)
"""FastAPI's own routes."""


def create_app(service: InferenceService, settings: Settings) -> FastAPI:
    """The application. Its models load in the background once it runs; until then their frames get 503."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        loading = asyncio.create_task(asyncio.to_thread(service.load_models))
        yield
        await service.stop()
        await loading

    app: FastAPI = FastAPIOffline(
        title="edge",
        version=__version__,
        summary="Answers images with AutoML edge exports, offline.",
        docs_url="/docs",
        redoc_url=None,
        lifespan=lifespan,
        # FastAPI's OpenTelemetry looks for exporters on each request, and in the environment; ours is `/metrics`.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    install_handlers(app)
    metrics = Metrics(service)
    wall = Wall(settings.wall_size, settings.wall_bytes, settings.max_pixels)
    service.observers += [metrics, ModelOfRequest(metrics), wall]
    if settings.api_keys:
        app.add_middleware(KeyGuard, keys=settings.api_keys)
    app.add_middleware(Observe, metrics=metrics, log=settings.log_requests)
    mounted = [
        (CAMERA, camera_routes(service, settings)),
        (STREAM, stream_routes(service, settings)),
        (TF_SERVING, tf_serving_routes(service, settings)),
        (STATUS, status_routes(service)),
        (METRICS, metrics_routes(metrics)),
        (WALL, wall_routes(wall, service)),
        (PHONE_ROUTES, phone_routes(service, settings)),
        (SIGN_IN, sign_in_routes(settings.api_keys)),
        (PAIRING, pairing_routes(settings)),
        (PAGES_DIALECT, pages_routes()),
    ]
    if service.cloud is not None:
        mounted.append((CLOUD, cloud_routes(service.cloud)))
    for dialect, router in mounted:
        app.include_router(router, tags=[dialect.name])
    app.state.dialects = DialectTable([_DOCUMENTATION, *(dialect for dialect, _ in mounted)])
    return app
