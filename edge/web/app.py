"""The HTTP application: every door on one service, and the service's life inside the server's."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi_offline import FastAPIOffline

from edge import __version__
from edge.assisted import AssistedService
from edge.bootstrap import load_models
from edge.web.camera import camera_door
from edge.web.fallback import fallback_door
from edge.web.replies import install_handlers
from edge.web.status import status_door
from edge.web.tfserving import tf_serving_door

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from edge.service import InferenceService
    from edge.settings import Settings


def create_app(service: InferenceService, settings: Settings) -> FastAPI:
    """The application. Its models load in the background once it runs; until then their frames get 503."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        loading = asyncio.create_task(asyncio.to_thread(load_models, service))
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
    )
    install_handlers(app)
    app.include_router(camera_door(service, settings))
    app.include_router(status_door(service))
    app.include_router(tf_serving_door(service, settings))
    if isinstance(service, AssistedService):
        app.include_router(fallback_door(service))
    return app
