"""What `/metrics` says after requests of every kind, and what the log and the reply say of each
request.
"""

import asyncio
import http.client
import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge.metrics import STAGES, Metrics
from edge.model.tasks.classification import CLASSIFICATION
from edge.model.tasks.detection import DETECTION
from edge.repository.repository import open_repository
from edge.settings import Settings
from edge.wiring.bootstrap import build_repository, build_service

ROOT = Path(__file__).resolve().parents[2]
COFFEE = (ROOT / "models/photos/coffee.jpg").read_bytes()


class Service:
    """`edge serve` in a process of its own."""

    def __init__(self, log):
        self.log = log
        command = [sys.executable, "-m", "edge", "serve", "--port", "0", "--log-format", "json"]
        with log.open("w") as stream:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=stream
            )
        self._port = int(self._wait_for(r"on http://127\.0\.0\.1:(\d+)"))
        self._wait_for("(model objects version 1 is ready)")

    def _wait_for(self, words):
        end = time.monotonic() + 60
        while not (found := re.search(words, self.log.read_text())):
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.02)
        return found[1]

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        connection.request(method, path, body, headers or {})
        reply = connection.getresponse()
        reply.text = reply.read().decode()
        connection.close()
        return reply

    def samples(self, path="/metrics"):
        return {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(self.ask("GET", path).text)
            for sample in family.samples
        }

    def lines(self):
        return [
            json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")
        ]

    def line_of(self, identity):
        end = time.monotonic() + 10
        while not (found := [line for line in self.lines() if line.get("request_id") == identity]):
            assert time.monotonic() < end, identity
            time.sleep(0.01)
        return found

    def stop(self):
        self._process.terminate()
        assert self._process.wait(30) == 0


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    started = Service(tmp_path_factory.mktemp("log") / "log")
    yield started
    started.stop()


def grown(before, after):
    return {
        key: value - before.get(key, 0)
        for key, value in after.items()
        if value != before.get(key, 0)
    }


def test_a_frame_is_counted_by_door_model_and_outcome_and_timed_by_stage(service):
    before = service.samples()
    assert service.ask("POST", "/predict/imagenet", COFFEE).status == 200
    after = grown(before, service.samples())
    assert (
        after["edge_requests_total", ("door", "camera"), ("model", "imagenet"), ("outcome", "ok")]
        == 1
    )
    assert after["edge_frames_total", ("model", "imagenet"), ("outcome", "ok")] == 1
    assert after["edge_request_duration_seconds_count", ("door", "camera")] == 1
    for stage in STAGES:
        assert (
            after[
                "edge_frame_stage_duration_seconds_count", ("model", "imagenet"), ("stage", stage)
            ]
            == 1
        )
    infer = after[
        "edge_frame_stage_duration_seconds_sum", ("model", "imagenet"), ("stage", "infer")
    ]
    assert 0.0001 < infer < 10  # seconds, not milliseconds


def test_several_frames_of_one_request_are_one_request_and_several_frames(service):
    part = '--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    body = part.encode() + COFFEE + b"\r\n" + part.encode() + b"no image\r\n--x--\r\n"
    before = service.samples()
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    assert service.ask("POST", "/predict/imagenet", body, form).status == 200
    after = grown(before, service.samples())
    assert (
        after["edge_requests_total", ("door", "camera"), ("model", "imagenet"), ("outcome", "ok")]
        == 1
    )
    assert after["edge_frames_total", ("model", "imagenet"), ("outcome", "ok")] == 1
    assert after["edge_frames_total", ("model", "imagenet"), ("outcome", "unsupported_image")] == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "door", "model", "outcome"),
    [
        ("POST", "/predict", b"no image", "camera", "imagenet", "unsupported_image"),
        ("POST", "/predict?top_k=0", COFFEE, "camera", "", "bad_request"),
        ("POST", "/predict/objects?top_k=0", COFFEE, "camera", "objects", "bad_request"),
        ("POST", "/predict/nobody", COFFEE, "camera", "unknown", "model_not_found"),
        (
            "POST",
            "/v1/models/nobody:predict",
            b"{}",
            "TensorFlow Serving",
            "unknown",
            "model_not_found",
        ),
        ("GET", "/nowhere", None, "none", "", "not_found"),
        ("GET", "/docs", None, "documentation", "", "ok"),
    ],
)
def test_a_request_is_counted_under_the_code_of_its_error(
    service, method, path, body, door, model, outcome
):
    before = service.samples()
    service.ask(method, path, body)
    after = grown(before, service.samples())
    assert after["edge_requests_total", ("door", door), ("model", model), ("outcome", outcome)] == 1


def test_no_caller_grows_the_labels(service):
    def strange(number):
        for path in ("/predict/m", "/predict?model=m", "/v1/models/m", "/elsewhere/m"):
            service.ask("POST", f"{path}{number}", COFFEE, {"X-Request-ID": f"id-{number}"})
        service.ask("POST", f"/v1/models/m{number}:predict", b"{}")
        service.ask("GET", f"/v1/models/m{number}/metadata")
        service.ask("PATCH", f"/predict/{number}")

    strange(0)
    before = set(service.samples())
    for number in range(1, 6):
        strange(number)
    assert set(service.samples()) == before


