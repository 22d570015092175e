"""The shadow log: how often edge and cloud, asked about the same frame, agreed."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LATEST = 20
"""Number of comparisons kept, in memory only."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One frame that both sides answered.

    Attributes:
        model: name of the edge's model.
        camera: who sent the frame; empty if unknown.
        agreed: whether both said the same, as the task judges it.
        edge: what the edge answered, as JSON.
        cloud: what the online model answered, as JSON.
    """

    model: str
    camera: str
    agreed: bool
    edge: Mapping[str, Any]
    cloud: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ShadowStatus:
    """Counts since the start, and the latest comparisons.

    Attributes:
        compared: frames that both sides answered.
        agreed: of these, those on which both said the same.
        failed: frames that the cloud did not answer.
        latest: the newest first, each with the time it was made.
    """

    compared: int
    agreed: int
    failed: int
    latest: Sequence[tuple[datetime, Comparison]]

    def as_json(self) -> dict[str, Any]:
        """As `GET /fallback` shows it."""
        return {
            "compared": self.compared,
            "agreed": self.agreed,
            "failed": self.failed,
            "latest": [_comparison_json(at, one) for at, one in self.latest],
        }


class ShadowLog:
    """Counts comparisons. Written on the link's thread, read on the service's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._compared = self._agreed = self._failed = 0
        self._latest: deque[tuple[datetime, Comparison]] = deque(maxlen=LATEST)

    def __repr__(self) -> str:
        return f"<ShadowLog {self._agreed}/{self._compared} agreed, {self._failed} failed>"

    def add(self, comparison: Comparison) -> None:
        """Both sides answered."""
        with self._lock:
            self._compared += 1
            self._agreed += comparison.agreed
            self._latest.append((datetime.now(UTC), comparison))

    def add_failure(self) -> None:
        """The cloud did not answer."""
        with self._lock:
            self._failed += 1

    def status(self) -> ShadowStatus:
        """The counts as they are now."""
        with self._lock:
            latest = tuple(reversed(self._latest))
            return ShadowStatus(self._compared, self._agreed, self._failed, latest)


def _comparison_json(at: datetime, comparison: Comparison) -> dict[str, Any]:
    return {
        "at": at.isoformat(timespec="milliseconds"),
        "model": comparison.model,
        "camera": comparison.camera,
        "agreed": comparison.agreed,
        "edge": dict(comparison.edge),
        "cloud": dict(comparison.cloud),
    }
