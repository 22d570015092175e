"""Odd methods and odd paths."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from soak.shot import Pen, Shot

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
_ROOTS = (
    "/",
    "/predict/",
    "/v1/models/",
    "/outbox/",
    "/wall/",
    "/wall/pictures/",
    "/static/",
    "/health/",
    "/stream",
    "/docs/",
    "//",
    "/./",
    "/%2e%2e/",
)


def make(pen: Pen) -> Shot:
    """A path of one to three odd segments."""
    random = pen.random
    segments = [
        quote(pen.odd_text().encode("utf-8", "surrogatepass"), safe=random.choice(("", "%", "/%:")))
        for _ in range(random.randint(1, 3))
    ]
    target = random.choice(_ROOTS) + "/".join(segments)
    if random.random() < 0.2:
        target += "?" + "&".join(segments)
    if random.random() < 0.05:
        target = "http://" + pen.host.decode() + target  # as to a proxy
    return pen.whole(random.choice(_METHODS), target)
