"""Pairing: how a device comes to trust this machine's certificate authority; also over plain HTTP.

A device that does not trust the authority yet would warn its user about the very page that explains
how. So the page, its files and the authority's certificate, none of them secret, are also served
without TLS on a separate port.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI, Request, Response

from edge.tls.addresses import public_host
from edge.tls.certificate import der, fingerprint
from edge.tls.provisioning import authority_file, uses_tls
from edge.web.access.guard import PageGuard
from edge.web.access.hosts import ANY
from edge.web.dialects.dialect import Dialect, DialectTable
from edge.web.error_mapping import NotFound, install_handlers, json_response
from edge.web.head import HeadAsGet
from edge.web.pages.pages import not_found_page, pages_dialect
from edge.web.pages.qr import qr_svg
from edge.web.root_path import root_path

if TYPE_CHECKING:
    from edge.settings import Settings
    from edge.tls.seen_names import NameLearner


def pairing_dialect(settings: Settings, learner: NameLearner | None = None) -> Dialect:
    """`GET /pair/info`, `/pair/ca.crt` and `/pair/qr.svg`.

    Args:
        learner: takes up the name by which a device asks, before it is sent there.
    """
    router = APIRouter(include_in_schema=False, prefix="/pair")

    @router.get("/info")
    async def info(request: Request) -> Response:
        authority = authority_file(settings)
        if learner is not None:
            await learner.learn(request.url.hostname)
        return json_response(
            {
                "tls": uses_tls(settings),
                "authority": fingerprint(authority) if authority else None,
                "url": _service_url(request, settings),
                "pairing_url": _pairing_url(request, settings),
            }
        )

    @router.get("/ca.crt")
    async def authority() -> Response:
        file = authority_file(settings)
        if file is None:
            raise NotFound(
                "This service has no authority: it uses its owner's certificate, or no TLS (--tls)."
            )
        headers = {"Content-Disposition": 'attachment; filename="edge-ca.crt"'}
        return Response(der(file), media_type="application/x-x509-ca-cert", headers=headers)

    @router.get("/qr.svg")
    async def code(request: Request) -> Response:
        return qr_svg(_pairing_url(request, settings))

    return Dialect("pairing", {"/pair/": None}, router)  # the authority's certificate is public


def pairing_app(settings: Settings, learner: NameLearner | None = None) -> FastAPI:
    """An application with only the pairing page, for the plain port."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    install_handlers(app)
    # What is here is public, so every host may be asked for; a malformed one is still refused.
    app.add_middleware(PageGuard, settings=settings.model_copy(update={"allowed_hosts": (ANY,)}))
    dialects = [pages_dialect(["pair"]), pairing_dialect(settings, learner)]
    for dialect in dialects:
        app.include_router(dialect.router)
    app.state.not_found_page = not_found_page()
    app.state.dialects = DialectTable(dialects)
    app.add_middleware(HeadAsGet)
    return app


def _service_url(request: Request, settings: Settings) -> str:
    """The URL under which the requesting device reaches the service, also from the plain port."""
    secure = uses_tls(settings)
    port = settings.port if secure and request.url.scheme == "http" else request.url.port
    scheme = "https" if secure else request.url.scheme
    suffix = f":{port}" if port else ""
    return f"{scheme}://{_host(request, settings)}{suffix}{root_path(request.scope)}/"


def _pairing_url(request: Request, settings: Settings) -> str:
    if authority_file(settings) is None or not settings.pairing_port:
        return f"{_service_url(request, settings)}pair"
    return f"http://{_host(request, settings)}:{settings.pairing_port}/pair"


def _host(request: Request, settings: Settings) -> str:
    return public_host(request.url.hostname, settings.tls_names) or "localhost"
