"""The latest state of each rule, and which of them are still to be published."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from edge.alerts.alert import RuleState

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from edge.alerts.rule import Rule


class StateBoard:
    """Written on one thread, read on another. Of a rule only the latest state counts.

    Args:
        rules: all rules; they are off at first.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._states = {rule.slug: RuleState(rule, ()) for rule in rules}
        self._changed = dict.fromkeys(self._states)  # slugs, changed longest ago first
        self._lock = threading.Lock()

    def show(self, state: RuleState) -> None:
        """Take note of a rule's new state."""
        with self._lock:
            self._states[state.rule.slug] = state
            self._changed[state.rule.slug] = None

    def mark_all(self) -> None:
        """All states are to be published: the broker may know none."""
        with self._lock:
            self._changed |= dict.fromkeys(self._states)

    def take(self, busy: Collection[str]) -> list[RuleState]:
        """The states to publish now; leaves those of the rules in ``busy``, by slug, for later."""
        with self._lock:
            ready = [slug for slug in self._changed if slug not in busy]
            for slug in ready:
                del self._changed[slug]
            return [self._states[slug] for slug in ready]

    def __len__(self) -> int:
        return len(self._changed)
