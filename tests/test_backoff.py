"""How long to wait between attempts."""

from __future__ import annotations

import pytest

from edge.backoff import Backoff


@pytest.mark.parametrize(
    ("times", "seconds"), [(1, 1.0), (2, 2.0), (3, 4.0), (6, 32.0), (7, 60.0), (10_000, 60.0)]
)
def test_each_wait_is_twice_the_one_before_up_to_the_maximum(times: int, seconds: float):
    assert Backoff(1.0, 60.0, jitter=0.0).seconds(times, 0.5) == seconds


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 8.0), (0.5, 6.0), (0.999999, 4.0)])
def test_chance_shortens_a_wait_by_up_to_the_jitter(chance: float, seconds: float):
    assert Backoff(8.0, 60.0, jitter=0.5).seconds(1, chance) == pytest.approx(seconds, abs=1e-4)
