"""A model that loads, serves, failed or was refused says so at every door that tells of models."""

import asyncio
import json

from builders.asgi import Request
from builders.odd_models import odd_repository

from edge.bootstrap import build_service
from edge.errors import ExportError
from edge.repository.servable import State
from edge.settings import Settings
from edge.web.app import create_app


def asked(folder, *paths, prepare):
    """Status, headers and content of each path, of a service whose models were not loaded but prepared."""

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
            replies.append((request.status, request.headers, json.loads(request.content)))
        service.pool.close()
        return replies

    return asyncio.run(story())


def fail_good(service):
    for servable in service.repository.servables:
        servable.state = State.AVAILABLE
    good = service.repository.find("good")
    good.state, good.fault = State.END, ExportError("good", "its first frame failed", "Export it again")


def serve_all(service):
    service.repository.refused.clear()
    for servable in service.repository.servables:
        servable.state = State.AVAILABLE


def test_a_model_that_failed_says_why_everywhere_and_nobody_is_told_to_come_back(tmp_path):
    models, ready, state, frame, rows = asked(
        tmp_path, "/models", "/health/ready", "/v1/models/good", "/predict/good", "/v1/models/good:predict",
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
        tmp_path, "/health/ready", "/v1/models/good", "/predict/good", "/predict/refused", prepare=lambda _: None
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
    assert (stopping[0], stopping[2]["ready"], stopping[2]["reason"]) == (503, False, "the service is stopping")
    assert (frame[0], frame[1]["x-edge-error"], frame[1]["retry-after"]) == (503, "shutting_down", "1")
