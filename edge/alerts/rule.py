"""A rule, and when it raises an alert. Pure: no I/O, time is an argument.

A camera's life under one rule:

    IDLE --the condition holds--> PENDING --it has held for for_s--> ON --it ended--> IDLE

The condition holds in an answer that shows at least ``count`` objects (or the class) of the label
with at least the score. PENDING starts again with each answer in which it does not hold. ON goes
on until it has not held for `CLEAR_S`, since a detector misses an object now and then. A camera
without an answer for ``silent_s`` ends both. One period ON raises at most one alert: at its
beginning, or later if the cooldown of the alert before is not over yet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Flag, auto

CLEAR_S = 5.0
"""Seconds in which the condition must not hold before ON ends."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When to raise an alert, as the owner wrote it.

    Attributes:
        name: unique among the rules, for people.
        slug: unique as well, of ``a-z0-9_``, for topics.
        label: of the model's classes.
        cameras: names of the cameras it is about; empty for all.
        score: minimum score of an object or class, 0..1.
        count: minimum number of objects in one frame, 1 or more.
        for_s: seconds for which the condition must hold in every answer of the camera.
        cooldown_s: minimum seconds between two alerts of one camera.
        silent_s: seconds without an answer after which the camera counts as silent.
        sound: whether the wall makes a sound.
    """

    name: str
    slug: str
    label: str
    cameras: frozenset[str] = frozenset()
    score: float = 0.5
    count: int = 1
    for_s: float = 0.0
    cooldown_s: float = 60.0
    silent_s: float = 30.0
    sound: bool = True

    def is_about(self, camera: str) -> bool:
        """Whether the rule is about the camera of this name; empty for an unnamed one."""
        return not self.cameras or camera in self.cameras


class Signal(Flag):
    """What one answer, or its absence, brought about. `OFF` comes before the other two."""

    NONE = 0
    OFF = auto()
    """ON has ended."""
    ON = auto()
    """ON has begun."""
    ALERT = auto()
    """An alert is raised."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What is remembered of one camera under one rule. Times are seconds of any steady clock.

    Attributes:
        seen_at: of the camera's last answer.
        held_at: of the last answer in which the condition held.
        since: when it began to hold; ``None`` if it does not.
        is_on: whether it is ON.
        has_alerted: whether this period ON has raised its alert.
        alerted_at: when the last alert was raised; ``None`` if none was.
    """

    seen_at: float
    held_at: float
    since: float | None
    is_on: bool = False
    has_alerted: bool = False
    alerted_at: float | None = None


def advance(
    rule: Rule, before: Progress | None, now: float, *, holds: bool
) -> tuple[Progress | None, Signal]:
    """Take in one answer of a camera.

    Args:
        before: what `advance` or `lapse` returned last; ``None`` at first.
        now: when the answer came.
        holds: whether the condition holds in it.

    Returns:
        What to remember; ``None`` for nothing. And what the answer brought about.
    """
    progress, signal = (None, Signal.NONE) if before is None else lapse(rule, before, now)
    if progress is None:
        if not holds:
            return None, signal
        progress = Progress(now, now, now)
    elif holds:
        since = now if progress.since is None else progress.since
        progress = replace(progress, seen_at=now, held_at=now, since=since)
    else:
        held_since = progress.since if progress.is_on else None
        progress = replace(progress, seen_at=now, since=held_since)
        ended, cleared = lapse(rule, progress, now)
        return ended, signal | cleared
    if not progress.is_on and now - _since(progress) >= rule.for_s:
        progress, signal = replace(progress, is_on=True), signal | Signal.ON
    if progress.is_on and not progress.has_alerted and not _is_cooling(rule, progress, now):
        progress = replace(progress, has_alerted=True, alerted_at=now)
        signal |= Signal.ALERT
    return progress, signal


def lapse(rule: Rule, progress: Progress, now: float) -> tuple[Progress | None, Signal]:
    """Let time pass without an answer: silence ends the condition, and a cooldown is forgotten."""
    is_silent = now - progress.seen_at >= rule.silent_s
    is_clear = progress.seen_at > progress.held_at and now - progress.held_at >= CLEAR_S
    signal = Signal.NONE
    if progress.is_on and (is_silent or is_clear):
        progress = replace(progress, is_on=False, has_alerted=False, since=None)
        signal = Signal.OFF
    elif is_silent:
        progress = replace(progress, since=None)
    if progress.since is None and not _is_cooling(rule, progress, now):
        return None, signal
    return progress, signal


def _since(progress: Progress) -> float:
    assert progress.since is not None
    return progress.since


def _is_cooling(rule: Rule, progress: Progress, now: float) -> bool:
    return progress.alerted_at is not None and now - progress.alerted_at < rule.cooldown_s
