"""Start, refusal to start, and stop of `edge serve`, as whoever runs it sees them."""

import json
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from serving.automl import b64
from serving.pictures import photo
from serving.process import MODELS, ROOT, Server, clean_environment, run_edge
from serving.raw import RawConnection


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_exit_code_0(sent: signal.Signals) -> None:
    with Server() as server:
        assert server.client.post("/predict", content=photo("coffee")).status_code == 200
        assert server.stop(by=sent) == 0
        assert "Traceback" not in server.log


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_right_after_its_first_line_ends_it_with_exit_code_0(sent: signal.Signals) -> None:
    with Server(ready=False) as server:
        assert server.stop(by=sent) == 0
        assert "Traceback" not in server.log


def test_frames_that_were_accepted_are_answered_after_sigterm_and_new_ones_are_not_taken() -> None:
    body = photo("coffee")
    rows = json.dumps({"instances": [{"image_bytes": b64(body), "key": "1"}]}).encode()
    with Server("--workers", 1, "--queue-size", 7) as server, ExitStack() as opened:
        camera = [opened.enter_context(RawConnection(server.address)) for _ in range(4)]
        container = [opened.enter_context(RawConnection(server.address)) for _ in range(4)]
        kept_alive = opened.enter_context(RawConnection(server.address))
        kept_alive.send(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert kept_alive.reply().status == 200
        for connection in camera:
            connection.hold_place("/predict", len(body))
        for connection in container:
            connection.hold_place("/v1/models/default:predict", len(rows))
        server.process.send_signal(signal.SIGTERM)
        while (refused := _post_anew(server.url, body)) is not None:
            assert refused == (
                503,
                "shutting_down",
            )  # until its socket is closed, and then no connection is taken
        for connection in camera:
            connection.send(body)
        for connection in container:
            connection.send(rows)
        replies = [connection.reply() for connection in camera + container]
        assert [reply.status for reply in replies] == [200] * 8
        assert all(reply.json() for reply in replies)
        assert server.ended() == 0


def _post_anew(url: str, body: bytes) -> tuple[int, str] | None:
    """Status and error of a frame on a new connection; ``None`` where none is taken."""
    try:
        reply = httpx.post(f"{url}/predict", content=body)
        return reply.status_code, reply.headers.get("x-edge-error", "")
    except httpx.TransportError:
        return None


def test_under_load_every_reply_is_an_answer_or_a_clear_refusal() -> None:
    """Each caller posts on one connection until the server closes it; every reply is complete."""
    replies: Counter[tuple[int, str]] = Counter()
    started = threading.Semaphore(0)

    def post(url: str) -> None:
        with httpx.Client(base_url=url, timeout=30) as client:
            try:
                for number in range(10_000):
                    reply = client.post("/predict", content=photo("chelsea"))
                    content = reply.json()
                    replies[
                        reply.status_code, content["error"]["code"] if "error" in content else ""
                    ] += 1
                    if number == 3:
                        started.release()
            except (
                httpx.ConnectError,
                httpx.RemoteProtocolError,
                httpx.ReadError,
                httpx.WriteError,
            ):
                pass  # the server closed an idle connection, or accepts no new one

    with Server() as server:
        callers = [threading.Thread(target=post, args=(server.url,)) for _ in range(6)]
        for caller in callers:
            caller.start()
        for _ in callers:
            assert started.acquire(timeout=30)
        assert server.stop() == 0
        for caller in callers:
            caller.join()
        assert "Traceback" not in server.log
    assert replies[200, ""] >= 24
    assert set(replies) <= {(200, ""), (503, "shutting_down")}


def test_a_caller_that_never_sends_its_body_keeps_it_no_longer_than_the_grace() -> None:
    with Server("--shutdown-grace-s", 1) as server, RawConnection(server.address) as connection:
        connection.hold_place("/predict", 1000)
        assert server.stop() == 0
        reply = connection.reply()
        assert (reply.status, reply.code) == (503, "shutting_down")


def test_what_cannot_be_answered_within_the_grace_is_refused_as_every_late_frame_is() -> None:
    """Of 12 frames of 0.5 s on one worker, those that the second's grace does not reach."""
    body = photo("coffee")
    rows = json.dumps({"instances": [{"image_bytes": b64(body), "key": "1"}]}).encode()
    with (
        Server(
            *("--workers", 1, "--shutdown-grace-s", 1),
            program=("-c", FRAMES_OF_HALF_A_SECOND),
        ) as server,
        ExitStack() as opened,
    ):
        connections = [opened.enter_context(RawConnection(server.address)) for _ in range(12)]
        for number, connection in enumerate(connections):
            path, sent = ("/predict", body) if number % 2 else ("/v1/models/default:predict", rows)
            connection.hold_place(path, len(sent))
            connection.send(sent)
        server.process.send_signal(signal.SIGTERM)
        replies = [connection.reply() for connection in connections]
        statuses = Counter(
            (reply.status, reply.headers.get("x-edge-error", "")) for reply in replies
        )
        assert set(statuses) <= {(200, ""), (503, "shutting_down")}
        assert statuses[503, "shutting_down"] >= 6
        assert all(reply.json() for reply in replies)
        assert server.ended() == 0
        assert "Traceback" not in server.log
        assert "ERROR" not in server.log
        assert re.search(r"INFO stopping: (\d+) requests in flight", server.log)
        answered, refused = re.search(
            r"INFO stopped: (\d+) requests answered, (\d+) refused", server.log
        ).groups()
        assert int(answered) <= statuses[200, ""]
        assert int(refused) == statuses[503, "shutting_down"]


FRAMES_OF_HALF_A_SECOND = """
import time
from edge.repository.version import ModelVersion
from edge.cli import main

predict = ModelVersion.predict
def slowly(*arguments):
    time.sleep(0.5)
    return predict(*arguments)

ModelVersion.predict = slowly
main()
"""


def test_a_signal_before_it_listens_ends_it_with_exit_code_0(tmp_path: Path) -> None:
    """Sent when the command has begun and nothing was accepted yet."""
    started = tmp_path / "started"
    program = f"""
import os, signal
import edge.commands.serve as serve
from pathlib import Path

def build(settings):
    os.kill(os.getpid(), signal.SIGTERM)
    raise AssertionError("it went on")

serve.build_repository = build
from edge.cli import main
Path({str(started)!r}).touch()
main()
"""
    ended = subprocess.run(
        [sys.executable, "-c", program, "serve", "--port", "0"],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.exists()
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_port_in_use_is_a_clear_error() -> None:
    with Server() as server:
        again = run_edge("serve", "--port", server.address[1])
    assert again.returncode == 2
    assert f"port {server.address[1]}" in again.stderr
    assert "--port" in again.stderr
    assert "Traceback" not in again.stderr


def test_an_export_that_is_refused_stops_the_start_with_the_reason(tmp_path: Path) -> None:
    export = tmp_path / "flowers"
    shutil.copytree(MODELS / "imagenet", export)
    (export / "dict.txt").write_text("daisy\nrose\n")
    refused = run_edge("serve", "--port", 0, "--models", export)
    assert refused.returncode == 2
    assert "2 labels" in refused.stderr
    assert "dict.txt" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--models", "/no/such/place"], "/no/such/place"),
        (["--default-model", "nobody"], "nobody"),
        (["--workers", "0"], "--workers"),
        (["--deadline-ms", "soon"], "--deadline-ms"),
        (["--host", "no.such.host.invalid"], "no.such.host.invalid"),
    ],
)
def test_a_wrong_setting_stops_the_start_by_its_name(flags: list[str], words: str) -> None:
    refused = run_edge("serve", "--port", "0", *flags)
    assert refused.returncode == 2
    assert words in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_empty_folder_starts_lives_and_says_what_is_missing(tmp_path: Path) -> None:
    with Server("--models", tmp_path, ready=False) as server:
        assert server.client.get("/health/live").status_code == 200
        ready = server.client.get("/health/ready")
        assert ready.status_code == 503
        assert ready.json()["ready"] is False
        assert str(tmp_path) in ready.json()["reason"]
        for url in ("/predict", "/v1/models/default:predict"):
            frame = {"instances": [{"b64": ""}]}
            reply = server.client.post(url, json=frame)
            assert (reply.status_code, reply.headers["x-edge-error"]) == (503, "model_unavailable")
            assert "empty" in reply.text
        assert server.client.post("/predict?model=x", content=b"").status_code == 404
        assert server.client.get("/models").json() == {"default": None, "models": [], "refused": {}}
        assert server.stop() == 0


