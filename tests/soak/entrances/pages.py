"""The pages: the wall with its events and pictures, the phone, pairing, static files, the docs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from soak.corpus import pictures
from soak.mutate import mutated

if TYPE_CHECKING:
    from soak.shot import Pen, Shot

_PATHS = (
    "/",
    "/kiosk",
    "/wall",
    "/phone",
    "/pair",
    "/wall/phone",
    "/wall/phone.svg",
    "/pair/info",
    "/pair/ca.crt",
    "/pair/qr.svg",
    "/favicon.ico",
    "/static/wall.js",
    "/static/../settings.py",
    "/docs",
    "/openapi.json",
    "/static-offline-docs/swagger-ui.css",
)


def make(pen: Pen) -> Shot:
    """One of them, asked for in an odd way."""
    random = pen.random
    what = random.random()
    if what < 0.1:
        return pen.whole("GET", "/wall/events")
    if what < 0.3:
        number = random.choice(
            (str(random.randrange(5_000)), quote(pen.odd_text(), errors="replace"))
        )
        return pen.whole("GET", f"/wall/pictures/{number}.jpg")
    if what < 0.35:
        return pen.whole("POST", "/wall/clear", _origin(pen))
    if what < 0.5:
        query = pen.query(("pass", "model", "camera"), {"model": (pen.model,)})
        picture = mutated(random, random.choice(pictures()), pictures())
        return pen.whole("POST", "/phone/picture" + query, _origin(pen), picture)
    if what < 0.6:
        name = quote(pen.odd_text().encode("utf-8", "surrogatepass"), safe="/%")
        return pen.whole("GET", random.choice(("/static/", "/static-offline-docs/")) + name)
    headers = [(b"If-None-Match", b'"x", W/"y"')] if random.random() < 0.2 else []
    return pen.whole(random.choice(("GET", "HEAD", "PUT")), random.choice(_PATHS), headers)


def _origin(pen: Pen) -> list[tuple[bytes, bytes]]:
    origins = (
        b"http://" + pen.host,
        b"http://elsewhere.example",
        b"http://[",
        b"null",
        b"",
        b"http://" + b"a" * 5_000,
    )
    return [(b"Origin", pen.random.choice(origins))] if pen.random.random() < 0.5 else []
