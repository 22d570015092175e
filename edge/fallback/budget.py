"""What the cloud may cost: calls and money per day and month, and calls per second.

Pure: the clock is an argument. A day is 24 hours and a month 30 days of `edge.clock`'s steady
seconds, from the first call on. They follow no calendar, so that setting the wall clock starts no
new one. A call is counted before it is made, even if it fails.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from edge.fallback.policy import BlockedBy
from edge.fallback.shares import NO_CLIENT, Shares
from edge.token_bucket import TokenBucket

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
        calls_per_day: maximum number of calls in 24 hours.
        calls_per_month: maximum number of calls in 30 days.
        cost_per_day: maximum spend in 24 hours.
        cost_per_month: maximum spend in 30 days.
        per_second: maximum calls per second on average; bursts may use two seconds' worth (one call
            at the least).
    """

    price: float = 0.0
    calls_per_day: int | None = None
    calls_per_month: int | None = None
    cost_per_day: float | None = None
    cost_per_month: float | None = None
    per_second: float | None = None

    @property
    def capped(self) -> bool:
        """Whether spending must be remembered over a restart."""
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
        """This window, or a new one if it is over."""
        still_running = self.calls > 0 and now - self.start < length
        return self if still_running else Window(now)

    def with_call(self, micros: int) -> Window:
        """This window with one more call."""
        return replace(self, calls=self.calls + 1, micros=self.micros + micros)


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent in the current day and month; stored in the budget file."""

    day: Window = Window()
    month: Window = Window()

    def as_json(self) -> dict[str, Any]:
        """As the budget file stores it."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Spent:
        """From the file; raises ``KeyError``, ``TypeError`` or ``ValueError`` if malformed."""
        return cls(_window(value["day"]), _window(value["month"]))


def _window(value: Mapping[str, Any]) -> Window:
    start, calls, micros = float(value["start"]), int(value["calls"]), int(value["micros"])
    if not math.isfinite(start) or calls < 0 or micros < 0:
        raise ValueError("a start that is no time, or a negative sum")
    return Window(start, calls, micros)


class Budget:
    """Decides whether a call may be made, and counts calls."""

    def __init__(self, limits: Limits, spent: Spent | None = None) -> None:
        self.limits = limits
        self.spent = spent or Spent()
        self._shares = Shares(limits.calls_per_day)
        self._micros = round(limits.price * _MICRO)
        self._rate: TokenBucket | None = None
        if limits.per_second is not None:
            self._rate = TokenBucket(max(2 * limits.per_second, 1.0), limits.per_second)

    def __repr__(self) -> str:
        day, month = self.spent.day.calls, self.spent.month.calls
        return f"<Budget {day} calls today, {month} this month, of {self.limits}>"

    def blocked_for(self, client: str, now: float) -> BlockedBy | None:
        """What prevents this client's call: as `blocked_by`, or that it has had its share."""
        blocked_by = self.blocked_by(now)
        day = self.spent_at(now).day
        if blocked_by is None and self._shares.spent(client, day.calls, day.start):
            return BlockedBy.SHARE_SPENT
        return blocked_by

    def blocked_by(self, now: float) -> BlockedBy | None:
        """What prevents any call: a spent budget or the rate limit; ``None`` if nothing does."""
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
        if self._rate is not None and self._rate.left(now) < 1:
            return BlockedBy.RATE_LIMITED
        return None

    def spent_at(self, now: float) -> Spent:
        """What counts against the limits now; a day or month that is over does not."""
        return Spent(self.spent.day.at(now, DAY_S), self.spent.month.at(now, MONTH_S))

    def in_words(self, now: float) -> str:
        """The limits in force, what is left of them, and the price, for the owner."""
        limits, spent = self.limits, self.spent_at(now)
        calls_left = _left(limits.calls_per_day, spent.day.calls)
        words = [
            "unlimited calls in 24 hours"
            if limits.calls_per_day is None
            else f"{limits.calls_per_day:,} calls in 24 hours, {calls_left:,} left"
        ]
        if limits.calls_per_month is not None:
            left = _left(limits.calls_per_month, spent.month.calls)
            words.append(f"{limits.calls_per_month:,} calls in 30 days, {left:,} left")
        if limits.cost_per_day is not None:
            left = _left(limits.cost_per_day, spent.day.cost)
            words.append(f"spend of {limits.cost_per_day:g} in 24 hours, {left:g} left")
        if limits.cost_per_month is not None:
            left = _left(limits.cost_per_month, spent.month.cost)
            words.append(f"spend of {limits.cost_per_month:g} in 30 days, {left:g} left")
        if limits.per_second is not None:
            words.append(f"{limits.per_second:g} calls a second")
        price = f"{limits.price:g} a call" if limits.price else "price not set (cloud_price)"
        return f"{'; '.join(words)}; {price}"

    def take(self, now: float, client: str = NO_CLIENT) -> BlockedBy | None:
        """Count a client's call if it is allowed; otherwise return what prevents it."""
        blocked_by = self.blocked_for(client, now)
        if blocked_by is None:
            if self._rate is not None:
                self._rate.take(now)
            spent = self.spent_at(now)
            self.spent = Spent(
                spent.day.with_call(self._micros), spent.month.with_call(self._micros)
            )
            self._shares.count(client, spent.day.start)
        return blocked_by


def _left(limit: float | None, spent: float) -> float:
    return 0 if limit is None else max(limit - spent, 0)
