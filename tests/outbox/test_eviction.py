"""The order in which entries make room."""

from __future__ import annotations

from edge.outbox.eviction import Candidate, to_evict


def order(*candidates: Candidate) -> list[int]:
    return to_evict(candidates, excess_bytes=0, excess_entries=len(candidates))


def one(
    sequence: int, confidence: float = 0.5, label: str = "", rank: int = 3, size: int = 10
) -> Candidate:
    return Candidate(sequence, rank, confidence, label or f"label {sequence}", size)


def test_the_surest_goes_first():
    assert order(one(1, 0.3), one(2, 0.9), one(3, 0.6)) == [2, 3, 1]


def test_the_commonest_label_goes_first_and_a_rare_one_stays():
    daisies = [one(n, 0.5, "daisy") for n in (1, 2, 3)]
    assert order(*daisies, one(4, 0.5, "rose"))[:2] == [1, 2]


def test_a_label_that_has_become_rare_is_valued_as_such():
    assert order(one(1, 0.5, "daisy"), one(2, 0.5, "daisy"), one(3, 0.7, "rose")) == [1, 3, 2]


def test_a_resolved_entry_goes_before_a_waiting_one_whatever_its_value():
    assert order(
        one(1, 0.99, rank=3), one(2, 0.0, rank=0), one(3, 0.5, rank=1), one(4, 0.9, rank=2)
    ) == [2, 3, 4, 1]


def test_of_equal_value_the_older_goes_first():
    assert order(one(3), one(1), one(2)) == [1, 2, 3]


def test_no_more_goes_than_makes_room():
    candidates = [one(1, 0.9, size=40), one(2, 0.8, size=40), one(3, 0.1, size=40)]
    assert to_evict(candidates, excess_bytes=50, excess_entries=0) == [1, 2]
    assert to_evict(candidates, excess_bytes=0, excess_entries=1) == [1]
    assert to_evict(candidates, excess_bytes=0, excess_entries=0) == []
