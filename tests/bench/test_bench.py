"""`edge bench` from end to end. Nothing here asserts a speed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from edge.bench.capacity import Capacity
from edge.bench.entrances import Entrance
from edge.bench.points import CONNECTIONS, EntrancePoint, Point
from edge.bench.report import SIZES, Aim, Report

ROOT = Path(__file__).parents[2]


def run(*arguments):
    command = [sys.executable, "-m", "edge", "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def report():
    done = run("--quick", "--seconds", "0.2", "--json", "--model", "imagenet")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def keys(kind):
    return {field.name for field in fields(kind)}


@pytest.mark.slow
def test_the_json_has_the_documented_keys(report):
    assert set(report) == keys(Report)
    assert {tuple(sorted(point)) for point in report["points"]} == {tuple(sorted(keys(Point)))}
    entrance_keys = {tuple(sorted(point)) for point in report["entrances"]}
    assert entrance_keys == {tuple(sorted(keys(EntrancePoint)))}
    assert set(report["capacity"]) == keys(Capacity)
    assert {tuple(sorted(aim)) for aim in report["aims"]} == {tuple(sorted(keys(Aim)))}
    assert report["method"]["model"] == "imagenet"


@pytest.mark.slow
def test_every_point_is_measured(report):
    measured = [(point["size"], point["connections"]) for point in report["points"]]
    assert measured == [(str(size), connections) for size in SIZES for connections in CONNECTIONS]
    for point in report["points"]:
        assert point["answered"] >= 1
        assert point["other"] == 0, point
        assert point["server_cpu_ms"] > 0
        assert point["bare_cpu_ms"] > 0
        assert point["yardstick_cpu_ms"] > 0
        assert 0 < point["p50_ms"] <= point["p99_ms"] <= point["slowest_ms"]


@pytest.mark.slow
def test_every_entrance_answers_frames_of_every_size(report):
    measured = [(point["size"], point["entrance"]) for point in report["entrances"]]
    assert measured == [(str(size), str(entrance)) for size in SIZES for entrance in Entrance]
    for point in report["entrances"]:
        assert point["answered"] >= 1
        assert (point["refused"], point["other"]) == (0, 0), point
        assert point["yardstick_ratio"] > 0


@pytest.mark.slow
def test_the_sentence_is_about_the_measured_rate(report):
    assert report["capacity"]["frames_per_s"] > 0
    assert "640x480 here: " in report["capacity"]["sentence"]


@pytest.mark.slow
def test_nothing_is_refused_unless_there_are_more_connections_than_places(report):
    for point in report["points"]:
        assert bool(point["refused"]) == (point["connections"] == 200), point


@pytest.mark.slow
def test_the_server_has_started_and_loaded_no_tensorflow(report):
    assert len(report["first_answer_s"]) == 2
    assert report["tensorflow"] is False
    for memory in report["memory"].values():
        assert 10 < memory["pss_mib"] <= memory["rss_mib"]


def test_an_unknown_model_is_one_clear_line():
    done = run("--quick", "--model", "nothing-of-this-name")
    assert done.returncode == 2
    assert "nothing-of-this-name" in done.stderr
    assert "Traceback" not in done.stderr
