"""Bytes that may not be HTTP at all: mutated heads, and heads with contradictory framing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soak.corpus import pictures
from soak.mutate import mutated

if TYPE_CHECKING:
    from soak.shot import Pen, Shot

_LINES = (
    b"Content-Length: -1",
    b"Content-Length: 5, 5",
    b"Content-Length: 18446744073709551617",
    b"Content-Length: 99999999",
    b"Content-Length: 5\r\nContent-Length: 6",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding:\tchunked",
    b"Host: second",
    b"Host : spaced",
    b" folded: header",
    b"No colon",
    b"Null: \x00",
    b"Bare: a\nb: c",
    b": no name",
    b"X: " + b"y" * 100_000,
    b"Connection: close, keep-alive, upgrade",
    b"Expect: 200-ok",
)
_STARTS = (
    b"POST /predict HTTP/1.1",
    b"GET /health/live HTTP/1.0",
    b"GET /health/live HTTP/2.0",
    b"GET http://elsewhere/ HTTP/1.1",
    b"GET /" + b"a" * 70_000 + b" HTTP/1.1",
    b"PRI * HTTP/2.0",
    b"CONNECT elsewhere:443 HTTP/1.1",
    b"OPTIONS * HTTP/1.1",
    b"GET",
    b"\x16\x03\x01\x02\x00\x01\x00",  # TLS
)
_EXACT = (b"\r\n\r\n", b"\n\n" * 2_000, b"\x00" * 2_000, b"GET / HTTP/0.9\r\n\r\n")


def make(pen: Pen) -> Shot:
    """A head with odd lines, mutated in half of the cases."""
    random = pen.random
    if random.random() < 0.05:
        return pen.loose(random.choice(_EXACT))
    lines = [random.choice(_STARTS) if random.random() < 0.5 else b"POST /predict HTTP/1.1"]
    if random.random() < 0.9:
        lines.append(b"Host: " + pen.host)
    lines.append(b"X-Request-ID: " + pen.request_id.encode())
    lines += random.sample(_LINES, random.randint(0, 2))
    body = random.choice(pictures())[: random.randrange(600)]
    if random.random() < 0.5:
        lines.append(b"Content-Length: %d" % len(body))
    data = b"\r\n".join(lines) + b"\r\n\r\n" + body
    return pen.loose(mutated(random, data) if random.random() < 0.5 else data)
