"""A refused export: the command line stops over it, a container stays up and says what is wrong."""

import subprocess
import sys

import pytest
from serving.process import MODELS, ROOT, Server, clean_environment, run_edge

UNREADABLE = "/proc/self/mem"
"""A file that exists and cannot be read, even by root."""


@pytest.fixture
def corrupt(tmp_path):
    folder = tmp_path / "corrupt"
    folder.mkdir()
    (folder / "model.tflite").write_bytes((MODELS / "imagenet/model.tflite").read_bytes()[:5000])
    (folder / "dict.txt").write_text("one\ntwo\n")
    return folder


def test_named_at_the_command_line_it_stops_the_start_with_one_line(corrupt):
    done = run_edge("serve", "--port", 0, "--models", corrupt)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if "is not served" not in line]
    assert line.startswith("edge: ")
    assert "model.tflite" in line
    assert "Traceback" not in done.stderr


def test_mounted_in_a_container_it_is_live_and_not_ready_and_says_why(corrupt):
    with Server(ready=False, env={"EDGE_MODEL_MOUNTS": f"/nowhere:{corrupt}"}) as server:
        assert server.client.get("/health/live").status_code == 200
        ready = server.client.get("/health/ready")
        assert ready.status_code == 503
        assert "model.tflite" in ready.json()["models"]["corrupt"]
        reply = server.client.post("/predict", content=(MODELS / "photos/coffee.jpg").read_bytes())
        assert (reply.status_code, reply.json()["error"]["code"]) == (503, "model_unavailable")
        assert "model.tflite" in reply.json()["error"]["message"]
        health = subprocess.run(
            [sys.executable, "-m", "edge", "health", "--port", str(server.address[1])],
            cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert health.returncode == 1
        assert "model.tflite" in health.stdout
        assert "model corrupt is not served" in server.log
        assert server.stop() == 0


def test_one_of_several_mounted_does_not_make_the_service_unready(corrupt):
    (corrupt.parent / "imagenet").symlink_to(MODELS / "imagenet")
    with Server(env={"EDGE_MODEL_MOUNTS": str(corrupt.parent)}) as server:
        ready = server.client.get("/health/ready")
        assert ready.status_code == 200
        assert "model.tflite" in ready.json()["models"]["corrupt"]


def test_a_mount_that_cannot_be_read_is_live_and_says_so():
    with Server(ready=False, env={"EDGE_MODEL_MOUNTS": UNREADABLE}) as server:
        assert server.client.get("/health/live").status_code == 200
        ready = server.client.get("/health/ready")
        assert ready.status_code == 503
        (fault,) = ready.json()["models"].values()
        assert UNREADABLE in fault
        assert "not served" in server.log or "no model is served" in server.log
