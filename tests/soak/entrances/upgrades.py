"""Requests that ask to leave HTTP: to a WebSocket where there is none, to HTTP/2, to anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soak.corpus import pictures
from soak.websocket import handshake_headers

if TYPE_CHECKING:
    from soak.shot import Pen, Shot

_PROTOCOLS = (b"websocket", b"h2c", b"TLS/1.0", b"foo", b"websocket, h2c", b"")
_TARGETS = ("/predict", "/stream", "/health/live", "/wall/events", "/nothing", "/login")


def make(pen: Pen) -> Shot:
    """A GET or a POST with a body: one request, which has exactly one answer."""
    random = pen.random
    target = random.choice(_TARGETS)
    if random.random() < 0.5:
        headers = [(b"Upgrade", random.choice(_PROTOCOLS)), (b"Connection", b"Upgrade")]
        if random.random() < 0.3:
            headers.append((b"HTTP2-Settings", b"AAMAAABkAAQCAAAAAAIAAAAA"))
    else:
        headers = handshake_headers(random)
    if random.random() < 0.6:
        body = random.choice(pictures())
        if random.random() < 0.3:  # what would be a second request if the body were not read
            body = b"GET /smuggled HTTP/1.1\r\nHost: " + pen.host + b"\r\n\r\n"
        return pen.whole("POST", target, headers, body)
    return pen.stream(target, headers, (), b"")
