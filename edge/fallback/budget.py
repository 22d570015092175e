"""What the cloud may cost: calls and money a day and a month, and calls a second. Pure: the clock is an argument.

A day is 24 hours and a month 30 days of `edge.clock`'s steady seconds, from the first call on: no calendar, so that no
jump of the wall clock opens a new one. A call is counted before it is made, also one that fails.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from edge.fallback.policy import BlockedBy

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY_S = 86_400.0
MONTH_S = 30 * DAY_S
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What the owner allows; ``None`` is no limit.

    Attributes:
        price: of one call, in the owner's currency.
        calls_per_day: calls in 24 hours.
        calls_per_month: calls in 30 days.
        cost_per_day: money in 24 hours.
        cost_per_month: money in 30 days.
        per_second: calls a second on average, with bursts of at most two seconds' worth (at least one).
    """

    price: float = 0.0
    calls_per_day: int | None = None
    calls_per_month: int | None = None
    cost_per_day: float | None = None
    cost_per_month: float | None = None
    per_second: float | None = None

    @property
    def capped(self) -> bool:
        """Whether anything must be remembered over a restart."""
        caps = (self.calls_per_day, self.calls_per_month, self.cost_per_day, self.cost_per_month)
        return any(cap is not None for cap in caps)


@dataclass(frozen=True, slots=True)
class Window:
    """What was spent since ``start`` (steady seconds); money in millionths."""

    start: float = 0.0
    calls: int = 0
    micros: int = 0

    @property
    def cost(self) -> float:
        """Money, in the owner's currency."""
        return self.micros / _MICRO

    def at(self, now: float, length: float) -> Window:
        """This window, or a new one where it is over."""
        return self if self.calls and now - self.start < length else Window(now)

    def plus(self, micros: int) -> Window:
        """With one more call."""
        return replace(self, calls=self.calls + 1, micros=self.micros + micros)


@dataclass(frozen=True, slots=True)
class Spent:
    """What is kept on disk."""

    day: Window = Window()
    month: Window = Window()

    def as_json(self) -> dict[str, Any]:
        """For the file."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Spent:
        """From the file; raises ``KeyError``, ``TypeError`` or ``ValueError`` where it is not one."""
        day, month = (
            Window(float(one["start"]), int(one["calls"]), int(one["micros"]))
            for one in (value["day"], value["month"])
        )
        return cls(day, month)


class Budget:
    """Says whether a call may be made, and counts it."""

    def __init__(self, limits: Limits, spent: Spent | None = None) -> None:
        self.limits = limits
        self.spent = spent or Spent()
        self._micros = round(limits.price * _MICRO)
        self._burst = max(2 * limits.per_second, 1.0) if limits.per_second else 0.0
        self._tokens = self._burst
        self._filled: float | None = None

    def __repr__(self) -> str:
        return f"<Budget {self.spent.day.calls} calls today, {self.spent.month.calls} this month, of {self.limits}>"

    def blocked_by(self, now: float) -> BlockedBy | None:
        """What stands against a call now: the budget is spent, or too many were made in this second."""
        limits = self.limits
        spent = self.spent_at(now)
        day, month = spent.day, spent.month
        caps = (
            (day.calls + 1, limits.calls_per_day),
            (month.calls + 1, limits.calls_per_month),
            ((day.micros + self._micros) / _MICRO, limits.cost_per_day),
            ((month.micros + self._micros) / _MICRO, limits.cost_per_month),
        )
        if any(cap is not None and after > cap for after, cap in caps):
            return BlockedBy.BUDGET_SPENT
        if limits.per_second is not None and self._refilled(now) < 1:
            return BlockedBy.RATE_LIMITED
        return None

    def spent_at(self, now: float) -> Spent:
        """What counts now: nothing of a day or a month that is over."""
        return Spent(self.spent.day.at(now, DAY_S), self.spent.month.at(now, MONTH_S))

    def take(self, now: float) -> BlockedBy | None:
        """Count a call where it is allowed; else say what stands against it."""
        blocked_by = self.blocked_by(now)
        if blocked_by is None:
            if self.limits.per_second is not None:
                self._tokens, self._filled = self._refilled(now) - 1, now
            spent = self.spent_at(now)
            self.spent = Spent(spent.day.plus(self._micros), spent.month.plus(self._micros))
        return blocked_by

    def _refilled(self, now: float) -> float:
        if self._filled is None:
            return self._tokens
        return min(
            self._tokens + (now - self._filled) * (self.limits.per_second or 0.0), self._burst
        )
