"""A model that loads, serves, failed or was refused says so at every door that tells of models."""

import asyncio
import json

import pytest
from builders.asgi import Request
from builders.odd_models import odd_repository

from edge.errors import ExportError
from edge.repository.repository import open_repository
from edge.repository.version import VersionState
from edge.settings import Settings
from edge.web.app import create_app
from edge.wiring.bootstrap import build_service


def asked(folder, *paths, prepare, parse=json.loads):
    """Status, headers and content of each path, of a service whose models were not loaded but
    prepared.
    """

    async def story():
        settings = Settings(workers=1)
        repository = odd_repository(folder)
        service = build_service(settings, repository)
        prepare(service)
        app = create_app(service, settings)
        replies = []
        for path in paths:
            request = Request(app, path, method="POST" if "predict" in path else "GET")
            request.body(b'{"instances": [{"b64": ""}]}')
            await request.ended()
            replies.append((request.status, request.headers, parse(request.content)))
        service.pool.close()
        return replies

    return asyncio.run(story())


def fail_good(service):
    for version in service.repository.versions:
        version.state = VersionState.AVAILABLE
    good = service.repository.find("good")
    good.state, good.fault = (
        VersionState.END,
        ExportError("good", "its first frame failed", "Export it again"),
    )


def serve_all(service):
    service.repository.refused.clear()
    for version in service.repository.versions:
        version.state = VersionState.AVAILABLE


def test_a_model_that_failed_says_why_everywhere_and_nobody_is_told_to_come_back(tmp_path):
    models, ready, state, frame, rows = asked(
        tmp_path, "/models", "/health/ready", "/v1/models/good", "/predict/good",
        "/v1/models/good:predict",
        prepare=fail_good,
    )  # fmt: skip
    told = {model["name"]: model for model in models[2]["models"]}
    assert told["good"]["state"] == "END"
    assert "its first frame failed" in told["good"]["fault"]
    assert told["gated"]["fault"] is None
    assert "it was made for this" in models[2]["refused"]["refused"]
    assert ready[0] == 503
    assert "its first frame failed" in ready[2]["models"]["good"]
    assert "it was made for this" in ready[2]["models"]["refused"]
    (version,) = state[2]["model_version_status"]
    assert (version["state"], version["status"]["error_code"]) == ("END", "FAILED_PRECONDITION")
    assert "its first frame failed" in version["status"]["error_message"]
    for status, headers, _ in (frame, rows):
        assert (status, headers["x-edge-error"]) == (503, "model_unavailable")
        assert "retry-after" not in headers


def test_a_model_that_loads_says_so_and_that_it_is_worth_coming_back(tmp_path):
    ready, state, frame, refused = asked(
        tmp_path,
        "/health/ready",
        "/v1/models/good",
        "/predict/good",
        "/predict/refused",
        prepare=lambda _: None,
    )
    assert (ready[0], ready[2]["ready"], ready[2]["models"]["good"]) == (503, False, "START")
    assert state[2]["model_version_status"][0]["state"] == "START"
    assert (frame[0], frame[1]["retry-after"]) == (503, "1")
    assert "still loading" in frame[2]["error"]["message"]
    assert refused[0] == 503
    assert "retry-after" not in refused[1]


def test_a_service_whose_models_serve_is_ready_until_it_stops(tmp_path):
    (ready,) = asked(tmp_path, "/health/ready", prepare=serve_all)
    assert (ready[0], ready[2]["ready"]) == (200, True)
    assert "reason" not in ready[2]

    def stop(service):
        serve_all(service)
        service.refuse_new()

    (stopping, frame) = asked(tmp_path, "/health/ready", "/predict/good", prepare=stop)
    assert (stopping[0], stopping[2]["ready"], stopping[2]["reason"]) == (
        503,
        False,
        "the service is stopping",
    )
    assert (frame[0], frame[1]["x-edge-error"], frame[1]["retry-after"]) == (
        503,
        "shutting_down",
        "1",
    )


def set_states(**states):
    """Prepares a service: each model in that state, the others available."""

    def prepare(service):
        for version in service.repository.versions:
            version.state = VersionState[states.get(version.name, "AVAILABLE")]

    return prepare


@pytest.mark.parametrize(
    ("states", "is_ready"),
    [
        ({}, True),
        ({"broken": "END"}, True),  # not the default one
        ({"broken": "LOADING"}, False),
        ({"broken": "START"}, False),
        ({"good": "START"}, False),
        ({"good": "LOADING"}, False),
        ({"good": "END"}, False),
        ({"good": "END", "broken": "LOADING"}, False),
    ],
    ids=str,
)
def test_ready_means_that_the_default_model_serves_and_nothing_is_loading(
    tmp_path, states, is_ready
):
    """``refused``, which could not be read, is in the body and in a metric in every case."""
    ready, metrics = asked(
        tmp_path, "/health/ready", "/metrics", prepare=set_states(**states), parse=bytes.decode
    )
    body = json.loads(ready[2])
    assert (ready[0], body["ready"]) == (200 if is_ready else 503, is_ready)
    assert body["models"]["good"] == states.get("good", "AVAILABLE")
    assert "it was made for this" in body["models"]["refused"]
    samples = metrics[2].splitlines()
    assert f"edge_ready {float(is_ready)}" in samples
    assert 'edge_model_state{model="refused",state="END",version=""} 1.0' in samples
    assert 'edge_model_state{model="refused",state="AVAILABLE",version=""} 0.0' in samples
    [about] = [line for line in samples if line.startswith("# HELP edge_ready ")]
    assert "the default model serves and nothing is loading" in about


def test_a_default_model_that_was_refused_makes_the_service_unready(tmp_path):
    def prepare(service):
        serve_all(service)
        service.repository.refused["other"] = ExportError("other", "no labels", "Add them")
        service.repository._default = "other"

    (ready,) = asked(tmp_path, "/health/ready", prepare=prepare)
    assert (ready[0], ready[2]["ready"]) == (503, False)
    assert "no labels" in ready[2]["models"]["other"]


def test_a_refused_export_stands_in_the_log_with_its_reason(tmp_path, caplog):
    folder = tmp_path / "models" / "lilies"
    folder.mkdir(parents=True)
    (folder / "model.tflite").write_bytes(b"cut off")
    repository = open_repository(tmp_path / "models")
    [record] = [one for one in caplog.records if "lilies" in one.getMessage()]
    assert record.levelname == "ERROR"
    assert str(repository.refused["lilies"]) in record.getMessage()
    assert repository.ready is False
