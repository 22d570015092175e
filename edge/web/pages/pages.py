"""Serves the pages: HTML, style sheets and ES modules from the package.

Their security policy allows no content from elsewhere.
"""

from __future__ import annotations

import hashlib
import html
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

    from edge.web.pages.brand import Brand

FRONT = "front"
"""The page at `/`."""

PAGES = ("kiosk", "wall", "phone", "login", "pair")

# `/login` belongs to the sign-in, whose form is posted to the same path.
_PAGE_SCOPES = {"kiosk": Scope.PREDICT, "wall": Scope.VIEW, "phone": None, "pair": None}

_BUILTIN = b'<p class="builtin" role="note" data-text="kiosk.builtin"'
_LOGO = b'<img class="logo" id="logo" alt=""'
_FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".jpg": "image/jpeg",
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


def pages_dialect(
    pages: Iterable[str] = PAGES,
    *,
    samples: Path | None = None,
    builtin: bool = False,
    brand: Brand | None = None,
) -> Dialect:
    """The front page at `/`, the pages, and `GET /static/{file}`; all files are read once, here.

    Args:
        samples: folder of the photos that the front page offers, served as `/samples/{file}`.
            Without it there is no front page, and `/` leads to the first of the pages.
        builtin: say on top of every page that a built-in model answers.
        brand: the owner's title and logo of the kiosk; the logo is served as `/kiosk/logo`.
    """
    router = APIRouter(include_in_schema=False)
    scopes: dict[str, Scope | None] = {"/favicon.ico": None, "/static/": None}
    pages = tuple(pages)
    files = {
        file.name: _read(file, builtin=builtin)
        for file in sorted(_FOLDER.iterdir())
        if file.suffix in _TYPES
    }

    if brand is not None and "kiosk" in pages:
        files["kiosk.html"] = _branded(files["kiosk.html"], brand)
        if brand.logo is not None:
            scopes["/kiosk/logo"] = Scope.PREDICT
            logo = _File(brand.logo, _etag(brand.logo), brand.media_type)
            router.add_api_route("/kiosk/logo", _page(logo), methods=["GET"])

    if samples is not None:
        scopes |= {"/": Scope.PREDICT, "/samples/": None}
        router.add_api_route("/", _page(files[f"{FRONT}.html"]), methods=["GET"])
        router.add_api_route("/samples/{name}", _sample(samples), methods=["GET"])
    else:
        scopes["/"] = None
        router.add_api_route("/", _leading_to(pages[0]), methods=["GET"])

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


def not_found_page() -> Callable[[Request], Response]:
    """What answers a browser that asks for a page which does not exist."""
    content = (_FOLDER / "lost.html").read_text("utf-8")

    def answer(request: Request) -> Response:
        # The address may have any depth, so the page's own links begin at the service's root.
        root = f"{root_path(request.scope)}/"
        here = content.replace('"static/', f'"{root}static/').replace('"./"', f'"{root}"')
        headers = {**_SECURITY, "Cache-Control": "no-store", "Vary": "Accept"}
        return Response(here, HTTPStatus.NOT_FOUND, headers, media_type=_TYPES[".html"])

    return answer


def _leading_to(page: str) -> Callable[[Request], Awaitable[Response]]:
    async def lead(request: Request) -> Response:
        target = f"{root_path(request.scope)}/{page}"
        return RedirectResponse(target, HTTPStatus.TEMPORARY_REDIRECT)

    return lead


def _sample(folder: Path) -> Callable[[str, Request], Awaitable[Response]]:
    photos = {
        file.name: _read(file, builtin=False)
        for file in sorted(folder.iterdir() if folder.is_dir() else ())
        if file.suffix == ".jpg"
    }

    async def sample(name: str, request: Request) -> Response:
        if name not in photos:
            raise NotFound(f"Nothing is at {request.scope['path']}.")
        return photos[name].response(request)

    return sample


def _page(file: _File) -> Callable[[Request], Awaitable[Response]]:
    async def page(request: Request) -> Response:
        return file.response(request)

    return page


def _read(file: Path, *, builtin: bool) -> _File:
    content = file.read_bytes()
    if builtin and file.suffix == ".html":
        content = content.replace(_BUILTIN + b" hidden", _BUILTIN)
    return _File(content, _etag(content), _TYPES[file.suffix])


def _etag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:16]}"'


def _branded(page: _File, brand: Brand) -> _File:
    """The kiosk page with the owner's title and logo in it."""
    title = html.escape(brand.title).encode()
    content = page.content.replace(b'data-brand=""', b'data-brand="' + title + b'"')
    if brand.logo is not None:
        content = content.replace(_LOGO + b" hidden", _LOGO + b' src="kiosk/logo"')
    return _File(content, _etag(content), page.media_type)
