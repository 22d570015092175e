"""Rounds to figures: medians, ratios in pairs, aims."""

from __future__ import annotations

import pytest

from edge.bench.bare import BarePoint
from edge.bench.entrances import Entrance
from edge.bench.frames import FULL_HD, TELEPHONE, WEBCAM
from edge.bench.load import BROKEN, LoadPoint, percentile
from edge.bench.points import AIM_CONNECTIONS, CONNECTIONS, Pair, make_entrance, make_point
from edge.bench.procfs import Memory
from edge.bench.report import SIZES, Measurements, make_report


def server(cpu_ms=4.0, answered=100, refused=0, broken=0, slowest_ms=9.0):
    statuses = {200: answered, 503: refused, BROKEN: broken}
    counted = {status: number for status, number in statuses.items() if number}
    milliseconds = (5.0, 8.0, slowest_ms) if answered else (None, None, None)
    return LoadPoint(
        2.0, counted, *milliseconds, server_cpu_s=answered * cpu_ms / 1000, client_cpu_s=0.01
    )


def pair(bare_ms, server_ms, size=WEBCAM, connections=8, yardstick_ms=8.0, **of_server):
    others = [one for one in Entrance if one is not Entrance.RAW]
    return Pair(
        size,
        connections,
        BarePoint(yardstick_ms, 400.0),
        BarePoint(bare_ms, 500.0),
        server(server_ms, **of_server),
        {one: server(server_ms) for one in others} if connections == AIM_CONNECTIONS else {},
    )


def measurements(
    bare_ms=4.0,
    server_ms=4.4,
    multipart_ms=4.0,
    stream_full_hd_ms=4.4,
    pss_mib=100.0,
    first_answer_s=0.5,
    tensorflow=False,
):
    pairs = []
    for size in SIZES:
        for connections in CONNECTIONS:
            one = pair(bare_ms, server_ms, size, connections)
            if one.entrances and size == TELEPHONE:
                one.entrances[Entrance.MULTIPART] = server(multipart_ms)
            if one.entrances and size == FULL_HD:
                one.entrances[Entrance.STREAM] = server(stream_full_hd_ms)
            pairs.append(one)
    return Measurements(
        pairs=pairs,
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


def test_the_yardstick_has_a_ratio_of_its_own():
    point = make_point([pair(4.0, 6.0, yardstick_ms=8.0), pair(4.0, 6.0, yardstick_ms=12.0)])
    assert (point.yardstick_cpu_ms, point.bare_cpu_ms) == (10.0, 4.0)
    assert point.yardstick_ratios == pytest.approx([0.75, 0.5])
    assert point.yardstick_ratio == pytest.approx(0.625)
    assert point.ratio == pytest.approx(1.5)


def test_an_entrance_is_compared_with_yardstick_bare_work_and_raw_of_its_own_round():
    rounds = [pair(4.0, 5.0, yardstick_ms=8.0), pair(8.0, 10.0, yardstick_ms=16.0)]
    rounds[0].entrances[Entrance.STREAM] = server(6.0, refused=3)
    rounds[1].entrances[Entrance.STREAM] = server(12.0, broken=2)
    point = make_entrance(Entrance.STREAM, rounds)
    assert (point.entrance, point.size, point.connections) == ("stream", "640x480", 8)
    assert point.server_cpu_ms == pytest.approx(9.0)
    assert point.ratio == pytest.approx(1.5)
    assert point.yardstick_ratio == pytest.approx(0.75)
    assert point.raw_ratio == pytest.approx(1.2)
    assert (point.answered, point.refused, point.other) == (200, 3, 2)


def test_the_raw_entrance_is_the_point_of_eight_connections():
    raw = make_entrance(Entrance.RAW, [pair(4.0, 5.0)])
    assert (raw.ratio, raw.raw_ratio) == pytest.approx((1.25, 1.0))


def missed(measured):
    report = make_report(measured, {}, {}, {})
    return [aim.name for aim in report.aims if not aim.met]


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (measurements(), []),
        (measurements(server_ms=4.8, multipart_ms=5.0), ["server CPU / bare work, 640x480, c = 8"]),
        (measurements(multipart_ms=5.0), ["server CPU, multipart / raw, 4032x3024"]),
        (measurements(first_answer_s=1.01), ["start to first answer, s"]),
        (measurements(pss_mib=131), ["memory (PSS), MiB"]),
        (measurements(tensorflow=True), ["libraries of TensorFlow mapped"]),
        (
            measurements(stream_full_hd_ms=8.1),
            ["server CPU / yardstick, stream, 1920x1080, c = 8"],
        ),
    ],
    ids=["all", "cpu", "multipart", "start", "memory", "tensorflow", "yardstick"],
)
def test_each_aim_is_missed_by_its_own_figure_alone(measured, expected):
    assert missed(measured) == expected


def test_the_report_has_every_entrance_at_every_size_and_the_rate_of_the_webcam():
    report = make_report(measurements(), {}, {}, {})
    measured = [(point.size, point.entrance) for point in report.entrances]
    assert measured == [(str(size), str(entrance)) for size in SIZES for entrance in Entrance]
    assert (report.capacity.size, report.capacity.frames_per_s) == (str(WEBCAM), 50)


def test_the_report_has_a_point_for_each_size_and_number_of_connections():
    points = make_report(measurements(), {}, {}, {}).points
    assert [(point.size, point.connections) for point in points] == [
        (str(size), connections) for size in SIZES for connections in CONNECTIONS
    ]
    assert points[-1].size == str(TELEPHONE)
