"""Whose calls the last quarter of a day's budget is for: those of clients that have made few. Pure.

A client is an API key or, without keys, an address. One that asks all the time, by mistake or by
malice, uses up three quarters of the day; then it gets no more, and the others still do:

| calls left today        | made by this client today       | may call |
|-------------------------|---------------------------------|----------|
| more than a quarter     | any number                      | yes      |
| a quarter or fewer      | fewer than a quarter of that    | yes      |
| a quarter or fewer      | as many or more                 | no       |
| a quarter or fewer      | for the outbox, which can wait  | no       |

Of 1,000 calls, 250 are for clients that have made fewer than 62. A budget of fewer than
`MIN_SHARED` calls is not shared: a quarter of it would be a handful. Clients are counted from each
start, over the same 24 hours as the budget.
"""

from __future__ import annotations

from collections import OrderedDict

NO_CLIENT = ""
"""Stands for calls that no client waits for: the outbox's."""
MIN_SHARED = 100
MAX_CLIENTS = 4_096
"""Clients that are counted, those that called last; each takes some hundred bytes."""


class Shares:
    """Counts the calls of each client. Not thread-safe."""

    def __init__(self, calls_per_day: int | None) -> None:
        """No calls yet; ``None`` is a budget without a limit, which nobody can use up."""
        self._limit = calls_per_day
        self._since = 0.0
        self._calls: OrderedDict[str, int] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Shares of {self._limit} calls, {len(self._calls)} clients>"

    def spent(self, client: str, calls_today: int, since: float) -> bool:
        """Whether the client must leave what is left of the day to others.

        Args:
            client: `NO_CLIENT` for the outbox.
            calls_today: made by all.
            since: when the day began; a new one forgets the last one's calls.
        """
        if self._limit is None:
            return False
        own = self._calls.get(client, 0) if since == self._since else 0
        return not may_call(self._limit, calls_today, None if client == NO_CLIENT else own)

    def count(self, client: str, since: float) -> None:
        """The client has made a call in the day that began at ``since``."""
        if since != self._since:
            self._since = since
            self._calls.clear()
        if client == NO_CLIENT:
            return
        self._calls[client] = self._calls.get(client, 0) + 1
        self._calls.move_to_end(client)
        if len(self._calls) > MAX_CLIENTS:
            self._calls.popitem(last=False)


def may_call(calls_per_day: int, calls_today: int, own: int | None) -> bool:
    """The table above.

    Args:
        calls_today: made by all.
        own: made by this client; ``None`` for the outbox.
    """
    reserve = calls_per_day // 4 if calls_per_day >= MIN_SHARED else 0
    if calls_per_day - calls_today > reserve:
        return True
    return own is not None and own < reserve // 4
