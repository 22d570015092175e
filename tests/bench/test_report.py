"""Rounds to figures: medians, ratios in pairs, aims."""

from __future__ import annotations

import pytest

from edge.bench.bare import BarePoint
from edge.bench.frames import TELEPHONE, WEBCAM
from edge.bench.load import BROKEN, LoadPoint, percentile
from edge.bench.procfs import Memory
from edge.bench.report import CONNECTIONS, SIZES, Measurements, Pair, Twins, make_point, make_report


def server(cpu_ms=4.0, answered=100, refused=0, broken=0, slowest_ms=9.0):
    statuses = {200: answered, 503: refused, BROKEN: broken}
    counted = {status: number for status, number in statuses.items() if number}
    milliseconds = (5.0, 8.0, slowest_ms) if answered else (None, None, None)
    return LoadPoint(
        2.0, counted, *milliseconds, server_cpu_s=answered * cpu_ms / 1000, client_cpu_s=0.01
    )


def pair(bare_ms, server_ms, size=WEBCAM, connections=8, **of_server):
    return Pair(size, connections, BarePoint(bare_ms, 500.0), server(server_ms, **of_server))


def measurements(
    bare_ms=4.0,
    server_ms=4.4,
    multipart_ms=4.0,
    pss_mib=100.0,
    first_answer_s=0.5,
    tensorflow=False,
):
    return Measurements(
        pairs=[
            pair(bare_ms, server_ms, size, connections)
            for size in SIZES
            for connections in CONNECTIONS
        ],
        twins=[Twins(server(4.0), server(multipart_ms))],
        first_answers_s=[first_answer_s],
        after_start=Memory(pss_mib - 20, 150),
        after_load=Memory(pss_mib, 150),
        tensorflow=tensorflow,
    )


@pytest.mark.parametrize(
    ("ordered", "percent", "expected"),
    [
        ([], 50, None),
        ([7.0], 50, 7.0),
        ([7.0], 99, 7.0),
        ([1, 2, 3, 4], 50, 2),
        (list(range(1, 201)), 99, 198),
    ],
)
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(ordered, percent, expected):
    assert percentile(ordered, percent) == expected


def test_the_ratio_is_made_in_each_pair_before_the_median():
    rounds = [
        pair(4.0, 4.4),
        pair(8.0, 8.8),
        pair(4.0, 8.0),
    ]  # a slow machine in the second, a neighbour in the third
    point = make_point(rounds)
    assert point.ratios == pytest.approx([1.1, 1.1, 2.0])
    assert point.ratio == pytest.approx(1.1)


def test_outcomes_are_added_over_the_rounds_and_told_apart():
    point = make_point(
        [
            pair(4, 5, answered=90, refused=300, broken=2, slowest_ms=50),
            pair(4, 5, answered=110, slowest_ms=70),
        ]
    )
    assert (point.answered, point.refused, point.other) == (200, 300, 2)
    assert point.outcomes == {BROKEN: 2, 200: 200, 503: 300}
    assert point.slowest_ms == 70
    assert point.server_frames_per_s == 50
    assert point.refused_per_s == 75


def test_a_point_where_nothing_was_answered_has_no_ratio():
    point = make_point([pair(4, 5, answered=0, refused=10)])
    assert (point.ratio, point.server_cpu_ms, point.p99_ms) == (None, None, None)


@pytest.mark.parametrize(
    ("measured", "met"),
    [
        (measurements(), [True] * 5),
        (measurements(server_ms=4.8), [False, True, True, True, True]),
        (measurements(multipart_ms=4.5), [True, False, True, True, True]),
        (measurements(first_answer_s=1.01), [True, True, False, True, True]),
        (measurements(pss_mib=131), [True, True, True, False, True]),
        (measurements(tensorflow=True), [True, True, True, True, False]),
    ],
    ids=["all", "cpu", "multipart", "start", "memory", "tensorflow"],
)
def test_each_aim_is_missed_by_its_own_figure_alone(measured, met):
    report = make_report(measured, {}, {}, {})
    assert [aim.met for aim in report.aims] == met


def test_the_report_has_a_point_for_each_size_and_number_of_connections():
    points = make_report(measurements(), {}, {}, {}).points
    assert [(point.size, point.connections) for point in points] == [
        (str(size), connections) for size in SIZES for connections in CONNECTIONS
    ]
    assert points[-1].size == str(TELEPHONE)
