"""The HTTP application: every door on one service, and the service's life inside the server's."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi_offline import FastAPIOffline

from edge import __version__
from edge.web.camera import camera_door
from edge.web.fallback import fallback_door
from edge.web.keys import KeyGuard, sign_in_door
from edge.web.metrics import Metrics, metrics_door
from edge.web.observe import ModelOfRequest, Observe
from edge.web.pages import pages_door
from edge.web.pairing import pairing_door
from edge.web.phone import phone_door
from edge.web.replies import install_handlers
from edge.web.status import status_door
from edge.web.stream import stream_door
from edge.web.tfserving import tf_serving_door
from edge.web.wall import Wall
from edge.web.wall_door import wall_door

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
    app.include_router(metrics_door(metrics))
    app.include_router(camera_door(service, settings))
    app.include_router(stream_door(service, settings))
    app.include_router(status_door(service))
    app.include_router(tf_serving_door(service, settings))
    app.include_router(wall_door(wall, service))
    app.include_router(phone_door(service, settings))
    app.include_router(sign_in_door(service, settings.api_keys))
    app.include_router(pairing_door(settings))
    app.include_router(pages_door())
    if service.cloud is not None:
        app.include_router(fallback_door(service.cloud))
    return app
