"""What shadowing shows."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import numpy as np
import pytest

from edge.fallback.comparison import LATEST, Compared, Comparison, same
from edge.fallback.verdict import CloudSaid, Said
from edge.model.prediction import Classification, Detections, Item, Selection

ROSE, DAISY = Item("rose", 0, 0.75), Item("daisy", 1, 0.5)
SHOW = Selection(10, 0.3, {})


def compared(number=0, *, agreed=True):
    cloud = CloudSaid([DAISY], 250.0, "far", ("vase",))
    return Compared("flowers", f"camera {number}", Said([ROSE], 12.3456), cloud, agreed)


def test_each_outcome_is_counted_as_what_it_is():
    comparison = Comparison()
    for agreed in (True, False, True, True):
        comparison.add(compared(agreed=agreed))
    for _ in range(2):
        comparison.failed()
    status = comparison.status()
    assert {name: status[name] for name in ("compared", "agreed", "failed")} == {
        "compared": 4,
        "agreed": 3,
        "failed": 2,
    }
    assert [one["agreed"] for one in status["latest"]] == [True, True, False, True]


def test_the_latest_are_remembered_the_newest_first_and_no_more_of_them():
    comparison = Comparison()
    for number in range(LATEST + 5):
        comparison.add(compared(number))
    latest = comparison.status()["latest"]
    assert [one["camera"] for one in latest] == [f"camera {n}" for n in range(LATEST + 4, 4, -1)]
    assert comparison.status()["compared"] == LATEST + 5


def test_a_comparison_tells_what_both_sides_said_and_when():
    comparison, before = Comparison(), datetime.now(UTC)
    comparison.add(compared(agreed=False))
    (one,) = comparison.status()["latest"]
    at = datetime.fromisoformat(one.pop("at"))
    assert abs((at - before).total_seconds()) < 60
    assert one == {
        "model": "flowers",
        "camera": "camera 0",
        "agreed": False,
        "edge": {"predictions": [{"label": "rose", "index": 0, "score": 0.75}], "latency_ms": 12.346},
        "cloud": {
            "predictions": [{"label": "daisy", "index": 1, "score": 0.5}],
            "latency_ms": 250.0,
            "model": "far",
            "unknown_labels": ["vase"],
        },
    }


def test_what_many_threads_add_is_all_counted():
    comparison = Comparison()

    def add():
        for _ in range(500):
            comparison.add(compared())
            comparison.failed()

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    status = comparison.status()
    assert (status["compared"], status["agreed"], status["failed"]) == (2000, 2000, 2000)


def classes(**scores):
    return Classification(tuple(scores), np.array(list(scores.values()), np.float32), False)


def boxes(**scores):
    count = len(scores)
    values = np.array(list(scores.values()), np.float32)
    return Detections(np.zeros((count, 4), np.float32), np.arange(count), values, tuple(scores), 9)


@pytest.mark.parametrize(
    ("edge", "cloud", "expected"),
    [
        (classes(a=0.9, b=0.1), classes(a=0.6, b=0.4), True),
        (classes(a=0.9, b=0.1), classes(a=0.4, b=0.6), False),
        (classes(a=0.9, b=0.1), classes(b=0.4, a=0.6), True),
        (classes(a=0.2, b=0.1), classes(a=0.1, b=0.05), True),
        (boxes(a=0.9, b=0.8), boxes(b=0.7, a=0.5), True),
        (boxes(a=0.9, b=0.8), boxes(a=0.9), False),
        (boxes(a=0.9, b=0.2), boxes(a=0.9), True),
        (boxes(), boxes(), True),
        (boxes(), boxes(a=0.4), False),
    ],
)
def test_both_say_the_same_where_they_name_the_same(edge, cloud, expected):
    assert same(edge, cloud, SHOW) is expected
