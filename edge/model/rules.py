"""When the edge's own answer is good enough: modes, rules, and the reasons to ask the cloud."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Mode(StrEnum):
    """When the cloud is asked."""

    OFF = "off"
    ON_ERROR = "on_error"
    LOW_CONFIDENCE = "low_confidence"
    OVERLOAD = "overload"
    PREFER_CLOUD = "prefer_cloud"
    SHADOW = "shadow"


_EXCLUSIVE = frozenset({Mode.OFF, Mode.PREFER_CLOUD, Mode.SHADOW})
"""Modes that cannot be combined: each already decides what happens to every frame."""


class Reason(StrEnum):
    """Why the cloud is asked."""

    LOW_SCORE = "low_score"
    NARROW_MARGIN = "narrow_margin"
    UNSURE_BAND = "unsure_band"
    NOTHING_FOUND = "nothing_found"
    UNLIKE_TRAINING = "unlike_training"
    EDGE_FAILED = "edge_failed"
    EDGE_OVERLOADED = "edge_overloaded"
    EDGE_LATE = "edge_late"
    PREFERRED = "preferred"
    SHADOWED = "shadowed"


def parse_modes(text: str) -> frozenset[Mode]:
    """Read modes separated by commas; ``off`` gives the empty set.

    Raises:
        ValueError: a mode is unknown, or cannot be combined with others; the message names it.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in set(Mode)]
    if unknown or not names:
        given = ", ".join(unknown) or "an empty text"
        raise ValueError(f"{given} is not a mode; modes: {', '.join(Mode)}")
    modes = frozenset(Mode(name) for name in names)
    exclusive = sorted(modes & _EXCLUSIVE)
    if exclusive and len(modes) > 1:
        raise ValueError(f"{exclusive[0]} cannot be combined with other modes")
    return modes - {Mode.OFF}


@dataclass(frozen=True, slots=True)
class RuleOverrides:
    """Rules that one model's `model.toml` sets; ``None`` keeps the service's rule."""

    modes: frozenset[Mode] | None = None
    threshold: float | None = None
    margin: float | None = None
    bands: Mapping[str, tuple[float, float]] | None = None
    empty: bool | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """When an answer is good enough.

    Attributes:
        modes: when the cloud is asked; empty means never.
        threshold: an answer is unsure if a score is below it, 0..1: the best score in
            classification, any shown score in detection.
        margin: an answer is unsure if the best two scores are closer than this, 0..1; not for
            multi-label models.
        bands: label to (low, high): an answer is unsure if low <= score < high; replaces
            ``threshold`` for that label.
        empty: an answer without detections is unsure.
    """

    modes: frozenset[Mode] = frozenset()
    threshold: float = 0.5
    margin: float = 0.1
    bands: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    empty: bool = True

    def with_overrides(self, overrides: RuleOverrides) -> Rules:
        """Return these rules with a model's overrides applied."""
        rules = self
        if overrides.modes is not None:
            rules = replace(rules, modes=overrides.modes)
        if overrides.threshold is not None:
            rules = replace(rules, threshold=overrides.threshold)
        if overrides.margin is not None:
            rules = replace(rules, margin=overrides.margin)
        if overrides.bands is not None:
            rules = replace(rules, bands=overrides.bands)
        if overrides.empty is not None:
            rules = replace(rules, empty=overrides.empty)
        return rules


_DIGITS = 6  # scores are float32: 0.9 is stored as 0.89999998 but shown and judged as 0.9


def judged_score(score: float) -> float:
    """Round a score as it is shown, so that thresholds compare with what people see."""
    return round(float(score), _DIGITS)


def within_band(score: float, band: tuple[float, float]) -> bool:
    """Whether low <= score < high."""
    low, high = band
    return low <= judged_score(score) < high
