"""Who may use the last quarter of a day's calls, as a truth table and through the budget."""

from __future__ import annotations

import pytest

from edge.fallback.budget import DAY_S, Budget, Limits
from edge.fallback.policy import BlockedBy
from edge.fallback.shares import MAX_CLIENTS, MIN_SHARED, NO_CLIENT, Shares, may_call

SHARE = BlockedBy.SHARE_SPENT


@pytest.mark.parametrize(
    ("calls_per_day", "calls_today", "own", "allowed"),
    [
        (1_000, 0, 0, True),
        (1_000, 749, 749, True),
        (1_000, 750, 750, False),
        (1_000, 750, 62, False),
        (1_000, 750, 61, True),
        (1_000, 999, 0, True),
        (1_000, 749, None, True),
        (1_000, 750, None, False),
        (MIN_SHARED, 75, 75, False),
        (MIN_SHARED - 1, 98, 98, True),
        (MIN_SHARED - 1, 98, None, True),
        (2, 1, 1, True),
    ],
)
def test_the_table(calls_per_day, calls_today, own, allowed):
    assert may_call(calls_per_day, calls_today, own) is allowed


def test_one_client_cannot_spend_the_calls_of_all():
    budget = Budget(Limits(calls_per_day=1_000))
    greedy = [budget.take(0, "greedy") for _ in range(2_000)]
    assert greedy == [None] * 750 + [SHARE] * 1_250
    assert [budget.take(0, NO_CLIENT) for _ in range(3)] == [SHARE] * 3
    assert [budget.take(0, "camera") for _ in range(63)] == [None] * 62 + [SHARE]
    assert budget.take(0, "another camera") is None
    assert budget.blocked_for("greedy", 0) is SHARE
    assert budget.blocked_by(0) is None


def test_a_new_day_is_shared_anew():
    budget = Budget(Limits(calls_per_day=100))
    for _ in range(80):
        budget.take(0, "greedy")
    assert budget.take(1, "greedy") is SHARE
    assert budget.take(DAY_S, "greedy") is None


def test_a_small_budget_is_for_whoever_comes_first():
    budget = Budget(Limits(calls_per_day=3))
    assert [budget.take(0, "one") for _ in range(4)] == [None] * 3 + [BlockedBy.BUDGET_SPENT]


def test_a_budget_without_a_limit_is_not_shared():
    budget = Budget(Limits())
    assert {budget.take(0, "one") for _ in range(5_000)} == {None}


def test_as_many_clients_as_there_may_be_are_counted_and_the_idlest_goes():
    shares = Shares(1_000)
    for number in range(2 * MAX_CLIENTS):
        shares.count(f"client {number}", 0.0)
    assert len(shares._calls) == MAX_CLIENTS
