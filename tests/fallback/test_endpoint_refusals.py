"""Whose fault a refusal is, as a truth table, and what the link makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders.cloud import ANSWER, ASKED, Cloud, HandClock, linked, wait_half_open
from builders.waiting import wait

from edge.errors import CloudMisconfigured, CloudRefused
from edge.fallback.policy import LinkState
from edge.fallback.refusals import MIN_FRAMES, MIN_REFUSALS, Fault, Refusals, fault_of

REFUSED = CloudRefused("Could not parse the instance")


@pytest.mark.parametrize(
    ("accepted_before", "frames", "in_a_row", "fault"),
    [
        (False, 1, 1, Fault.UNKNOWN),
        (False, 1, 1000, Fault.UNKNOWN),
        (False, MIN_FRAMES - 1, 1000, Fault.UNKNOWN),
        (False, MIN_FRAMES, MIN_FRAMES, Fault.ENDPOINT),
        (True, 1, 1, Fault.FRAME),
        (True, 1, 1000, Fault.FRAME),
        (True, MIN_FRAMES, MIN_REFUSALS - 1, Fault.FRAME),
        (True, MIN_FRAMES - 1, MIN_REFUSALS, Fault.FRAME),
        (True, MIN_FRAMES, MIN_REFUSALS, Fault.ENDPOINT),
    ],
)
def test_the_table(accepted_before, frames, in_a_row, fault):
    assert fault_of(accepted_before=accepted_before, frames=frames, in_a_row=in_a_row) is fault


def test_an_accepted_frame_ends_the_row_of_refusals():
    refusals = Refusals()
    for key in "abc":
        last = refusals.record_refused(key)
    assert last is Fault.ENDPOINT
    refusals.record_accepted()
    for number in range(MIN_REFUSALS - 1):
        assert refusals.record_refused(f"frame {number}") is Fault.FRAME
    assert refusals.record_refused("one more") is Fault.ENDPOINT


def test_one_bad_frame_among_good_ones_is_to_blame_however_often_it_comes():
    refusals = Refusals()
    for _ in range(5 * MIN_REFUSALS):
        refusals.record_accepted()
        assert refusals.record_refused("bad") is Fault.FRAME


def test_it_remembers_few_frames_however_many_are_refused():
    refusals = Refusals()
    for number in range(10_000):
        refusals.record_refused(str(number))
    assert len(refusals._frames) == MIN_FRAMES


def ask(link, number):
    """What a call for the frame of this number comes to."""
    frame = replace(ASKED, image=b"frame %d" % number)
    try:
        return link.submit(frame, 1.0).result(10)
    except CloudRefused as error:
        return "frame" if error.certain else "unknown"
    except CloudMisconfigured as error:
        return error.message


def test_an_endpoint_that_refuses_everything_takes_the_link_down_until_it_accepts_a_frame(caplog):
    cloud, clock = Cloud(), HandClock()
    cloud.usual = REFUSED
    with linked(cloud, clock) as link:
        outcomes = [ask(link, number) for number in range(MIN_FRAMES)]
        assert outcomes[:-1] == ["unknown"] * (MIN_FRAMES - 1)
        assert "misconfigured" in outcomes[-1]
        assert link.state is LinkState.DOWN
        assert "misconfigured" in link.status().as_json()["fault"]
        assert "Could not parse the instance" in link.status().as_json()["fault"]
        assert [line for line in caplog.messages if "misconfigured" in line]

        wait_half_open(link, clock)
        assert "misconfigured" in ask(link, 0)  # the probe, which is refused as well
        assert link.state is LinkState.DOWN

        cloud.usual = ANSWER
        wait_half_open(link, clock)
        assert ask(link, 0) is ANSWER
        wait(lambda: link.state is LinkState.UP)
        assert link.status().as_json()["fault"] is None
        cloud.script = [REFUSED]
        assert ask(link, 1) == "frame"
        assert link.state is LinkState.UP
