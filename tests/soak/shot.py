"""One request of the fuzz, and the pen that writes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from soak.mutate import ODD_TEXTS

if TYPE_CHECKING:
    from random import Random

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Shot:
    """What is sent.

    Attributes:
        entrance: name of what it is aimed at.
        data: bytes of one request, or of anything else.
        is_whole: they are one request by the rules of HTTP: it gets exactly one reply, which bears
            its id. Anything else may be answered or cut off, but must not hang.
        request_id: sent as ``X-Request-ID``; its reply and its log line bear it.
        bodiless: it is a HEAD request.
        split: where the bytes are sent in two pieces; 0 for one.
        messages: WebSocket frames to send, one after the other's answer, if it is upgraded.
        tail: bytes to send after them, which may be anything.
    """

    entrance: str
    data: bytes
    is_whole: bool
    request_id: str
    bodiless: bool = False
    split: int = 0
    messages: tuple[bytes, ...] = ()
    tail: bytes = b""


class Pen:
    """Writes requests for one entrance, all from one source of chance.

    Attributes:
        random: the source.
        host: what a good ``Host`` header names.
        request_id: of the request that is written.
        key: an API key that opens everything; ``None`` where the server has none.
        model: the name of a model that is served.
    """

    def __init__(
        self,
        random: Random,
        host: str,
        entrance: str,
        request_id: str,
        key: str | None = None,
        model: str = "flowers",
    ) -> None:
        self.random = random
        self.host = host.encode()
        self.request_id = request_id
        self.key = key
        self.model = model
        self._entrance = entrance

    def head(
        self, method: str, target: str, headers: Headers, *, host: bytes | None = None
    ) -> bytes:
        """A request's head, with the blank line that ends it."""
        path = target.encode("utf-8", "surrogatepass")
        lines = [method.encode() + b" " + path + b" HTTP/1.1"]
        lines.append(b"Host: " + (self.host if host is None else host))
        lines.append(b"X-Request-ID: " + self.request_id.encode())
        if self.key is not None and self.random.random() < 0.7:
            lines.append(b"X-API-Key: " + self.key.encode())
        lines += [name + b": " + value for name, value in headers]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def whole(
        self, method: str, target: str, headers: Headers | None = None, body: bytes = b""
    ) -> Shot:
        """A request that HTTP allows, whatever its content."""
        headers = list(headers or ())
        if body or method in {"POST", "PUT", "PATCH"}:
            headers.append((b"Content-Length", b"%d" % len(body)))
        data = self.head(method, target, headers) + body
        split = self.random.randrange(len(data)) if self.random.random() < 0.1 else 0
        return self.exact(data, bodiless=method == "HEAD", split=split)

    def exact(self, data: bytes, *, bodiless: bool = False, split: int = 0) -> Shot:
        """Bytes that are one whole request."""
        return Shot(
            self._entrance,
            data,
            is_whole=True,
            request_id=self.request_id,
            bodiless=bodiless,
            split=split,
        )

    def loose(self, data: bytes) -> Shot:
        """Bytes that may be anything."""
        split = self.random.randrange(len(data) + 1) if self.random.random() < 0.2 else 0
        return Shot(self._entrance, data, is_whole=False, request_id=self.request_id, split=split)

    def stream(
        self, target: str, headers: Headers, messages: tuple[bytes, ...], tail: bytes
    ) -> Shot:
        """The handshake of a WebSocket, and what follows it."""
        return Shot(
            self._entrance,
            self.head("GET", target, headers),
            is_whole=True,
            request_id=self.request_id,
            messages=messages,
            tail=tail,
        )

    def odd_text(self) -> str:
        """A text that somebody did not expect."""
        return self.random.choice(ODD_TEXTS)

    def query(self, names: tuple[str, ...], good: dict[str, tuple[str, ...]]) -> str:
        """A query, with its question mark, of good and odd values of known and unknown names."""
        parts = []
        for _ in range(self.random.choice((0, 1, 1, 2, 3))):
            name = self.random.choice(names)
            if self.random.random() < 0.1:
                name = self.odd_text()[:80]
            values = good.get(name)
            if values and self.random.random() < 0.5:
                value = self.random.choice(values)
            else:
                value = self.odd_text()
            quoted = [
                quote(part.encode("utf-8", "surrogatepass"), safe="%") for part in (name, value)
            ]
            parts.append("=".join(quoted))
        return "?" + "&".join(parts) if parts else ""
