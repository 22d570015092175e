"""Good requests with odd values in the headers that the service reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soak.corpus import pictures
from soak.entrances.multipart import mutated_value

if TYPE_CHECKING:
    from soak.shot import Pen, Shot

_TARGETS = (
    ("GET", "/health/live"),
    ("GET", "/wall/phone"),
    ("GET", "/pair/info"),
    ("GET", "/models"),
    ("GET", "/nothing"),
    ("POST", "/predict"),
    ("POST", "/v1/models/{model}:predict"),
    ("POST", "/login"),
    ("OPTIONS", "/predict"),
)
_NAMES = (
    b"Origin",
    b"Content-Type",
    b"Accept",
    b"Accept-Encoding",
    b"Authorization",
    b"Cookie",
    b"Expect",
    b"If-None-Match",
    b"Range",
    b"Referer",
    b"Forwarded",
    b"X-Forwarded-For",
    b"X-Forwarded-Proto",
    b"X-Forwarded-Host",
    b"X-Request-ID",
    b"X-API-Key",
    b"Access-Control-Request-Method",
    b"Access-Control-Request-Headers",
    b"Sec-Fetch-Site",
    b"traceparent",
)
_VALUES = (
    b"",
    b"\xff\xfe\xfd",
    b"http://[",
    b"http://[::1",
    b"https://elsewhere.example:99999",
    b"100-continue",
    b"127.0.0.1, " * 40,
    b'for="[::1]";proto=https;host=elsewhere',
    b"javascript",
    b"bytes=0-99999999999999999999",
    b"\x1b]52;c;eA==\x07",
    b"a=" + b"b" * 7_000,
    b"*/*;q=1e9",
)
_MOST_BYTES = 7_000


def make(pen: Pen) -> Shot:
    """One to three odd headers, and at times an odd Host."""
    random = pen.random
    method, path = random.choice(_TARGETS)
    path = path.format(model=pen.model)
    headers = []
    for _ in range(random.randint(1, 3)):
        value = random.choice(_VALUES)
        if random.random() < 0.3:
            value = mutated_value(random, value)[:_MOST_BYTES]
        value = value.replace(b"\x07", b"").replace(
            b"\x1b", b""
        )  # HTTP allows no control character
        headers.append((random.choice(_NAMES), value.strip()))
    body = pictures()[0] if method == "POST" else b""
    if random.random() < 0.2:
        return pen.exact(_with_host(pen, method, path, headers, body))
    return pen.whole(method, path, headers, body)


def _with_host(
    pen: Pen, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes
) -> bytes:
    hosts = (
        b"",
        b"elsewhere.example",
        b"[::1]:80",
        b"[",
        b"a" * 60_000,
        b"127.0.0.1:99999",
        b"localhost@elsewhere.example",
        b"\xff\xfe",
        b"edge/../x",
        b"127.0.0.1 evil",
    )
    length = [(b"Content-Length", b"%d" % len(body))] if body else []
    return pen.head(method, path, [*headers, *length], host=pen.random.choice(hosts)) + body
