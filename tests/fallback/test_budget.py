"""What may be spent, with a clock moved by hand."""

from __future__ import annotations

import pytest

from edge.fallback.budget import DAY_S, MONTH_S, Budget, Limits, Spent, Window
from edge.fallback.policy import BlockedBy

SPENT, LIMITED = BlockedBy.BUDGET_SPENT, BlockedBy.RATE_LIMITED


def test_calls_of_a_day_are_capped_and_a_new_day_begins_24_hours_after_the_first():
    budget = Budget(Limits(calls_per_day=2))
    assert [budget.take(now) for now in (100, 200, 300, 100 + DAY_S - 1)] == [None, None, SPENT, SPENT]
    assert budget.take(100 + DAY_S) is None


def test_the_month_caps_what_the_days_would_allow():
    budget = Budget(Limits(calls_per_day=2, calls_per_month=3))
    taken = [budget.take(day * DAY_S) for day in (0, 0, 1, 1, 2)]
    assert taken == [None, None, None, SPENT, SPENT]
    assert budget.take(MONTH_S) is None


@pytest.mark.parametrize("limits", [Limits(price=0.4, cost_per_day=1.0), Limits(price=0.4, cost_per_month=1.0)])
def test_money_is_capped_before_it_is_spent(limits):
    budget = Budget(limits)
    assert [budget.take(0) for _ in range(3)] == [None, None, SPENT]


def test_many_cheap_calls_add_up_without_rounding_errors():
    budget = Budget(Limits(price=0.1, cost_per_day=1.0))
    assert [budget.take(0) for _ in range(11)] == [None] * 10 + [SPENT]


def test_a_rate_allows_a_burst_and_then_its_average():
    budget = Budget(Limits(per_second=2))
    assert [budget.take(0) for _ in range(5)] == [None] * 4 + [LIMITED]
    assert [budget.take(0.5), budget.take(0.5)] == [None, LIMITED]


def test_a_call_that_was_refused_is_not_counted():
    budget = Budget(Limits(calls_per_day=1))
    budget.take(0)
    budget.take(0)
    assert budget.spent.day.calls == 1


def test_asking_counts_nothing():
    budget = Budget(Limits(calls_per_day=1, per_second=1))
    assert [budget.blocked_by(0) for _ in range(3)] == [None] * 3


def test_what_was_spent_survives_its_file():
    spent = Spent(Window(5.0, 3, 400_000), Window(1.0, 9, 900_000))
    assert Spent.from_json(spent.as_json()) == spent


def test_no_limit_is_no_limit():
    budget = Budget(Limits())
    assert {budget.take(0) for _ in range(1000)} == {None}
    assert not budget.limits.capped
