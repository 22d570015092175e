"""Chunked bodies: good ones with odd chunks, extensions and trailers, and broken ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soak.corpus import pictures
from soak.mutate import mutated

if TYPE_CHECKING:
    from random import Random

    from soak.shot import Pen, Shot

_TARGETS = ("/predict", "/v1/models/{model}:predict", "/login", "/health/live", "/phone/picture")


def make(pen: Pen) -> Shot:
    """A body in chunks; in half of the cases the bytes of the chunks are mutated."""
    random = pen.random
    headers = [(b"Transfer-Encoding", b"chunked")]
    head = pen.head("POST", random.choice(_TARGETS).format(model=pen.model), headers)
    body = _chunked(random, random.choice(pictures()))
    if random.random() < 0.5:
        return pen.loose(head + mutated(random, body))
    trailer = b"X-Trailer: " + b"t" * random.choice((0, 10, 1_000)) + b"\r\n"
    end = b"0\r\n" + (trailer if random.random() < 0.3 else b"") + b"\r\n"
    return pen.exact(head + body + end)


def _chunked(random: Random, content: bytes) -> bytes:
    size = random.choice((1, 16, 500, len(content)))
    content = content[: 300 * size]
    extension = random.choice((b"", b"", b";a=b", b';q="' + b"e" * 50 + b'"'))
    chunks = []
    for start in range(0, len(content), size):
        chunk = content[start : start + size]
        chunks.append(b"%x" % len(chunk) + extension + b"\r\n" + chunk + b"\r\n")
    return b"".join(chunks)
