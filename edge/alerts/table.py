"""Which cameras are under way towards an alert, for all rules. Bounded, without I/O.

A camera is known by its client and its name: what one client sends under the name of another's
camera changes nothing for that one. Only cameras on which a condition holds, or held just now, are
remembered, at most `MAX_TRACKED`. Past that, the client that has most loses its oldest, so that one
with thousands of camera names displaces its own. Each client has a bucket of alerts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from edge.alerts.rule import Progress, Rule, Signal, advance, lapse
from edge.token_bucket import TokenBucket

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_TRACKED = 1000
"""Cameras under way, of all rules together."""

ALERT_BURST = 100
"""Alerts that one client may raise at once. A recorder sends dozens of cameras under one key, and
all may see the same flash."""

ALERT_RATE = 1.0
"""Alerts a second that one client may raise after that."""

_MAX_CLIENTS = 1000
"""Clients whose buckets are remembered; the one that raised none for longest gives way."""


class Camera(NamedTuple):
    """Which camera of which client.

    Attributes:
        client: whose it is: an API key's name or an address.
        sender: tells cameras and streams of the client apart.
        name: that its frames come with; may be empty.
    """

    client: str
    sender: str
    name: str


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one camera under one rule.

    Attributes:
        signal: without `Signal.ALERT` if its client has raised too many alerts.
        held_s: seconds that the condition has held.
        is_suppressed: whether an alert was due that the client's bucket did not allow.
    """

    rule: Rule
    camera: Camera
    signal: Signal
    held_s: float
    is_suppressed: bool = False


class AlertTable:
    """The state of all rules. Not thread-safe."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._progress: dict[str, dict[Camera, Progress]] = {rule.slug: {} for rule in rules}
        self._rules = {rule.slug: rule for rule in rules}
        # By client, the camera seen longest ago first.
        self._by_client: dict[str, dict[tuple[str, Camera], None]] = {}
        self._size = 0
        self._buckets: dict[str, TokenBucket] = {}  # raised longest ago first

    def __repr__(self) -> str:
        return f"<AlertTable {len(self._rules)} rules, {self._size} cameras under way>"

    def __len__(self) -> int:
        return self._size

    def see(self, rule: Rule, camera: Camera, now: float, *, holds: bool) -> list[Change]:
        """Take in one answer; returns what it changed, in order."""
        cameras = self._progress[rule.slug]
        before = cameras.get(camera)
        if before is None and not holds:
            return []
        after, signal = advance(rule, before, now, holds=holds)
        changes = self._make_room(camera.client) if before is None and after is not None else []
        self._put(rule, camera, after)
        if signal:
            changes.append(self._change(rule, camera, after, signal, now))
        return changes

    def pass_time(self, now: float) -> list[Change]:
        """Let silent cameras and old cooldowns lapse; returns what that changed."""
        changes = []
        for slug, cameras in self._progress.items():
            rule = self._rules[slug]
            for camera, before in list(cameras.items()):
                after, signal = lapse(rule, before, now)
                if after is None:
                    self._put(rule, camera, None)
                else:
                    cameras[camera] = after  # it stays where it is in the order of being seen
                if signal:
                    changes.append(Change(rule, camera, signal, 0.0))
        return changes

    def names_on(self, rule: Rule) -> tuple[str, ...]:
        """Names of the cameras on which the rule is on, sorted, each once."""
        cameras = self._progress[rule.slug].items()
        return tuple(sorted({camera.name for camera, progress in cameras if progress.is_on}))

    def _change(
        self, rule: Rule, camera: Camera, after: Progress | None, signal: Signal, now: float
    ) -> Change:
        since = now if after is None or after.since is None else after.since
        if Signal.ALERT not in signal or self._bucket(camera.client).take(now):
            return Change(rule, camera, signal, now - since)
        return Change(rule, camera, signal & ~Signal.ALERT, now - since, is_suppressed=True)

    def _bucket(self, client: str) -> TokenBucket:
        bucket = self._buckets.pop(client, None)
        if bucket is None:
            bucket = TokenBucket(ALERT_BURST, ALERT_RATE)
            if len(self._buckets) >= _MAX_CLIENTS:
                del self._buckets[next(iter(self._buckets))]
        self._buckets[client] = bucket
        return bucket

    def _put(self, rule: Rule, camera: Camera, after: Progress | None) -> None:
        cameras = self._progress[rule.slug]
        own = self._by_client.setdefault(camera.client, {})
        was_known = camera in cameras
        own.pop((rule.slug, camera), None)
        if after is not None:
            cameras[camera] = after
            own[rule.slug, camera] = None
        elif was_known:
            del cameras[camera]
        if not own:
            del self._by_client[camera.client]
        self._size += (after is not None) - was_known

    def _make_room(self, client: str) -> list[Change]:
        """Drop one camera if the table is full: the one seen longest ago of who has most."""
        if self._size < MAX_TRACKED:
            return []
        most = max(self._by_client, key=lambda one: (len(self._by_client[one]), one == client))
        slug, camera = next(iter(self._by_client[most]))
        rule = self._rules[slug]
        was_on = self._progress[slug][camera].is_on
        self._put(rule, camera, None)
        return [Change(rule, camera, Signal.OFF, 0.0)] if was_on else []
