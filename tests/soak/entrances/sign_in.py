"""`/login`, `/logout` and `/session`: odd forms, cookies and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from soak.entrances.multipart import mutated_value
from soak.mutate import mutated

if TYPE_CHECKING:
    from soak.shot import Pen, Shot

_NEXTS = (
    "/wall",
    "//elsewhere.example",
    "/\\elsewhere.example",
    "javascript:alert(1)",
    "/%0d%0aX: 1",
)


def make(pen: Pen) -> Shot:
    """A form, or a question with an odd cookie or key."""
    random = pen.random
    if random.random() < 0.6:
        return pen.whole("POST", "/login", _headers(pen), _form(pen))
    if random.random() < 0.3:
        return pen.whole("POST", "/logout", _headers(pen))
    return pen.whole("GET", random.choice(("/session", "/login", "/wall", "/kiosk")), _headers(pen))


def _form(pen: Pen) -> bytes:
    random = pen.random
    key = random.choice((pen.key or "edge_x", pen.odd_text(), "edge_" + "A" * 43))
    following = random.choice((*_NEXTS, pen.odd_text()))
    pairs = [("key", key), ("next", following)] * random.choice((1, 1, 1, 50))
    form = "&".join(f"{name}={quote_plus(value, errors='replace')}" for name, value in pairs)
    data = form.encode()
    return mutated(random, data) if random.random() < 0.4 else data


def _headers(pen: Pen) -> list[tuple[bytes, bytes]]:
    random = pen.random
    key = (pen.key or "edge_x").encode()
    odd = mutated_value(random, key)
    headers = (
        (b"Content-Type", b"application/x-www-form-urlencoded"),
        (b"Cookie", b"edge_key=" + key),
        (b"Cookie", b"edge_key=" + odd + b"; ;=; a=" + b"b" * 3_000),
        (b"Cookie", b'edge_key="\xff'),
        (b"Authorization", b"Bearer " + key),
        (b"Authorization", b"Bearer " + odd),
        (b"Authorization", b"Basic \xff"),
        (b"X-API-Key", odd),
        (b"Accept", b"text/html"),
        (b"Origin", b"http://" + pen.host),
        (b"Origin", b"http://["),
    )
    return random.sample(headers, random.randint(0, 3))
