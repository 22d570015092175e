"""The interface of a sink: where alerts go besides the wall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from edge.alerts.alert import Alert, RuleState
    from edge.sinks.health import SinkStatus

FULL = "the queue is full"
STALE = "it has waited for a day"


class Sink(Protocol):
    """Delivers alerts in the background. All methods are called on the event loop."""

    def start(self) -> None:
        """Begin to deliver; returns at once, whether or not the receiver can be reached."""
        ...

    async def stop(self) -> None:
        """Deliver what waits if that takes a moment only, then end."""
        ...

    def deliver(self, alert: Alert) -> None:
        """Queue an alert; returns at once."""
        ...

    def show(self, state: RuleState) -> None:
        """Take note of a rule's new state; returns at once. Only the latest of a rule counts."""
        ...

    def status(self) -> SinkStatus:
        """How it is doing."""
        ...
