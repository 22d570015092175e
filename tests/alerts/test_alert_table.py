"""The table of cameras under way: bounded, and one hostile client displaces its own cameras."""

import pytest
from builders.alerts import rule

from edge.alerts import table as module
from edge.alerts.rule import Signal
from edge.alerts.table import ALERT_BURST, MAX_TRACKED, AlertTable, Camera


def camera(name, client="good"):
    return Camera(client, f"camera {name}", name)


def signals(changes):
    return [change.signal for change in changes]


def test_each_camera_has_a_life_of_its_own():
    one = rule()
    table = AlertTable([one])
    assert signals(table.see(one, camera("a"), 0, holds=True)) == [Signal.ON | Signal.ALERT]
    assert signals(table.see(one, camera("b"), 1, holds=True)) == [Signal.ON | Signal.ALERT]
    assert table.see(one, camera("a"), 2, holds=True) == []
    assert table.names_on(one) == ("a", "b")


def test_another_client_s_camera_of_the_same_name_changes_nothing():
    one = rule(for_s=10)
    table = AlertTable([one])
    table.see(one, camera("gate"), 0, holds=True)
    table.see(one, camera("gate", client="hostile"), 5, holds=False)
    assert signals(table.see(one, camera("gate"), 10, holds=True)) == [Signal.ON | Signal.ALERT]
    assert table.names_on(one) == ("gate",)


def test_cameras_on_which_nothing_holds_are_not_remembered():
    one = rule()
    table = AlertTable([one])
    for number in range(5_000):
        assert table.see(one, camera(f"c{number}"), 0, holds=False) == []
    assert len(table) == 0


def test_a_client_with_thousands_of_cameras_displaces_its_own_only():
    one, two = rule("one", for_s=10), rule("two")
    table = AlertTable([one, two])
    table.see(one, camera("gate"), 0, holds=True)
    table.see(two, camera("gate"), 0, holds=True)
    for number in range(3 * MAX_TRACKED):
        table.see(one, camera(f"c{number}", "hostile"), 1 + number / 1e4, holds=True)
        assert len(table) <= MAX_TRACKED
    assert len(table) == MAX_TRACKED
    assert signals(table.see(one, camera("gate"), 10, holds=True)) == [Signal.ON | Signal.ALERT]
    assert "gate" in table.names_on(two)


def test_a_camera_that_is_displaced_while_on_is_off(monkeypatch):
    monkeypatch.setattr(module, "MAX_TRACKED", 2)
    one = rule()
    table = AlertTable([one])
    for name in ("a", "b"):
        table.see(one, camera(name), 0, holds=True)
    first, second = table.see(one, camera("c"), 1, holds=True)
    assert (first.signal, first.camera.name) == (Signal.OFF, "a")
    assert (second.signal, second.camera.name) == (Signal.ON | Signal.ALERT, "c")
    assert table.names_on(one) == ("b", "c")


def test_the_camera_seen_longest_ago_goes_first(monkeypatch):
    monkeypatch.setattr(module, "MAX_TRACKED", 2)
    one = rule()
    table = AlertTable([one])
    for now, name in enumerate(("a", "b", "a", "c")):
        table.see(one, camera(name), now, holds=True)
    assert table.names_on(one) == ("a", "c")


def test_a_client_that_raises_too_many_is_held_back_and_others_are_not():
    one = rule()
    table = AlertTable([one])
    raised = 0
    for number in range(3 * ALERT_BURST):
        (change,) = table.see(one, camera(f"c{number}", "hostile"), 0, holds=True)
        assert Signal.ON in change.signal
        assert change.is_suppressed is (Signal.ALERT not in change.signal)
        raised += Signal.ALERT in change.signal
    assert raised == ALERT_BURST
    assert signals(table.see(one, camera("gate"), 0, holds=True)) == [Signal.ON | Signal.ALERT]
    (change,) = table.see(one, camera("later", "hostile"), 1, holds=True)
    assert Signal.ALERT in change.signal, "one a second"


def test_time_that_passes_ends_what_fell_silent():
    one, slow = rule("one", silent_s=30, cooldown_s=100), rule("slow", silent_s=1000)
    table = AlertTable([one, slow])
    for each in (one, slow):
        table.see(each, camera("a"), 0, holds=True)
    assert table.pass_time(29) == []
    (change,) = table.pass_time(30)
    assert (change.rule, change.signal) == (one, Signal.OFF)
    assert (table.names_on(one), table.names_on(slow)) == ((), ("a",))
    assert len(table) == 2, "the cooldown is remembered"
    assert table.pass_time(100) == []
    assert len(table) == 1


@pytest.mark.parametrize("clients", [1, 50])
def test_what_is_counted_by_client_is_what_is_tracked(clients):
    one = rule(cooldown_s=0, silent_s=10)
    table = AlertTable([one])
    for number in range(2_000):
        table.see(
            one,
            camera(f"c{number % 300}", f"k{number % clients}"),
            number / 100,
            holds=number % 3 > 0,
        )
        table.pass_time(number / 100)
        assert len(table) == sum(map(len, table._by_client.values()))
        assert len(table) == sum(map(len, table._progress.values()))
    table.pass_time(1_000)
    assert (len(table), table._by_client) == (0, {})
