"""Which bodies give way when memory is short."""

import pytest

from edge.dataplane.admission import Admission
from edge.dataplane.arriving import MIN_AGE_S, ArrivingBody, to_give_way
from edge.errors import Overloaded

NOW = 1000.0


def body(held: int, age_s: float) -> ArrivingBody:
    one = ArrivingBody(Admission(1, 1 << 30))
    one.hold(held)
    one.began = NOW - age_s
    return one


SMALL_OLD, LARGE_OLD = (100, 10.0), (1000, 9.0)
YOUNG = (10_000, MIN_AGE_S / 2)


@pytest.mark.parametrize(
    ("bodies", "excess", "chosen"),
    [
        ([], 1, []),
        ([SMALL_OLD, LARGE_OLD], 1, [LARGE_OLD]),
        ([SMALL_OLD, LARGE_OLD], 1000, [LARGE_OLD]),
        ([SMALL_OLD, LARGE_OLD], 1001, [LARGE_OLD, SMALL_OLD]),
        ([SMALL_OLD, LARGE_OLD], 1101, []),  # would not help: none is cut off
        ([YOUNG, SMALL_OLD], 101, []),
        ([YOUNG, SMALL_OLD], 100, [SMALL_OLD]),
        ([(0, 60.0)], 1, []),  # silent bodies hold nothing
        ([(100, 2.0), (90, 3.0)], 1, [(90, 3.0)]),  # bytes times seconds
    ],
)
def test_those_give_way_that_cost_most(bodies, excess, chosen):
    made = {what: body(*what) for what in bodies}
    found = to_give_way(made.values(), excess, None, NOW)
    assert found == [made[what] for what in chosen]


def test_no_body_gives_way_to_one_that_costs_more():
    cheap, asker, dear = body(100, 5.0), body(200, 5.0), body(300, 5.0)
    bodies = [cheap, asker, dear]
    assert to_give_way(bodies, 50, asker, NOW) == [dear]
    assert to_give_way(bodies, 50, dear, NOW) == []


def test_who_gives_way_releases_its_bytes_and_hears_of_it(monkeypatch):
    monkeypatch.setattr("edge.dataplane.arriving.MIN_AGE_S", 0.0)
    admission, cut = Admission(1, 1000), []
    one = admission.begin_body(lambda: cut.append("one"))
    one.hold(900)
    one.began -= 1
    with admission.admit() as slot:
        slot.hold(200)
        assert (cut, one.held, admission.held_bytes) == (["one"], 0, 200)
        admission.end_body(one)
        with pytest.raises(Overloaded, match="200 bytes are held already"):
            admission.hold(801)
    assert admission.held_bytes == 0
