"""Serves the pages: HTML, style sheets and ES modules from the package.

Their security policy allows no content from elsewhere.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from edge.api_key import Scope
from edge.web.dialects.dialect import Dialect
from edge.web.error_mapping import NotFound
from edge.web.root_path import root_path

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

PAGES = ("kiosk", "wall", "phone", "login", "pair")

# `/login` belongs to the sign-in, whose form is posted to the same path.
_PAGE_SCOPES = {"kiosk": Scope.PREDICT, "wall": Scope.VIEW, "phone": None, "pair": None}

_BUILTIN = b'<p class="builtin" role="note" data-text="kiosk.builtin"'
_FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
_SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "same-origin",  # with no-referrer, forms would send no Origin
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    etag: str
    media_type: str

    def response(self, request: Request) -> Response:
        """The file, or 304 if the browser's copy is current."""
        headers = {**_SECURITY, "ETag": self.etag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == self.etag:
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(self.content, media_type=self.media_type, headers=headers)


def pages_dialect(pages: Iterable[str] = PAGES, *, builtin: bool = False) -> Dialect:
    """`GET /`, the pages, and `GET /static/{file}`; all files are read once, here.

    Args:
        builtin: say on top of every page that a built-in model answers.
    """
    router = APIRouter(include_in_schema=False)
    scopes: dict[str, Scope | None] = {"/": None, "/favicon.ico": None, "/static/": None}
    files = {
        file.name: _read(file, builtin=builtin)
        for file in sorted(_FOLDER.iterdir())
        if file.suffix in _TYPES
    }

    @router.get("/")
    async def root(request: Request) -> Response:
        kiosk = f"{root_path(request.scope)}/kiosk"
        return RedirectResponse(kiosk, HTTPStatus.TEMPORARY_REDIRECT)

    @router.get("/favicon.ico")
    async def icon(request: Request) -> Response:
        return files["icon.svg"].response(request)

    @router.get("/static/{name}")
    async def static(name: str, request: Request) -> Response:
        if name not in files or name.endswith(".html"):
            raise NotFound(f"Nothing is at {request.scope['path']}.")
        return files[name].response(request)

    for page in pages:
        router.add_api_route(f"/{page}", _page(files[f"{page}.html"]), methods=["GET"])
        if page in _PAGE_SCOPES:
            scopes[f"/{page}"] = _PAGE_SCOPES[page]
    return Dialect("pages", scopes, router)


def _page(file: _File) -> Callable[[Request], Awaitable[Response]]:
    async def page(request: Request) -> Response:
        return file.response(request)

    return page


def _read(file: Path, *, builtin: bool) -> _File:
    content = file.read_bytes()
    if builtin and file.suffix == ".html":
        content = content.replace(_BUILTIN + b" hidden", _BUILTIN)
    return _File(content, f'"{hashlib.sha256(content).hexdigest()[:16]}"', _TYPES[file.suffix])
