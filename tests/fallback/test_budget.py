"""What may be spent, with a clock moved by hand."""

from __future__ import annotations

import pytest

from edge.fallback.budget import DAY_S, MONTH_S, Budget, Limits, Spent, Window
from edge.fallback.policy import BlockedBy

SPENT, LIMITED = BlockedBy.BUDGET_SPENT, BlockedBy.RATE_LIMITED


def test_calls_of_a_day_are_capped_and_a_new_day_begins_24_hours_after_the_first():
    budget = Budget(Limits(calls_per_day=2))
    assert [budget.take(now) for now in (100, 200, 300, 100 + DAY_S - 1)] == [
        None,
        None,
        SPENT,
        SPENT,
    ]
    assert budget.take(100 + DAY_S) is None


def test_the_month_caps_what_the_days_would_allow():
    budget = Budget(Limits(calls_per_day=2, calls_per_month=3))
    taken = [budget.take(day * DAY_S) for day in (0, 0, 1, 1, 2)]
    assert taken == [None, None, None, SPENT, SPENT]
    assert budget.take(MONTH_S) is None


@pytest.mark.parametrize(
    "limits", [Limits(price=0.4, cost_per_day=1.0), Limits(price=0.4, cost_per_month=1.0)]
)
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


def test_a_burst_is_two_seconds_worth_and_never_more_however_long_nobody_asked():
    budget = Budget(Limits(per_second=3))
    for now in (0, 10_000):
        assert [budget.take(now) for _ in range(7)] == [None] * 6 + [LIMITED]


def test_a_slow_rate_allows_one_call_at_least_and_the_next_when_its_time_has_come():
    budget = Budget(Limits(per_second=0.1))
    times = (0, 5, 9.9, 10, 15, 19.9, 20)
    assert [budget.take(now) for now in times] == [
        None,
        LIMITED,
        LIMITED,
        None,
        LIMITED,
        LIMITED,
        None,
    ]


def test_a_rate_holds_on_average_whenever_it_is_asked():
    budget = Budget(Limits(per_second=2))
    taken = sum(budget.take(tick / 16) is None for tick in range(16 * 100))
    assert 200 <= taken <= 204


def test_a_spent_budget_costs_no_place_in_the_rate():
    budget = Budget(Limits(calls_per_day=1, per_second=0.5))
    assert [budget.take(0), budget.take(1), budget.take(2), budget.take(DAY_S)] == [
        None,
        SPENT,
        SPENT,
        None,
    ]


@pytest.mark.parametrize(
    ("limits", "length"),
    [
        (Limits(1.0, calls_per_day=1), DAY_S),
        (Limits(1.0, cost_per_day=1.0), DAY_S),
        (Limits(1.0, calls_per_month=1), MONTH_S),
        (Limits(1.0, cost_per_month=1.0), MONTH_S),
    ],
    ids=["calls a day", "cost of a day", "calls a month", "cost of a month"],
)
def test_each_cap_is_renewed_when_its_own_time_is_over_again_and_again(limits, length):
    budget, now = Budget(limits), 50.0
    for _ in range(3):
        assert budget.take(now) is None
        assert budget.blocked_by(now) is SPENT
        assert budget.blocked_by(now + length - 0.1) is SPENT
        now += length
        assert budget.spent_at(now) == Spent(
            Window(now), budget.spent.month if length == DAY_S else Window(now)
        )


def test_days_and_months_are_counted_independently():
    budget = Budget(Limits(price=0.25))
    for now in (10.0, 20.0, 10.0 + DAY_S):
        budget.take(now)
    assert budget.spent == Spent(Window(10.0 + DAY_S, 1, 250_000), Window(10.0, 3, 750_000))


def test_a_day_begins_with_its_first_call_and_not_when_somebody_looks():
    budget = Budget(Limits(calls_per_day=1))
    assert budget.blocked_by(0) is None
    assert budget.take(500) is None
    assert budget.blocked_by(DAY_S + 499) is SPENT
    assert budget.blocked_by(DAY_S + 500) is None


def test_a_restart_goes_on_with_what_was_spent():
    first = Budget(Limits(calls_per_day=2))
    first.take(0)
    again = Budget(first.limits, Spent.from_json(first.spent.as_json()))
    assert [again.take(1), again.take(2)] == [None, SPENT]


@pytest.mark.parametrize(
    "name", ["calls_per_day", "calls_per_month", "cost_per_day", "cost_per_month"]
)
def test_each_cap_must_be_remembered_also_one_of_nothing(name):
    assert Limits(**{name: 0}).capped
    assert Budget(Limits(price=0.01, **{name: 0})).take(0) is SPENT


def test_a_rate_or_a_price_alone_need_not_be_remembered():
    assert not Limits(price=1.0, per_second=1.0).capped


def test_the_budget_in_words_names_every_limit_what_is_left_of_it_and_the_price():
    budget = Budget(
        Limits(
            price=0.25,
            calls_per_day=2_000,
            calls_per_month=30_000,
            cost_per_day=10,
            cost_per_month=99,
            per_second=2,
        )
    )
    budget.take(0)
    assert budget.in_words(0) == (
        "2,000 calls in 24 hours, 1,999 left; 30,000 calls in 30 days, 29,999 left; "
        "spend of 10 in 24 hours, 9.75 left; spend of 99 in 30 days, 98.75 left; "
        "2 calls a second; 0.25 a call"
    )
    assert "2,000 calls in 24 hours, 2,000 left" in budget.in_words(DAY_S)


@pytest.mark.parametrize("wrong", [{"start": float("nan")}, {"calls": -5}, {"micros": -5}])
def test_a_file_that_would_renew_the_budget_for_ever_cannot_be_read(wrong):
    spent = Spent(Window(5.0, 3, 400_000), Window(1.0, 9, 900_000)).as_json()
    with pytest.raises(ValueError, match="no time, or a negative"):
        Spent.from_json(spent | {"day": spent["day"] | wrong})
