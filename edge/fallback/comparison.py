"""What shadowing shows: edge and cloud asked the same, and how often they said the same."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from edge.model.prediction import Classification

if TYPE_CHECKING:
    from edge.fallback.verdict import CloudSaid, Said
    from edge.model.prediction import Prediction, Selection

LATEST = 20
"""Comparisons that are remembered, in memory only."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One frame that both sides were asked about.

    Attributes:
        model: name of the edge's model.
        camera: who sent the frame; empty where it did not say.
        edge: what the edge said, and answered with.
        cloud: what the online model said meanwhile.
        agreed: see `same`.
    """

    model: str
    camera: str
    edge: Said
    cloud: CloudSaid
    agreed: bool


class Comparison:
    """Counts since the start, and the latest comparisons. Told on the link's thread, read on the service's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._compared = self._agreed = self._failed = 0
        self._latest: deque[tuple[datetime, Compared]] = deque(maxlen=LATEST)

    def __repr__(self) -> str:
        return f"<Comparison {self._agreed}/{self._compared} agreed, {self._failed} failed>"

    def add(self, one: Compared) -> None:
        """Both answered."""
        with self._lock:
            self._compared += 1
            self._agreed += one.agreed
            self._latest.append((datetime.now(UTC), one))

    def failed(self) -> None:
        """The cloud did not answer."""
        with self._lock:
            self._failed += 1

    def status(self) -> dict[str, Any]:
        """For people and gauges; the newest first."""
        with self._lock:
            latest = list(self._latest)
            counts = {"compared": self._compared, "agreed": self._agreed, "failed": self._failed}
        return {**counts, "latest": [_as_json(when, one) for when, one in reversed(latest)]}


def same(edge: Prediction, cloud: Prediction, selection: Selection) -> bool:
    """Whether both say the same: the best class, or the same things seen, wherever they stand."""
    if isinstance(edge, Classification) and isinstance(cloud, Classification):
        return edge.labels[int(edge.scores.argmax())] == cloud.labels[int(cloud.scores.argmax())]
    seen = [sorted(item.label for item in one.select(selection)) for one in (edge, cloud)]
    return seen[0] == seen[1]


def _as_json(when: datetime, one: Compared) -> dict[str, Any]:
    return {
        "at": when.isoformat(timespec="milliseconds"),
        "model": one.model,
        "camera": one.camera,
        "agreed": one.agreed,
        "edge": one.edge.as_json(),
        "cloud": one.cloud.as_json(),
    }
