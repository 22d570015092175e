"""The state of the link to the online model as one value, for people and gauges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge.fallback.breaker import BreakerState
    from edge.fallback.budget import Limits, Spent
    from edge.fallback.policy import LinkState


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """The state of the link.

    Attributes:
        state: whether calls can be made.
        fault: why they cannot, in words for the owner; ``None`` if they can.
        refusal: why the online model refused the last frame although the link works; ``None`` if
            it did not.
        breaker: state of the circuit breaker.
        next_probe_s: seconds until the circuit breaker allows a probe.
        calls_under_way: calls without a response yet.
        spent: calls and money of this day and month.
        limits: what the owner allows.
        budget_file_fault: why the budget file cannot be read or written; ``None`` if it can.
    """

    state: LinkState
    fault: str | None
    refusal: str | None
    breaker: BreakerState
    next_probe_s: float
    calls_under_way: int
    spent: Spent
    limits: Limits
    budget_file_fault: str | None

    def as_json(self) -> dict[str, Any]:
        """As `GET /fallback` shows it; money in the owner's currency."""
        spent, limits = self.spent, self.limits
        return {
            "state": self.state,
            "fault": self.fault,
            "refusal": self.refusal,
            "breaker": self.breaker,
            "next_probe_s": round(self.next_probe_s, 1),
            "calls_under_way": self.calls_under_way,
            "budget": {
                "calls_today": spent.day.calls,
                "calls_per_day": limits.calls_per_day,
                "calls_this_month": spent.month.calls,
                "calls_per_month": limits.calls_per_month,
                "cost_today": spent.day.cost,
                "cost_per_day": limits.cost_per_day,
                "cost_this_month": spent.month.cost,
                "cost_per_month": limits.cost_per_month,
                "file_fault": self.budget_file_fault,
            },
        }
