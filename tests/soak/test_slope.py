"""The slope's error: right where the values hang together, which the usual one is not."""

import numpy as np
import pytest

from soak.slope import MIN_SAMPLES, fit

STEP_S = 4.0
SAMPLES = 240  # of sixteen minutes


def series(drawn, memory, per_hour=0.0):
    """Values of which each resembles the last, on a line that rises."""
    values = np.zeros(SAMPLES)
    for at in range(1, SAMPLES):
        values[at] = memory * values[at - 1] + drawn.normal()
    seconds = np.arange(SAMPLES) * STEP_S
    return seconds, values + 300 + per_hour * seconds / 3600


def test_a_straight_line_has_its_slope_and_no_error():
    seconds = np.arange(20.0)
    slope = fit(seconds, 5 + 2 * seconds)
    assert slope.per_hour == pytest.approx(7200)
    assert slope.error == pytest.approx(0, abs=1e-6)
    assert slope.rises_above(7000)
    assert not slope.rises_above(7300)


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_what_is_flat_is_seldom_taken_for_rising(memory):
    drawn = np.random.default_rng(1)
    rising = sum(fit(*series(drawn, memory)).rises_above(0) for _ in range(400))
    assert rising <= 0.06 * 400


def test_a_leak_is_found():
    drawn = np.random.default_rng(2)
    found = sum(fit(*series(drawn, 0.9, per_hour=100)).rises_above(20) for _ in range(100))
    assert found >= 95


def test_what_falls_does_not_rise():
    drawn = np.random.default_rng(3)
    assert not fit(*series(drawn, 0.5, per_hour=-100)).rises_above(0)


def test_too_few_samples_have_no_slope():
    with pytest.raises(ValueError, match="too few"):
        fit(range(MIN_SAMPLES - 1), range(MIN_SAMPLES - 1))
