"""`POST /predict` with a picture as its body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soak.corpus import pictures
from soak.mutate import mutated

if TYPE_CHECKING:
    from soak.shot import Pen, Shot

NAMES = ("model", "top_k", "threshold", "deadline_ms", "fallback", "camera")
GOOD = {
    "top_k": ("1", "5", "1000"),
    "threshold": ("0", "0.5", "1"),
    "deadline_ms": ("1", "1000", "10000"),
    "fallback": ("off", "low_confidence"),
    "camera": ("door", "line-1"),
}
_TYPES = (
    b"image/jpeg",
    b"image/png",
    b"application/octet-stream",
    b"application/x-www-form-urlencoded",
    b"text/plain; charset=\xff",
    b"multipart/form-data",
    b"",
)


def make(pen: Pen) -> Shot:
    """A mutated picture, and often an odd query."""
    random = pen.random
    picture = random.choice(pictures())
    if random.random() < 0.9:
        picture = mutated(random, picture, pictures())
    path = f"/predict/{pen.model}" if random.random() < 0.2 else "/predict"
    good = {**GOOD, "model": (pen.model,)}
    query = pen.query(NAMES, good) if random.random() < 0.4 else ""
    headers = [(b"Content-Type", random.choice(_TYPES))] if random.random() < 0.7 else []
    return pen.whole("POST", path + query, headers, picture)