def test_models_queue_workers_and_memory_are_as_they_are_now(service):
    now = service.samples()
    for name, task in (("imagenet", CLASSIFICATION), ("objects", DETECTION)):
        of_model = ("model", name), ("version", "1")
        assert now["edge_model_state", of_model[0], ("state", "AVAILABLE"), of_model[1]] == 1
        assert now["edge_model_state", of_model[0], ("state", "END"), of_model[1]] == 0
        (about,) = [key for key in now if key[0] == "edge_model_info" and of_model[0] in key]
        assert ("task", task.name) in about
    assert now["edge_ready",] == 1
    assert now["edge_requests_in_flight",] == 0
    assert now["edge_queue_frames",] == 0
    assert now["edge_workers",] >= 1
    assert 20e6 < now["process_resident_memory_bytes",] < 2e9


def test_the_path_of_tensorflow_serving_says_the_same(service):
    assert set(service.samples("/monitoring/prometheus/metrics")) == set(service.samples())


def test_openmetrics_is_spoken_to_those_who_ask_for_it(service):
    reply = service.ask(
        "GET", "/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"}
    )
    assert reply.headers["content-type"].startswith("application/openmetrics-text")
    assert reply.text.endswith("# EOF\n")


def test_every_metric_is_told_of_in_the_text_on_the_container(service):
    text = (ROOT / "docker/README.md").read_text("utf-8")
    families = {
        family.name
        for family in text_string_to_metric_families(service.ask("GET", "/metrics").text)
    }
    own = {name for name in families if name.startswith("edge")}
    assert not [name for name in own if f"`{name}" not in text]


def test_a_waiting_frame_shows_in_the_queue_with_its_age(tmp_path):
    settings = Settings(workers=1)
    service = build_service(settings, build_repository(settings))
    metrics = Metrics(service)
    release = threading.Event()

    async def look():
        deadline = time.monotonic() + 60
        tasks = [
            asyncio.create_task(service.pool.run(lambda _: release.wait(30), deadline))
            for _ in range(3)
        ]
        await asyncio.sleep(0.05)
        value = metrics.registry.get_sample_value
        seen = {
            name: value(f"edge_{name}")
            for name in ("queue_frames", "workers_busy", "queue_oldest_age_seconds")
        }
        release.set()
        await asyncio.gather(*tasks)
        return seen, value("edge_queue_oldest_age_seconds")

    seen, afterwards = asyncio.run(look())
    assert (seen["queue_frames"], seen["workers_busy"], afterwards) == (2, 1, 0)
    assert 0.04 < seen["queue_oldest_age_seconds"] < 30
    service.pool.close()


def test_a_model_that_is_refused_is_in_state_end(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3 and then nothing")
    service = build_service(Settings(workers=1), open_repository(tmp_path))
    metrics = Metrics(service)
    labels = {"model": "one", "version": "", "state": "END"}
    assert metrics.registry.get_sample_value("edge_model_state", labels) == 1
    assert metrics.registry.get_sample_value("edge_ready") == 0
    assert metrics.label("one") == "one"
    assert metrics.label("three") == "unknown"
    service.pool.close()


def test_a_request_id_comes_back_and_stands_in_the_one_line_of_the_request(service):
    reply = service.ask("POST", "/predict", COFFEE, {"X-Request-ID": "line-7:frame_42"})
    assert reply.headers["X-Request-ID"] == "line-7:frame_42"
    (line,) = service.line_of("line-7:frame_42")
    keys = ("event", "method", "path", "status", "model", "outcome")
    assert {key: line[key] for key in keys} == {
        "event": "request", "method": "POST", "path": "/predict", "status": 200,
        "model": "imagenet", "outcome": "ok",
    }  # fmt: skip
    assert 0 < line["ms"] < 30_000


@pytest.mark.parametrize("given", [None, "", "with space", "x" * 129, 'quo"te', "ümlaut"])
def test_a_request_without_a_usable_id_gets_one(service, given):
    headers = {} if given is None else {"X-Request-ID": given.encode("latin-1")}
    replies = [
        service.ask("GET", "/nowhere", headers=headers).headers["X-Request-ID"] for _ in range(2)
    ]
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in replies)
    assert replies[0] != replies[1]


def test_neither_the_image_nor_the_query_gets_into_the_log_and_nobody_writes_a_line_of_his_own(
    service,
):
    forged = '/predict/%0A{"event":"forged"}?secret=1'
    reply = service.ask("POST", forged, COFFEE)
    (line,) = service.line_of(reply.headers["X-Request-ID"])
    assert line["path"] == '/predict/%0A{"event":"forged"}'
    assert "secret" not in service.log.read_text()
    assert len(json.dumps(line)) < 400
    assert all(line["event"] != "forged" for line in service.lines())


def test_a_path_is_cut_in_the_log(service):
    reply = service.ask("GET", "/" + "x" * 5000)
    (line,) = service.line_of(reply.headers["X-Request-ID"])
    assert line["path"] == "/" + "x" * 199
