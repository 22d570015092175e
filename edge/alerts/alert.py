"""What becomes of a rule: alerts, and whether it is on. Plain values and their JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge.alerts.rule import Rule

MAX_CAMERAS_SHOWN = 20
"""Cameras that a rule's state names; a client may invent thousands."""

_SCORE_DIGITS = 6
_SECONDS_DIGITS = 1


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule's condition held long enough on a camera.

    Attributes:
        identity: unique, for receivers that must not act twice.
        rule: that raised it.
        camera: name that the frame came with; may be empty.
        client: who sent the frame: an API key's name or an address. Never delivered.
        count: objects in the frame that raised it.
        score: of the best of them, 0..1.
        held_s: seconds that the condition had held.
        at: seconds since 1970.
        model: name of the model.
        version: of the model; ``None`` if it has no number.
        source: who answered: ``edge`` or ``cloud``.
    """

    identity: str
    rule: Rule
    camera: str
    client: str
    count: int
    score: float
    held_s: float
    at: float
    model: str
    version: int | None
    source: str

    def as_json(self) -> dict[str, Any]:
        """As the webhook, MQTT, the wall and `GET /alerts` give it."""
        return {
            "id": self.identity,
            "rule": self.rule.name,
            "camera": self.camera,
            "label": self.rule.label,
            "count": self.count,
            "score": round(self.score, _SCORE_DIGITS),
            "held_s": round(self.held_s, _SECONDS_DIGITS),
            "at": iso_time(self.at),
            "model": {"name": self.model, "version": self.version},
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class RuleState:
    """Whether a rule is on, and where.

    Attributes:
        rule: the rule.
        cameras: names of the cameras on which it is on, sorted.
    """

    rule: Rule
    cameras: tuple[str, ...]

    @property
    def is_on(self) -> bool:
        """Whether it is on for any camera."""
        return bool(self.cameras)

    def as_json(self) -> dict[str, Any]:
        """As MQTT retains it; names `MAX_CAMERAS_SHOWN` cameras at most."""
        return {
            "state": "ON" if self.is_on else "OFF",
            "rule": self.rule.name,
            "label": self.rule.label,
            "cameras": list(self.cameras[:MAX_CAMERAS_SHOWN]),
            "camera_count": len(self.cameras),
        }


def iso_time(seconds: float) -> str:
    """Seconds since 1970 as RFC 3339 in UTC, to the millisecond."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
