"""The HTTP application: all dialects on one service, which starts and stops with the server."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi_offline import FastAPIOffline

from edge import __version__
from edge.api_key import Scope
from edge.dataplane.answer import BUILTIN_NOTICE
from edge.metrics import Metrics
from edge.web.access.guard import PageGuard
from edge.web.access.hosts import host_policy
from edge.web.access.keys import KeyGuard
from edge.web.access.sign_in import sign_in_dialect
from edge.web.cloud_routes import cloud_dialect
from edge.web.dialects.camera import camera_dialect
from edge.web.dialects.dialect import Dialect, DialectTable
from edge.web.dialects.stream import stream_dialect
from edge.web.dialects.tf_serving.routes import tf_serving_dialect
from edge.web.early_refusal import EarlyRefusals
from edge.web.error_mapping import install_handlers
from edge.web.frame_routes import FrameDispatch, FrameRoutes
from edge.web.head import HeadAsGet
from edge.web.last_call import LastCall
from edge.web.metrics_routes import metrics_dialect
from edge.web.openapi import document_errors
from edge.web.pages.brand import read_brand
from edge.web.pages.corrections import correction_dialect
from edge.web.pages.page_info import page_info_dialect
from edge.web.pages.pages import not_found_page, pages_dialect
from edge.web.pages.pairing import pairing_dialect
from edge.web.pages.phone import Passes, phone_dialect
from edge.web.pages.wall import Wall
from edge.web.pages.wall_routes import wall_dialect
from edge.web.request_log import ModelOfRequest, RequestLog
from edge.web.root_path import RootPath
from edge.web.status import status_dialect
from edge.wiring.bootstrap import embedded_models

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from edge.dataplane.service import InferenceService
    from edge.metrics import ConnectionFigures
    from edge.settings import Settings


_NOTICE = (b"x-edge-notice", BUILTIN_NOTICE.encode())
"""Header of every reply while built-in models serve."""

_DOCUMENTATION = Dialect(
    "documentation",
    {
        "/docs": Scope.VIEW,
        "/docs/": Scope.VIEW,  # Swagger UI's OAuth redirect
        "/openapi.json": Scope.VIEW,
        "/static-offline-docs/": Scope.VIEW,
    },
)
"""FastAPI's own routes."""


def create_app(
    service: InferenceService,
    settings: Settings,
    connections: ConnectionFigures | None = None,
) -> FastAPI:
    """Build the application; its models load in the background, and until then frames get 503.

    Args:
        connections: the server's figures for `/metrics`, if it has any.
    """

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
        # FastAPI's OpenTelemetry would look for exporters on each request and in the environment.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    install_handlers(app)
    metrics = Metrics(service, connections)
    wall = Wall(
        settings.wall_size,
        settings.wall_bytes,
        settings.max_pixels,
        own_selection=service.repository.own_selection,
    )
    service.observers += [metrics, ModelOfRequest(metrics), wall]
    passes = Passes()
    dialects = [
        camera_dialect(service, settings),
        stream_dialect(service, settings),
        tf_serving_dialect(service, settings),
        status_dialect(service),
        metrics_dialect(metrics),
        wall_dialect(wall, service),
        correction_dialect(wall, service, settings),
        phone_dialect(service, settings, passes),
        page_info_dialect(service, settings, passes),
        sign_in_dialect(settings.api_keys),
        pairing_dialect(settings),
        pages_dialect(
            samples=embedded_models() / "photos",
            builtin=service.repository.builtin,
            brand=read_brand(settings),
        ),
    ]
    if service.cloud is not None:
        dialects.append(cloud_dialect(service.cloud))
    if service.alerting is not None:
        from edge.web.alert_routes import alerts_dialect  # noqa: PLC0415 -- only if configured

        dialects.append(alerts_dialect(service.alerting))
    for dialect in dialects:
        app.include_router(dialect.router, tags=[dialect.name])
    app.state.not_found_page = not_found_page()
    table = DialectTable([_DOCUMENTATION, *dialects])
    table.check_root_path(settings.root_path)
    routes = FrameRoutes(dialects)
    hosts = host_policy(settings)
    notice = [_NOTICE] if service.repository.builtin else []
    app.state.dialects = table
    app.state.early_refusals = EarlyRefusals(
        service, settings, metrics, table, routes, hosts=hosts, notice=notice
    )
    document_errors(app)
    # The first one is the innermost.
    app.add_middleware(FrameDispatch, routes=routes)
    app.add_middleware(HeadAsGet)
    if settings.api_keys:
        app.add_middleware(KeyGuard, keys=settings.api_keys)
    app.add_middleware(PageGuard, settings=settings, hosts=hosts)
    app.add_middleware(LastCall, service=service)
    app.add_middleware(RequestLog, metrics=metrics, log=settings.log_requests, notice=notice)
    if settings.root_path:
        app.add_middleware(RootPath, root_path=settings.root_path)
    return app
