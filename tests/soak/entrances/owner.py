"""What an owner reads: the outbox, the fallback, metrics, models and health."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from soak.shot import Pen, Shot

_PATHS = (
    "/outbox",
    "/outbox",
    "/fallback",
    "/metrics",
    "/monitoring/prometheus/metrics",
    "/models",
    "/health/live",
    "/health/ready",
)
_NAMES = ("state", "after", "limit", "key", "name[]")
_GOOD = {
    "state": ("waiting", "resolved", "dead_letter", "prediction_only", "corrected"),
    "after": ("0", "5", str(2**63 - 1), str(2**63)),
    "limit": ("1", "10", "1000", "1001"),
}
_ACCEPTS = (b"application/openmetrics-text; version=1.0.0", b"*/*;q=\xff", b"text/html", b"," * 200)


def make(pen: Pen) -> Shot:
    """A reading, with an odd query or an odd key."""
    random = pen.random
    path = random.choice(_PATHS)
    if random.random() < 0.2:
        key = random.choice((pen.odd_text(), random.randbytes(16).hex()))
        path = "/outbox/" + quote(key.encode("utf-8", "surrogatepass"), safe="/%")
    query = pen.query(_NAMES, _GOOD) if random.random() < 0.6 else ""
    headers = [(b"Accept", random.choice(_ACCEPTS))] if random.random() < 0.3 else []
    method = random.choice(("GET", "GET", "GET", "GET", "HEAD", "POST"))
    return pen.whole(method, path + query, headers)
