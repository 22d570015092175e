"""The health check: as light as it claims, and it finds the service where the settings put it."""

import http.server
import json
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from serving.process import MODELS, clean_environment
from serving.secure import SecureServer

from edge.commands import frozen, health
from edge.settings import Settings, load_settings
from edge.tls.provisioning import uses_tls

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def answer():
    """A service that answers the latest `answer.append((status, body))` on port `answer.port`."""

    class Answers(list):
        port = 0

    answers = Answers()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = answers[-1] if self.path == "/health/ready" else (404, b"")
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        answers.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield answers
        server.shutdown()
        thread.join()


def run(environment):
    command = [sys.executable, "-m", "edge.commands.health"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.strip()


def test_it_knows_where_the_service_listens_by_default():
    defaults = {name: Settings.model_fields[name].default for name in ("host", "port")}
    assert defaults == {"host": health.DEFAULT_HOST, "port": health.DEFAULT_PORT}


def test_it_finds_the_service_that_listens_everywhere_on_the_port_of_the_environment(answer):
    answer.append((200, b'{"ready":true}'))
    assert run({"EDGE_HOST": "0.0.0.0", "EDGE_PORT": str(answer.port)}) == (0, "ready")


def test_it_reads_the_port_from_the_settings_file(answer, tmp_path):
    answer.append((200, b'{"ready":true}'))
    (tmp_path / "edge.toml").write_text(f"port = {answer.port}\n")
    assert run({"EDGE_CONFIG": str(tmp_path / "edge.toml")}) == (0, "ready")


def test_it_says_why_the_service_is_not_ready(answer):
    answer.append(
        (
            503,
            json.dumps(
                {"ready": False, "models": {}, "reason": "no model was found in /models"}
            ).encode(),
        )
    )
    assert run({"EDGE_PORT": str(answer.port)}) == (1, "not ready: no model was found in /models")


def test_it_is_not_ready_where_something_else_answers(answer):
    answer.append((502, b"<html>"))
    assert run({"EDGE_PORT": str(answer.port)}) == (1, "not ready: b'<html>'")


def test_it_fails_where_nobody_answers():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        code, words = run({"EDGE_PORT": str(port)})
    assert code == 1
    assert words.startswith(f"127.0.0.1:{port} does not answer")


@pytest.mark.parametrize("secure", [False, True])
def test_it_gives_up_on_one_who_takes_the_connection_and_says_nothing(secure):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        end = threading.Timer(20, mute.close)  # for a check that would wait for ever
        end.start()
        began = time.monotonic()
        fault = health.check("127.0.0.1", port, secure=secure, seconds=0.3)
        seconds = time.monotonic() - began
        end.cancel()
        end.join()
    assert "does not answer" in fault
    assert 0.25 < seconds < 15


def test_it_gives_up_before_docker_does_by_default():
    asked = int(re.search(r"HEALTHCHECK .*--timeout=(\d+)s", (ROOT / "Dockerfile").read_text())[1])
    assert 1 <= health.TIMEOUT_S < asked


def test_it_is_not_ready_where_what_answers_is_no_http():
    with socket.create_server(("127.0.0.1", 0)) as other:

        def speak():
            connection, _ = other.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"220 mail.example.com ESMTP\r\n")

        thread = threading.Thread(target=speak)
        thread.start()
        fault = health.check("127.0.0.1", other.getsockname()[1])
        thread.join(10)
    assert "does not answer" in fault


def test_a_live_service_that_is_not_ready_names_its_models(answer):
    models = {"lilies": "LOADING", "roses": "no labels"}
    answer.append((503, json.dumps({"ready": False, "models": models}).encode()))
    assert health.check("127.0.0.1", answer.port) == "not ready: lilies: LOADING; roses: no labels"


