"""What is set arrives where it is used."""

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from builders.tflite import classifier
from serving.process import MODELS, ROOT, clean_environment

from edge.dataplane.escalation import EscalatingAnswerer
from edge.errors import ExportError, SettingsError
from edge.runtime.cpus import usable_cpus
from edge.settings import Settings
from edge.wiring.bootstrap import build_repository, build_service, build_serving_service

ENDPOINT = "projects/p/locations/l/endpoints/1"


@pytest.fixture
def repository(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "model.tflite").write_bytes(classifier())
        (tmp_path / "models" / name / "dict.txt").write_text(
            "\n".join(f"label {i}" for i in range(12))
        )
    return tmp_path / "models"


@pytest.fixture
def built(repository):
    services = []

    def build(**settings):
        services.append(build_service(Settings(**({"models": repository} | settings))))
        return services[-1]

    yield build
    for service in services:
        service.pool.close()


def test_the_bounds_of_the_service_are_those_that_are_set(built):
    service = built(
        workers=3, queue_size=5, max_held_bytes=70 << 20, max_pixels=1234, exact_decode=True
    )
    assert (service.pool.workers, service.pool.queue_size, service.admission.max_in_flight) == (
        3,
        5,
        8,
    )
    assert service.admission.max_held_bytes == 70 << 20
    assert (service.options.max_pixels, service.options.exact) == (1234, True)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
@pytest.mark.parametrize(("latency", "more_threads"), [("throughput", 0), ("low", 1)])
def test_a_model_whose_answers_hurry_runs_each_frame_on_a_second_thread(
    built, monkeypatch, latency, more_threads
):
    monkeypatch.setattr("edge.wiring.bootstrap.usable_cpus", lambda: 2)
    service = built(models=MODELS / "imagenet", workers=3, latency=latency)
    (model,) = service.repository.versions
    before = _threads()
    model.load(service.pool.workers, service.options)
    assert len(_threads() - before) == more_threads


def _threads():
    return set(Path("/proc/self/task").iterdir())


def test_the_service_serves_the_repository_that_it_is_given(repository):
    settings = Settings(models=repository, workers=1)
    given = build_repository(settings)
    service = build_service(settings, given)
    service.pool.close()
    assert service.repository is given


def test_what_is_not_set_has_its_default(built):
    service = built()
    assert (service.pool.workers, service.pool.queue_size) == (usable_cpus(), 64)
    assert service.admission.max_held_bytes == 256 << 20
    assert (service.options.max_pixels, service.options.exact) == (50_000_000, False)


def test_one_body_as_large_as_allowed_always_fits(built):
    service = built(max_held_bytes=1000, max_body_bytes=5000)
    assert service.admission.max_held_bytes == 5000
    service.admission.hold(5000)
    service.admission.release(5000)
    assert service.admission.held_bytes == 0


def test_the_default_model_is_the_one_that_is_set(repository):
    assert build_repository(Settings(models=repository)).default == "a"
    assert build_repository(Settings(models=repository, default_model="b")).default == "b"


def test_what_is_set_goes_before_what_is_mounted_and_that_before_what_is_embedded(
    repository, tmp_path
):
    mounts = f"{tmp_path / 'nothing'}::{repository / 'a'}:{repository / 'b'}"
    assert build_repository(Settings(model_mounts=mounts)).path == repository / "a"
    assert (
        build_repository(Settings(models=repository / "b", model_mounts=mounts)).path
        == repository / "b"
    )
    assert build_repository(Settings(model_mounts=str(tmp_path / "nothing"))).path == MODELS


def test_every_model_starts_with_one_interpreter_and_may_have_one_for_each_worker(built):
    service = built(workers=3)
    service.load_models()
    for version in service.repository.versions:
        pool = version._pipeline._interpreters
        assert repr(pool) == "<InterpreterPool 1/1 free, at most 3>"
    assert service.repository.ready


def test_the_service_takes_the_repository_it_is_given(repository):
    ours = build_repository(Settings(models=repository / "b"))
    service = build_serving_service(Settings(models=repository), ours)
    assert service.repository is ours
    service.pool.close()


@pytest.mark.parametrize("mode", ["on_error", "shadow", "low_confidence,overload"])
def test_a_mode_with_nothing_behind_it_stops_the_start(repository, mode):
    ours = build_repository(Settings(models=repository))
    with pytest.raises(SettingsError, match="cloud_endpoint or outbox_dir"):
        build_serving_service(Settings(cloud_mode=mode), ours)


def test_a_mode_needs_an_endpoint_or_an_outbox_alone(repository, tmp_path):
    ours = build_repository(Settings(models=repository))
    for behind in ({"cloud_endpoint": ENDPOINT}, {"outbox_dir": tmp_path / "outbox"}):
        service = build_serving_service(Settings(workers=1, cloud_mode="on_error", **behind), ours)
        assert (service.cloud.link is None, service.cloud.outbox is None) == (
            "cloud_endpoint" not in behind,
            "outbox_dir" not in behind,
        )
        service.pool.close()


def test_an_outbox_alone_is_wired(repository, tmp_path):
    ours = build_repository(Settings(models=repository))
    service = build_serving_service(Settings(workers=1, outbox_dir=tmp_path / "outbox"), ours)
    assert isinstance(service._answerer, EscalatingAnswerer)
    assert service.cloud.outbox is not None
    assert service.cloud.link is None
    service.pool.close()


LARGE_BLOCK = """
import json, re
from pathlib import Path
from edge.wiring.bootstrap import build_service
from edge.settings import Settings

def resident():
    return int(re.findall(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[0]) / 1024

service = build_service(Settings(workers=1))
before, pins = resident(), []
for _ in range(4):
    image = bytearray(b"x") * 20_000_000
    pins.append(bytearray(b"x") * 5000)  # lies above it, if it is on the heap
    del image
print(json.dumps(resident() - before))
service.pool.close()
"""


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc is told to give memory back"
)
def test_a_large_images_memory_goes_back_as_soon_as_it_is_freed():
    """glibc itself keeps it from the second one on."""
    run = subprocess.run(
        [sys.executable, "-c", LARGE_BLOCK],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        check=True,
    )
    assert json.loads(run.stdout) < 10


def test_a_mount_whose_folder_cannot_be_read_is_a_refused_model(tmp_path, monkeypatch):
    """As when the service's user may not list it, which root in a test always may."""

    def refuse(path, default, **_):
        raise ExportError(path, "it cannot be read here", "Let the service's user read it")

    monkeypatch.setattr("edge.wiring.bootstrap.open_repository", refuse)
    repository = build_repository(Settings(model_mounts=str(tmp_path)))
    assert not repository.ready
    (status,) = repository.statuses()
    assert "cannot be read" in status.fault


def test_an_outbox_that_belongs_to_another_user_stops_the_start(repository, tmp_path, monkeypatch):
    """As on a volume that a container with another --user has filled."""
    box = tmp_path / "outbox"
    box.mkdir()
    monkeypatch.setattr("os.getuid", lambda: box.stat().st_uid + 1)
    monkeypatch.setattr("os.access", lambda *_: False)
    ours = build_repository(Settings(models=repository))
    with pytest.raises(SettingsError, match=rf"may not write .*outbox.*--user {box.stat().st_uid}"):
        build_serving_service(Settings(workers=1, outbox_dir=box), ours)
    with pytest.raises(SettingsError, match="may not write"):
        build_serving_service(Settings(workers=1, outbox_dir=box / "deep/er"), ours)
