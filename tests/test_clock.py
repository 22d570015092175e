"""Steady seconds, whatever is done to the wall clock."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from edge.clock import MOST_OFF_S, Reading, SteadyClock, advance, read_clocks

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


class Clocks:
    """The machine's clocks, set by hand."""

    def __init__(self):
        self.boot, self.since_boot, self.wall = "a", 100.0, 1_000.0

    def __call__(self):
        return Reading(self.boot, self.since_boot, self.wall)

    def go(self, seconds):
        self.since_boot += seconds
        self.wall += seconds

    def reboot(self, off_s):
        self.boot, self.since_boot = self.boot + "b", 0.0
        self.wall += off_s


def test_steady_seconds_go_on_each_time_from_where_they_were_read_last():
    clocks = Clocks()
    steady = SteadyClock(read=clocks)
    assert steady() == 0
    for expected in (60, 120, 180):
        clocks.go(60)
        assert steady() == expected
        assert steady() == expected
    clocks.wall -= 10 * YEAR
    assert steady() == 180
    clocks.reboot(3_600)
    assert steady() == 3_780
    clocks.go(20)
    assert steady() == 3_800


def test_a_clock_goes_on_from_what_an_earlier_process_kept():
    clocks = Clocks()
    steady, reading = SteadyClock(500.0, read=clocks).mark()
    assert (steady, reading) == (500.0, clocks())
    clocks.go(30)
    assert SteadyClock(steady, reading, clocks)() == 530
    clocks.reboot(7)
    assert SteadyClock(steady, reading, clocks)() == 537


def test_a_machine_that_names_no_boot_and_starts_its_clock_anew_is_believed_by_its_wall_clock():
    """So `since_boot` that went back is another boot, whatever it is called."""
    assert advance(10.0, Reading("", 900.0, 50.0), Reading("", 5.0, 80.0)) == 40.0


def test_the_machines_clocks_are_each_what_they_are_called():
    before, reading = time.time(), read_clocks()
    assert before <= reading.wall <= time.time()
    assert 0 <= time.clock_gettime(time.CLOCK_BOOTTIME) - reading.since_boot < 60
    assert reading.boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_another_boot_is_another_one_also_when_it_has_lasted_longer():
    before = Reading("a", 10.0, 50.0)
    assert advance(500.0, before, Reading("b", 9_000.0, 50.0 + 3_600)) == 500.0 + 3_600
