"""Steady seconds, whatever is done to the wall clock."""

from __future__ import annotations

import pytest

from edge.clock import MOST_OFF_S, Reading, advance, read_clocks

YEAR = 365 * 86_400.0


@pytest.mark.parametrize("jump", [0.0, -10 * YEAR, YEAR])
def test_a_jump_of_the_wall_clock_within_a_boot_changes_nothing(jump):
    before = Reading("a", 1_000.0, 50 * YEAR)
    assert advance(500.0, before, Reading("a", 1_060.0, 50 * YEAR + jump + 60)) == 560.0


@pytest.mark.parametrize(("wall_s", "counted"), [(3_600.0, 3_600.0), (-10 * YEAR, 0.0), (YEAR, MOST_OFF_S), (0.0, 0.0)])
def test_over_a_reboot_the_wall_clock_is_believed_for_a_night_at_most(wall_s, counted):
    before = Reading("a", 1_000.0, 50 * YEAR)
    assert advance(500.0, before, Reading("b", 10.0, 50 * YEAR + wall_s)) == 500.0 + counted


def test_no_jump_alone_makes_a_day():
    assert MOST_OFF_S < 86_400


def test_the_machines_clocks_go_forward():
    first = read_clocks()
    assert advance(0.0, first, read_clocks()) >= 0.0
