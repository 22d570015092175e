"""The OpenAPI schema is true: everything that it says is held against the running server."""

import subprocess
import sys
from pathlib import Path

import pytest
from serving.process import Server, clean_environment

CONFIG = Path(__file__).with_name("schemathesis.toml")
SECONDS = 20


@pytest.fixture(scope="module")
def server():
    with Server("--no-log-requests", workers=1) as running:
        yield running


@pytest.fixture(scope="module")
def schema(server):
    return server.client.get("/openapi.json").json()


def operations(schema):
    return [
        (path, method, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]


@pytest.mark.slow
def test_the_server_does_what_its_schema_says(server):
    """An endless stream of events is left out: a test case of it would never end."""
    program = Path(sys.executable).with_name("st")
    done = subprocess.run(
        [
            program,
            "--config-file",
            CONFIG,
            "run",
            f"{server.url}/openapi.json",
            "--exclude-path=/wall/events",
            "--phases=examples,coverage,fuzzing",
            f"--max-time={SECONDS}",
            "--generation-deterministic",
        ],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in server.log


def test_every_operation_names_its_errors_in_the_form_of_its_dialect(schema):
    for path, method, operation in operations(schema):
        responses = operation["responses"]
        assert "422" not in responses, (path, method)
        assert {"400", "401", "403", "500"} <= set(responses), (path, method)
        error = responses["400"]["content"]["application/json"]["schema"]
        is_native = error == {"$ref": "#/components/schemas/ErrorSchema"}
        assert is_native is not path.startswith("/v1/"), path


def test_numbers_have_their_bounds(schema):
    for path, method, operation in operations(schema):
        for parameter in operation.get("parameters", []):
            kind = parameter["schema"].get("type")
            if kind in {"integer", "number"}:
                assert "minimum" in parameter["schema"], (path, method, parameter["name"])


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/predict?top_k=" + "9" * 5_000, "top_k"),
        ("/predict?deadline_ms=600001", "deadline_ms"),
        ("/predict?threshold=nan", "threshold"),
    ],
)
def test_a_wrong_number_is_a_bad_request_in_the_documented_form(server, path, words):
    reply = server.client.post(path, content=b"")
    error = reply.json()["error"]
    assert (reply.status_code, error["code"], words in error["message"]) == (
        400,
        "bad_request",
        True,
    )
    assert len(error["message"]) < 1_000


@pytest.mark.parametrize("path", ["/health/live", "/models", "/metrics", "/openapi.json", "/kiosk"])
def test_head_is_the_head_of_get(server, path):
    head, get = server.client.head(path), server.client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]


def test_head_of_the_endless_events_ends(server):
    assert server.client.head("/wall/events", timeout=20).status_code == 200


def test_head_where_only_post_is_taken_is_refused(server):
    assert server.client.head("/predict").status_code == 405
