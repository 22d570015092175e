"""The acceptance test of a black-holed online model, briefly. Nothing here asserts a speed."""

from __future__ import annotations

import socket
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from bench.black_hole import BlackHoleReport, Row, black_hole, make_rows, measure_black_hole

from edge.settings import Settings
from edge.wiring.bootstrap import build_repository, embedded_models

ROOT = Path(__file__).parents[2]


def test_a_black_hole_neither_takes_nor_refuses_a_connection():
    with black_hole() as address:
        where = urlsplit(address)
        with pytest.raises(TimeoutError):
            socket.create_connection((where.hostname, where.port), timeout=0.3)


def test_each_server_stands_beside_the_first():
    first, second = make_rows(
        [("off", [4.0] * 98 + [10.0, 20.0], 0.5), ("hole", [5.0] * 98 + [11.0, 40.0], 0.6)]
    )
    assert (first.p50, first.p99, first.cpu) == (1.0, 1.0, 1.0)
    assert (second.p50_ms, second.p99_ms, second.slowest_ms, second.cpu_ms) == (
        5.0,
        11.0,
        40.0,
        6.0,
    )
    assert (second.p50, second.p99, second.cpu) == pytest.approx((1.25, 1.1, 1.2))


def test_the_measurement_is_no_part_of_the_command_line():
    command = [sys.executable, "-m", "edge", "bench", "--black-hole"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--black-hole" in done.stderr


@pytest.mark.slow
def test_servers_with_and_without_are_measured_once_the_breaker_is_open():
    settings = Settings(models=embedded_models(), workers=1)
    version = build_repository(settings).find("imagenet")
    asked = []
    report = measure_black_hole(version, settings, 20, lambda: asked.append(1))
    assert isinstance(report, BlackHoleReport)
    assert len(asked) == report.frames == 20
    assert [row.name for row in report.rows] == [
        "off",
        "off, again",
        "black hole",
        "black hole and outbox",
    ]
    for row in report.rows:
        assert 0 < row.p50_ms <= row.p99_ms <= row.slowest_ms
        assert all(getattr(row, field.name) for field in fields(Row))
    (aim,) = report.aims
    assert aim.measured == report.rows[2].p99
