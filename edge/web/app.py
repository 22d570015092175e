"""The HTTP application: every door on one service, and the service's life inside the server's."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi_offline import FastAPIOffline

from edge import __version__
from edge.web.dialects.camera import camera_routes
from edge.web.cloud_routes import fallback_routes
from edge.web.access.keys import KeyGuard, sign_in_routes
from edge.metrics import Metrics, metrics_routes
from edge.web.request_log import ModelOfRequest, Observe
from edge.web.pages.pages import pages_routes
from edge.web.pages.pairing import pairing_routes
from edge.web.pages.phone import phone_routes
from edge.web.error_mapping import install_handlers
from edge.web.status import status_routes
from edge.web.dialects.stream import stream_routes
from edge.web.dialects.tf_serving.routes import tf_serving_routes
from edge.web.pages.wall import Wall
from edge.web.pages.wall_routes import wall_routes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from edge.dataplane.service import InferenceService
    from edge.settings import Settings


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
    wall = Wall(settings.wall_size, settings.wall_bytes, settings.max_pixels)
    if settings.api_keys:
        app.add_middleware(KeyGuard, keys=settings.api_keys)
    metrics = Metrics(service)
    service.observers += [metrics, ModelOfRequest(metrics), wall]
    app.add_middleware(Observe, metrics=metrics, log=settings.log_requests)
    app.include_router(metrics_routes(metrics))
    app.include_router(camera_routes(service, settings))
    app.include_router(stream_routes(service, settings))
    app.include_router(status_routes(service))
    app.include_router(tf_serving_routes(service, settings))
    app.include_router(wall_routes(wall, service))
    app.include_router(phone_routes(service, settings))
    app.include_router(sign_in_routes(service, settings.api_keys))
    app.include_router(pairing_routes(settings))
    app.include_router(pages_routes())
    if service.cloud is not None:
        app.include_router(fallback_routes(service.cloud))
    return app