def test_a_bad_member_of_a_repository_leaves_the_others_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "good").symlink_to(MODELS / "imagenet")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "model.tflite").write_bytes(
        (MODELS / "imagenet" / "model.tflite").read_bytes()[:5000]
    )
    with Server("--models", tmp_path, ready=False) as server:
        until_good = server.client.post("/predict/good", content=photo("coffee"))
        while until_good.status_code == 503:
            until_good = server.client.post("/predict/good", content=photo("coffee"))
        assert until_good.json()["predictions"][0]["label"] == "espresso"
        assert (
            server.client.post("/predict", content=photo("coffee")).json()["model"]["name"]
            == "good"
        )
        bad = server.client.post("/predict/bad", content=photo("coffee"))
        assert (bad.status_code, bad.headers["x-edge-error"]) == (503, "model_unavailable")
        assert "model.tflite" in bad.json()["error"]["message"]
        assert "model.tflite" in server.client.get("/models").json()["refused"]["bad"]
        # The default model serves: an export that is refused beside it does not make it unready.
        ready = server.client.get("/health/ready")
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
        assert ready.json()["models"]["good"] == "AVAILABLE"
        assert "model.tflite" in ready.json()["models"]["bad"]
        state = 'edge_model_state{model="bad",state="END",version=""} 1.0'
        assert state in server.client.get("/metrics").text
        assert "model.tflite" in server.log
