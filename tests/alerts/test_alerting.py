"""From answers to alerts: which answers count, what the sinks hear, and what is told of it."""

import asyncio
import logging

import pytest
from builders.alerts import answer, classification, detections, request, rule
from builders.waiting import until

from edge.dataplane.alerting import MAX_RECENT, Alerting
from edge.errors import Overloaded
from edge.repository.version import ModelRef
from edge.sinks.health import SinkHealth


class Sink:
    def __init__(self):
        self.alerts, self.states, self.calls = [], [], []

    def start(self):
        self.calls.append("start")

    async def stop(self):
        self.calls.append("stop")

    def deliver(self, alert):
        self.alerts.append(alert)

    def show(self, state):
        self.states.append((state.rule.name, state.cameras))

    def status(self):
        return SinkHealth("webhook", "the webhook").status(0)


class House:
    """An `Alerting` whose clock the test sets."""

    def __init__(self, *rules, rules_of=None):
        self.now = 1000.0
        self.sink = Sink()
        self.alerting = Alerting(
            rules,
            {"objects": rules} if rules_of is None else rules_of,
            [self.sink],
            clock=lambda: self.now,
            steady=lambda: self.now,
        )

    def sees(self, *scores, at=None, label="Person", model=None, **who):
        self.now = self.now if at is None else 1000.0 + at
        found = answer(detections(*scores, label=label), *([model] if model else []))
        self.alerting.observe(b"", request(**who), found)

    @property
    def raised(self):
        return [(one.rule.name, one.camera, one.count) for one in self.sink.alerts]


def test_an_alert_says_what_was_seen_where_and_by_whom():
    house = House(rule("two", count=2, for_s=5))
    house.sees(0.9, 0.6, at=0)
    house.sees(0.95, 0.6, 0.55, at=5)
    (alert,) = house.sink.alerts
    assert (alert.rule.name, alert.camera, alert.client) == ("two", "gate", "10.0.0.1")
    assert (alert.count, round(alert.score, 6), alert.held_s) == (3, 0.95, 5)
    assert (alert.model, alert.version, alert.source, alert.at) == ("objects", 1, "edge", 1005)
    assert len(alert.identity) == len("alert_") + 24
    assert house.sink.states == [("two", ("gate",))]


def test_a_rule_hears_of_its_cameras_only():
    house = House(rule("gate only", cameras=frozenset({"gate"})), rule("all"))
    house.sees(0.9, camera="yard")
    house.sees(0.9, camera="")
    assert house.raised == [("all", "yard", 1), ("all", "", 1)]


def test_unnamed_streams_of_one_client_are_told_apart():
    house = House(rule(for_s=5))
    house.sees(0.9, at=0, camera="", sender="stream 1")
    house.sees(at=1, camera="", sender="stream 2")
    house.sees(0.9, at=5, camera="", sender="stream 1")
    assert len(house.raised) == 1


def test_an_answer_of_a_model_without_the_label_ends_nothing():
    one = rule(for_s=5)
    house = House(one, rules_of={"objects": [one], "flowers": []})
    house.sees(0.9, at=0)
    house.alerting.observe(
        b"", request(), answer(classification(rose=1.0), ModelRef("flowers", 1, ""))
    )
    house.sees(0.9, at=5)
    assert len(house.raised) == 1


def test_an_error_is_no_answer():
    house = House(rule(for_s=5))
    house.sees(0.9, at=0)
    house.alerting.observe(b"", request(), Overloaded("no slot"))
    house.sees(0.9, at=5)
    assert len(house.raised) == 1


def test_what_the_request_selects_neither_raises_nor_hides_an_alert():
    """The answer's items are empty, as with a threshold of 1: the prediction counts."""
    house = House(rule(score=0.6))
    house.sees(0.59)
    assert house.raised == []
    house.sees(0.6)
    assert house.raised == [("person", "gate", 1)]


def test_a_silent_camera_ends_it_by_itself():
    house = House(rule(silent_s=30))
    house.sees(0.9, at=0)
    house.now = 1029
    house.alerting.pass_time()
    assert house.sink.states == [("person", ("gate",))]
    house.now = 1030
    house.alerting.pass_time()
    assert house.sink.states == [("person", ("gate",)), ("person", ())]


def test_a_rule_that_changes_with_each_frame_is_shown_now_and_then_and_its_last_state_always():
    house = House(rule())
    for number in range(100):
        house.sees(0.9, at=number / 1000, camera=f"c{number}")
    assert house.sink.states == [("person", ("c0",))]
    house.now += 1
    house.alerting.pass_time()
    (_, cameras) = house.sink.states[-1]
    assert (len(house.sink.states), len(cameras)) == (2, 100)


def test_time_passes_while_the_service_runs():
    async def run():
        one = rule(silent_s=1, cooldown_s=0)
        alerting = Alerting([one], {"objects": [one]}, [sink := Sink()])
        alerting.start()
        alerting.observe(b"", request(), answer(detections(0.9)))
        await until(lambda: sink.states == [("person", ("gate",)), ("person", ())])
        await alerting.stop()
        return sink.calls

    assert asyncio.run(run()) == ["start", "stop"]


def test_the_version_changes_with_what_a_wall_shows():
    house = House(rule())
    versions = [house.alerting.version]
    house.sees()
    assert house.alerting.version == versions[0]
    house.sees(0.9, at=1)
    assert house.alerting.version > versions[0]
    told = house.alerting.wall_json()
    assert [one["rule"] for one in told["on"]] == ["person"]
    assert told["recent"][0]["sound"] is True
    house.now += 4
    assert house.alerting.wall_json()["recent"][0]["age_s"] == 4


def test_it_tells_rules_alerts_and_sinks_within_bounds():
    house = House(rule(cooldown_s=0, silent_s=1))
    for second in range(2 * MAX_RECENT):
        house.sees(0.9, at=2 * second)
    told = house.alerting.as_json()
    assert told["rules"][0]["raised"] == 2 * MAX_RECENT
    assert len(told["recent"]) == MAX_RECENT
    assert told["recent"][0]["at"] > told["recent"][1]["at"]
    assert told["sinks"]["webhook"]["state"] == "idle"


def test_a_client_with_thousands_of_cameras_changes_nothing_for_another(caplog):
    house = House(rule(for_s=5))
    house.sees(0.9, at=0)
    for number in range(5_000):
        house.sees(0.9, at=1, camera=f"c{number}", client="hostile")
        house.sees(0.9, at=1 + number / 1e3, camera=f"c{number}", client="hostile")
    house.sees(0.9, at=6.5)
    assert ("person", "gate", 1) in house.raised


def test_alerts_of_a_client_that_raises_too_many_are_suppressed_and_that_is_told(caplog):
    caplog.set_level(logging.WARNING)
    house = House(rule())
    for number in range(500):
        house.sees(0.9, camera=f"c{number}", client="hostile")
    house.sees(0.9, camera="gate")
    assert len(house.raised) == 101
    assert house.alerting.suppressed == 400
    assert house.alerting.as_json()["suppressed"] == 400
    words = [line for line in caplog.messages if "suppressed" in line]
    assert len(words) == 1
    assert 'client "hostile"' in words[0]


@pytest.mark.parametrize("name", ["gate", "\x1b]52;c;x\x07"])
def test_an_alert_is_a_line_in_the_log(name, caplog):
    house = House(rule("at the gate"))
    house.sees(0.9, 0.8, camera=name)
    (line,) = caplog.messages
    assert line == f'alert "at the gate": camera "{name}" shows 2 x Person, best score 0.90'