@pytest.mark.parametrize(
    ("file", "environment", "expected"),
    [
        ("", {}, ("127.0.0.1", 8501, False)),
        ("port = 1\nhost = '::1'\ntls = true", {}, ("::1", 1, True)),
        (
            "port = 1\nhost = '::1'\ntls = true",
            {"EDGE_PORT": "2", "EDGE_HOST": "h"},
            ("h", 2, True),
        ),
        ("tls = true", {"EDGE_TLS": "false"}, ("127.0.0.1", 8501, False)),
        ("", {"EDGE_TLS": "On"}, ("127.0.0.1", 8501, True)),
        ("tls_cert = 'chain.pem'", {}, ("127.0.0.1", 8501, True)),
        ("", {"EDGE_TLS_CERT": "chain.pem"}, ("127.0.0.1", 8501, True)),
        ("port = 1", {"EDGE_PORT": "", "EDGE_HOST": ""}, ("127.0.0.1", 1, False)),
        ("[tls]", {}, ("127.0.0.1", 8501, True)),
        ("[tls]", {"EDGE_TLS": "0"}, ("127.0.0.1", 8501, False)),
        ("[tls]\ncert = 'chain.pem'", {"EDGE_TLS": "0"}, ("127.0.0.1", 8501, True)),
        ("tls_cert = 'chain.pem'", {"EDGE_TLS": "false"}, ("127.0.0.1", 8501, True)),
    ],
)
def test_it_is_of_one_mind_with_the_settings(tmp_path, monkeypatch, file, environment, expected):
    (tmp_path / "edge.toml").write_text(file)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(config=tmp_path / "edge.toml")
    monkeypatch.setenv("EDGE_CONFIG", str(tmp_path / "edge.toml"))
    assert health._address() == (settings.host, settings.port, uses_tls(settings)) == expected


def test_edge_health_says_the_same(answer):
    answer.append((200, b'{"ready":true}'))
    command = [sys.executable, "-m", "edge", "health", "--port", str(answer.port)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "ready\n")


@pytest.fixture(scope="module")
def secure_server(tmp_path_factory):
    with SecureServer(tmp_path_factory.mktemp("data"), "--models", MODELS / "imagenet") as server:
        yield server


@pytest.mark.parametrize("way", ["environment", "flag", "file", "table"])
def test_edge_health_asks_a_tls_service_over_https(secure_server, tmp_path, way):
    """However it learns of TLS, and whichever of its two commands is run."""
    port = secure_server.url.rpartition(":")[2]
    config = tmp_path / "edge.toml"
    config.write_text({"file": "tls = true", "table": "[tls]"}.get(way, ""))
    environment = clean_environment() | {"EDGE_CONFIG": str(config), "EDGE_PORT": port}
    if way == "environment":
        environment["EDGE_TLS"] = "true"
    flags = ["--tls"] if way == "flag" else []
    command = [sys.executable, "-m", "edge", "health", *flags]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ready\n", "")
    if not flags:
        assert run(environment) == (0, "ready")


def test_edge_health_names_the_flag_where_a_tls_service_is_asked_in_plain(secure_server):
    port = secure_server.url.rpartition(":")[2]
    status, words = run({"EDGE_PORT": port})
    assert status == 1
    assert "EDGE_TLS" in words


def test_it_loads_nothing_but_the_standard_library():
    without_packages = [sys.executable, "-S", "-c", "import edge.commands.health"]
    subprocess.run(without_packages, cwd=ROOT, check=True)


def test_a_minute_of_silence_is_too_long_and_not_one_check_less(tmp_path):
    state = str(tmp_path / "state")
    silent = [frozen.note(lives=False, now=100.0 + 15 * n, state=state) for n in range(6)]
    assert silent == [False, False, False, False, True, True]


def test_an_answer_in_between_resets_the_count(tmp_path):
    state = str(tmp_path / "state")
    for now in (0.0, 20.0, 40.0, 55.0):
        assert not frozen.note(lives=False, now=now, state=state)
    assert not frozen.note(lives=True, state=state)
    assert not frozen.note(lives=False, now=61.0, state=state)


def test_few_checks_with_a_long_time_between_are_no_proof(tmp_path):
    state = str(tmp_path / "state")
    assert not any(frozen.note(lives=False, now=now, state=state) for now in (0.0, 1e4, 2e4))


def test_what_cannot_be_remembered_ends_nothing(tmp_path):
    state = str(tmp_path / "no/such/folder/state")
    assert not any(frozen.note(lives=False, now=100.0 * n, state=state) for n in range(9))
    (tmp_path / "damaged").write_text("who knows")
    assert not frozen.note(lives=False, now=1e9, state=str(tmp_path / "damaged"))
