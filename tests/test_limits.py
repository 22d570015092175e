"""The bounds that fit into a container's memory: a truth table, and where they arrive."""

import logging

import pytest
from builders.tflite import classifier

from edge.settings import Settings
from edge.wiring.bootstrap import build_repository
from edge.wiring.limits import Use, fit_to_memory, fitting, needed

MIB = 1 << 20
DEFAULTS = {
    "queue_size": 64,
    "max_body_bytes": 32 * MIB,
    "max_held_bytes": 256 * MIB,
    "max_decoded_bytes": 512 * MIB,
    "wall_bytes": 64 * MIB,
}
EMBEDDED = Use(model_bytes=10_800_000)
SAVED_MODEL = Use(tensorflow=True)

# memory in MiB, CPUs, use, given -> workers, at least so much for decoding in MiB
TABLE = {
    "no limit": (None, 4, EMBEDDED, {}, 4, 512),
    "a large machine has the defaults": (8192, 4, EMBEDDED, {}, 4, 512),
    "256 MB on a Pi: one worker, a 16-megapixel photo in RGB": (256, 4, EMBEDDED, {}, 1, 62),
    "512 MB on a Pi": (512, 4, EMBEDDED, {}, 4, 100),
    "1 GB on a Pi": (1024, 4, EMBEDDED, {}, 4, 350),
    "the owner's workers count": (256, 1, EMBEDDED, {"workers": 4}, 4, 4),
    "a SavedModel takes more": (512, 4, SAVED_MODEL, {}, 4, 70),
    "a SavedModel in too little": (256, 4, SAVED_MODEL, {}, 1, 4),
}


@pytest.mark.parametrize("case", TABLE)
def test_bounds_fit_into_the_memory(case):
    memory, cpus, use, given, workers, decoded = TABLE[case]
    limit = None if memory is None else memory * MIB
    fitted = fitting(limit, cpus, use, DEFAULTS, given)
    assert fitted["workers"] == workers
    assert fitted["max_decoded_bytes"] >= decoded * MIB
    assert all(fitted[name] <= most for name, most in DEFAULTS.items())
    assert fitted["max_body_bytes"] <= fitted["max_held_bytes"]


WITH_ONE_WORKER = [
    (use, memory)
    for use in (Use(), EMBEDDED, Use(100 * MIB), SAVED_MODEL, Use(cloud=True))
    for memory in (256, 384, 512, 768, 1024, 2048, 4096)
    if use.bytes(1) + 12 * MIB <= memory * MIB  # else not even the models fit
]


@pytest.mark.parametrize("cpus", [1, 2, 4, 64])
@pytest.mark.parametrize(("use", "memory"), WITH_ONE_WORKER)
def test_what_may_be_needed_is_never_more_than_the_memory_where_one_worker_fits(use, memory, cpus):
    fitted = fitting(memory * MIB, cpus, use, DEFAULTS, {})
    assert needed(use, fitted) <= memory * MIB


@pytest.mark.parametrize(
    "given",
    [
        {"max_decoded_bytes": 300 * MIB},
        {"max_held_bytes": 3 * MIB, "wall_bytes": 1},
        {"queue_size": 0, "max_body_bytes": 100 * MIB},
        {"workers": 7},
        {**DEFAULTS, "workers": 3},
    ],
)
def test_what_the_owner_has_set_is_taken_as_it_is(given):
    fitted = fitting(256 * MIB, 4, EMBEDDED, DEFAULTS, given)
    assert {name: fitted[name] for name in given} == given
    assert set(fitted) == {"workers", *DEFAULTS}


def test_what_the_owner_has_set_leaves_less_for_the_rest():
    free = fitting(512 * MIB, 2, EMBEDDED, DEFAULTS, {})
    greedy = fitting(512 * MIB, 2, EMBEDDED, DEFAULTS, {"wall_bytes": 64 * MIB})
    assert greedy["max_decoded_bytes"] < free["max_decoded_bytes"]
    assert needed(EMBEDDED, greedy) <= 512 * MIB


@pytest.fixture
def in_a_container(tmp_path):
    """Make a root of /proc and /sys for a container with a limit, and a repository."""
    model = tmp_path / "models/a"
    model.mkdir(parents=True)
    (model / "model.tflite").write_bytes(classifier())
    repository = build_repository(Settings(models=tmp_path / "models"))

    def make(limit):
        files = {
            "proc/meminfo": "MemTotal: 8388608 kB\n",
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": f"{limit}\n",
        }
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path, repository

    return make


def test_the_service_has_the_bounds_of_its_container_and_says_them_in_one_line(
    in_a_container, caplog
):
    root, repository = in_a_container(256 * MIB)
    with caplog.at_level(logging.INFO):
        settings = fit_to_memory(Settings(max_pixels=1234), repository, root)
    assert settings.max_decoded_bytes < 128 * MIB
    assert settings.max_held_bytes < 64 * MIB
    assert settings.max_pixels == 1234
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"limits: {settings.workers} workers, {settings.queue_size} waiting")
    assert line.endswith("the memory limit is 256 MiB")


@pytest.mark.parametrize(
    ("latency", "cpus", "workers"),
    [
        ("low", 2, "3 workers of 2 threads, "),
        ("low", 1, "3 workers, "),
        ("throughput", 2, "3 workers, "),
    ],
)
def test_workers_whose_frames_have_two_threads_are_said_to_have_them(
    in_a_container, caplog, monkeypatch, latency, cpus, workers
):
    monkeypatch.setattr("edge.wiring.limits.usable_cpus", lambda _root: cpus)
    root, repository = in_a_container("max")
    with caplog.at_level(logging.INFO):
        fit_to_memory(Settings(workers=3, latency=latency), repository, root)
    assert f"limits: {workers}" in caplog.text


def test_without_a_limit_the_settings_stay_as_they_are(in_a_container, caplog):
    root, repository = in_a_container("max")
    with caplog.at_level(logging.INFO):
        settings = fit_to_memory(Settings(workers=3), repository, root)
    assert settings == Settings(workers=3)
    assert "no memory limit, 6144 MiB of the machine's" in caplog.text


def test_more_than_fits_is_said_but_not_changed(in_a_container, caplog):
    root, repository = in_a_container(256 * MIB)
    settings = fit_to_memory(Settings(max_decoded_bytes=1 << 30), repository, root)
    assert settings.max_decoded_bytes == 1 << 30
    (record,) = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert "can use 256" in record.getMessage()
