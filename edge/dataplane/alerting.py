"""Raises alerts: sees every answer, applies the owner's rules, hands alerts to the wall and sinks.

An observer, so it runs on the event loop: for each rule about a camera it looks up one label's rows
and one entry of a table. What takes time, sending, is the sinks'.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from edge.alerts.alert import Alert, RuleState
from edge.alerts.rule import Signal
from edge.alerts.sighting import NOTHING, LabelScores, Sighting, sighting
from edge.alerts.table import AlertTable, Camera
from edge.errors import EdgeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge.alerts.rule import Rule
    from edge.alerts.table import Change
    from edge.dataplane.answer import Answer, InferRequest
    from edge.sinks.health import SinkStatus
    from edge.sinks.sink import Sink

_log = logging.getLogger(__name__)

MAX_RECENT = 50
"""Alerts that the wall and `GET /alerts` show."""

_MAX_ON_WALL = 10
"""Of these, alerts that a wall hears of: its banner shows fewer."""

_TICK_S = 1.0
"""Seconds between two looks for cameras that fell silent."""

_SHOW_S = 0.25
"""Least seconds between two states of a rule that are shown: a client with thousands of cameras may
change it with each frame. A state in between is shown with the next tick, if it still differs."""

_SUPPRESSED_LOGGED_S = 60.0


class Alerting:
    """The rules in force, what they saw, and where alerts go.

    Args:
        rules: with different slugs.
        rules_of: model name to the rules whose label the model may see.
        sinks: where alerts go besides the wall.
        clock: seconds since 1970.
        steady: seconds of a clock that nobody sets.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        rules_of: Mapping[str, Sequence[Rule]],
        sinks: Sequence[Sink] = (),
        *,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rules = tuple(rules)
        self.sinks = tuple(sinks)
        self._rules_of = rules_of
        self._scores = LabelScores({rule.label for rule in rules})
        self._table = AlertTable(rules)
        self._clock = clock
        self._steady = steady
        self._raised: Counter[str] = Counter()  # by name of the rule
        self._suppressed = 0
        self._suppressed_logged_at: float | None = None
        self._recent: deque[Alert] = deque(maxlen=MAX_RECENT)
        self._states = {rule.slug: RuleState(rule, ()) for rule in rules}
        self._shown_at: dict[str, float] = {}  # by slug
        self._unshown: set[Rule] = set()
        self._version = 0
        self._ticking: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Alerting {self._table}, {self._raised.total()} raised>"

    @property
    def version(self) -> int:
        """Goes up with each alert and each change of a rule's state."""
        return self._version

    @property
    def suppressed(self) -> int:
        """Alerts that were not raised since their client had raised too many."""
        return self._suppressed

    def start(self) -> None:
        """Start the sinks; returns at once."""
        for sink in self.sinks:
            sink.start()
        self._ticking = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """Stop the sinks, which may deliver what waits for a moment."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        await asyncio.gather(*(sink.stop() for sink in self.sinks))

    def observe(self, image: bytes, request: InferRequest, outcome: Answer | EdgeError) -> None:
        """Apply the rules to an answer."""
        del image
        if isinstance(outcome, EdgeError):
            return  # it says nothing of what the camera sees; if it lasts, the camera falls silent
        rules = self._rules_of.get(outcome.model.name)
        if not rules:
            return
        camera = Camera(request.client, request.sender, request.camera)
        now = self._steady()
        found = self._scores.find(outcome.model.name, outcome.prediction)
        for rule in rules:
            if not rule.is_about(camera.name):
                continue
            scores = found.get(rule.label)
            seen = NOTHING if scores is None else sighting(scores, rule.score)
            changes = self._table.see(rule, camera, now, holds=seen.count >= rule.count)
            for change in changes:
                self._apply(change, seen, outcome)

    def raised(self, rule: Rule) -> int:
        """Number of alerts that the rule has raised since the start."""
        return self._raised[rule.name]

    def state(self, rule: Rule) -> RuleState:
        """Whether the rule is on, and where."""
        return self._states[rule.slug]

    def recent(self) -> list[Alert]:
        """The latest alerts, newest first."""
        return list(reversed(self._recent))

    def as_json(self) -> dict[str, Any]:
        """As `GET /alerts` shows it."""
        rules = [
            {**self.state(rule).as_json(), "raised": self._raised[rule.name]} for rule in self.rules
        ]
        return {
            "rules": rules,
            "recent": [alert.as_json() for alert in self.recent()],
            "suppressed": self._suppressed,
            "sinks": self.sinks_json(),
        }

    def wall_json(self) -> dict[str, Any]:
        """As the wall gets it: the rules that are on, and the latest alerts, newest first."""
        on = [state.as_json() for state in self._states.values() if state.is_on]
        recent = [
            {**alert.as_json(), "sound": alert.rule.sound, "age_s": round(self._age_s(alert), 1)}
            for alert in self.recent()[:_MAX_ON_WALL]
        ]
        return {"on": on, "recent": recent}

    def _age_s(self, alert: Alert) -> float:
        return max(self._clock() - alert.at, 0.0)

    def sink_statuses(self) -> list[SinkStatus]:
        """Of each place where alerts go besides the wall."""
        return [sink.status() for sink in self.sinks]

    def sinks_json(self) -> dict[str, Any]:
        """Whether alerts get through, by the name of each sink."""
        return {status.name: status.as_json() for status in self.sink_statuses()}

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self.pass_time()

    def pass_time(self) -> None:
        """Let silent cameras lapse; called every second."""
        for change in self._table.pass_time(self._steady()):
            self._apply(change, None, None)
        for rule in tuple(self._unshown):
            self._show(rule)

    def _apply(self, change: Change, seen: Sighting | None, answer: Answer | None) -> None:
        rule = change.rule
        if change.is_suppressed:
            self._note_suppressed(change)
        if change.signal & (Signal.ON | Signal.OFF):
            self._show(rule)
        if Signal.ALERT in change.signal and seen is not None and answer is not None:
            self._raise(change, seen, answer)

    def _show(self, rule: Rule) -> None:
        now = self._steady()
        if now - self._shown_at.get(rule.slug, -_SHOW_S) < _SHOW_S:
            self._unshown.add(rule)
            return
        self._unshown.discard(rule)
        self._shown_at[rule.slug] = now
        state = RuleState(rule, self._table.names_on(rule))
        if state == self._states[rule.slug]:
            return
        self._states[rule.slug] = state
        self._version += 1
        for sink in self.sinks:
            sink.show(state)

    def _raise(self, change: Change, seen: Sighting, answer: Answer) -> None:
        alert = Alert(
            identity=f"alert_{secrets.token_hex(12)}",
            rule=change.rule,
            camera=change.camera.name,
            client=change.camera.client,
            count=seen.count,
            score=seen.score,
            held_s=change.held_s,
            at=self._clock(),
            model=answer.model.name,
            version=answer.model.version,
            source=answer.source,
        )
        self._raised[alert.rule.name] += 1
        self._recent.append(alert)
        self._version += 1
        _log.warning(
            'alert "%s": camera "%s" shows %d x %s, best score %.2f',
            alert.rule.name,
            alert.camera,
            alert.count,
            alert.rule.label,
            alert.score,
        )
        for sink in self.sinks:
            sink.deliver(alert)

    def _note_suppressed(self, change: Change) -> None:
        self._suppressed += 1
        now, last = self._steady(), self._suppressed_logged_at
        if last is not None and now - last < _SUPPRESSED_LOGGED_S:
            return
        self._suppressed_logged_at = now
        _log.warning(
            'client "%s" raises more alerts than are passed on: %d are suppressed so far, the last '
            'of rule "%s", camera "%s"',
            change.camera.client,
            self._suppressed,
            change.rule.name,
            change.camera.name,
        )
