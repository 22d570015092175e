"""The health check: as light as it claims, and of the same mind as the settings about where the service is."""

import http.server
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edge.commands import health
from edge.settings import Settings

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def answer():
    """A service that answers what `answer.append((status, body))` says last; its port is `answer.port`."""

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
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
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
    answer.append((503, json.dumps({"ready": False, "models": {}, "reason": "no model was found in /models"}).encode()))
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


def test_edge_health_says_the_same(answer):
    answer.append((200, b'{"ready":true}'))
    command = [sys.executable, "-m", "edge", "health", "--port", str(answer.port)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "ready\n")


def test_it_loads_nothing_but_the_standard_library():
    without_packages = [sys.executable, "-S", "-c", "import edge.commands.health"]
    subprocess.run(without_packages, cwd=ROOT, check=True)
