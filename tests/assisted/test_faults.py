"""A cloud that hangs, refuses, vanishes: the edge's answer goes out in time, and after the first frame for nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.testing.vertex import FakeVertex

MODEL = {"models": "models/imagenet", "cloud_mode": "low_confidence", "cloud_threshold": 1.0}


@pytest.mark.parametrize("transport", ["grpc", "rest"])
def test_a_cloud_that_hangs_costs_its_share_of_one_frame_and_is_used_again_when_well(
    serve, cloud, vertex, photo, transport
):
    vertex.behave()
    address = vertex.address if transport == "grpc" else vertex.rest_address
    settings = {**MODEL, **cloud, "cloud-address": address, "cloud_transport": transport, "cloud_timeout_ms": 500}
    with serve(**settings) as server:
        server.link_is("up")
        vertex.behave(hang=True)
        answers = [server.post(photo) for _ in range(20)]
        assert {answer["source"] for answer in answers} == {"edge"}
        assert answers[0]["hindrance"] == "timed_out"
        assert {answer["hindrance"] for answer in answers[1:]} == {"link_down"}
        vertex.behave()
        server.heals(photo)
        assert server.post(photo)["source"] == "cloud"


def test_a_trial_of_a_cloud_that_still_hangs_costs_no_frame_anything(serve, cloud, vertex, photo):
    vertex.behave()
    with serve(**MODEL, **cloud, cloud_timeout_ms=3000) as server:
        server.link_is("up")
        vertex.behave(hang=True)
        server.post(photo)
        server.link_is("trial")
        started = time.monotonic()
        answer = server.post(photo)
        assert time.monotonic() - started < 3
        assert (answer["source"], answer["decision"]) == ("edge", "try")
        server.wait(lambda: len(vertex.calls()) == 2)


def test_a_cloud_that_hangs_does_not_hold_up_the_services_stop(serve, cloud, vertex, photo, tmp_path):
    vertex.behave(hang=True)
    address = {"cloud-address": vertex.rest_address, "cloud_transport": "rest"}
    with serve(**MODEL, **{**cloud, **address}, outbox_dir=tmp_path, outbox_ack_ms=3000) as server:
        server.post(photo)
        server.wait(lambda: len(vertex.calls()) > 0)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 0


def test_a_refused_connection_leaves_the_edges_answer(serve, cloud, photo):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    with serve(**MODEL, **{**cloud, "cloud-address": address}) as server:
        assert server.get("/health/ready")["ready"]
        answers = [server.post(photo) for _ in range(10)]
        assert {(answer["source"], answer["hindrance"]) for answer in answers} == {("edge", "link_down")}
        server.wait(lambda: "answers at" in (server.get("/fallback")["link"]["fault"] or ""))


def test_a_frame_with_which_the_cloud_is_tried_is_kept_as_well(serve, cloud, vertex, photo, coffee, tmp_path):
    vertex.behave()
    with serve(**MODEL, **cloud, cloud_timeout_ms=300, outbox_dir=tmp_path, outbox_images=False) as server:
        server.link_is("up")
        vertex.behave(status=401)
        server.post(photo)
        server.link_is("trial")
        answer = server.post(coffee)
        assert answer["decision"] == "try"
        assert answer["outbox"]["state"] in {"kept", "pending"}
        server.wait(lambda: len(server.get("/outbox")["entries"]) == 2)


def test_a_cloud_process_that_dies_and_comes_back_is_found_again(serve, cloud, photo):
    with FakeVertex() as first:
        settings = {**MODEL, **cloud, "cloud-address": first.address}
        with serve(**settings) as server:
            server.link_is("up")
            assert server.post(photo)["source"] == "cloud"
            first.stop()
            assert server.post(photo)["source"] == "edge"
            assert server.post(photo)["hindrance"] == "link_down"
            assert server.get("/health/ready")["ready"]
            address = first.address
            first.start()
            assert first.address == address
            server.heals(photo)
            assert server.post(photo)["source"] == "cloud"
            assert server.get("/fallback")["link"]["fault"] is None
            assert len(first.calls()) == 2  # the trial's, and this one


@pytest.mark.parametrize("status", [429, 503, 504])
def test_an_endpoint_that_stays_busy_is_left_alone_after_a_while(serve, cloud, vertex, photo, status):
    vertex.behave()
    with serve(**MODEL, **cloud, cloud_timeout_ms=200) as server:
        server.link_is("up")
        vertex.behave(status=status)
        answers = [server.post(photo) for _ in range(8)]
        assert {answer["source"] for answer in answers} == {"edge"}
        assert answers[-1]["hindrance"] == "link_down"


def test_credentials_that_are_wrong_are_told_and_nothing_is_slowed(serve, cloud, vertex, photo):
    vertex.behave()
    with serve(**MODEL, **cloud) as server:
        server.link_is("up")
        vertex.behave(status=403)
        assert server.post(photo)["hindrance"] == "cloud_failed"
        assert server.post(photo)["hindrance"] == "link_down"
        assert "credentials" in server.get("/fallback")["link"]["fault"]


def test_the_edge_answers_at_once_though_the_link_is_not_there_yet(serve, cloud, photo):
    """Somebody listens there and never says a word: the link takes seconds to find out, and no answer waits for it."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with serve(**MODEL, **{**cloud, "cloud-address": address}, cloud_timeout_ms=9000) as server:
            started = time.monotonic()
            answers = [server.post(photo) for _ in range(5)]
            took = time.monotonic() - started
            link = server.get("/fallback")["link"]
    assert {(answer["source"], answer["hindrance"]) for answer in answers} == {("edge", "link_down")}
    assert {"cloud_wait_ms" in answer for answer in answers} == {False}
    assert sum(sum(answer["timing_ms"].values()) for answer in answers) / 1000 <= took < 5
    assert (link["state"], link["budget"]["calls_today"]) == ("down", 0)


def test_a_spent_budget_leaves_the_edges_answer_flagged_also_after_a_restart(serve, cloud, vertex, photo, tmp_path):
    vertex.behave()
    settings = {**MODEL, **cloud, "cloud_calls_per_day": 2, "cloud_budget_file": tmp_path / "budget.json"}
    with serve(**settings) as server:
        server.link_is("up")
        sources = [server.post(photo).get("source") for _ in range(2)]
        last = server.post(photo)
    assert sources == ["cloud", "cloud"]
    assert (last["source"], last["hindrance"]) == ("edge", "budget_spent")
    for years in (-10, 1):  # the wall clock is set while the service is down
        kept = json.loads((tmp_path / "budget.json").read_text())
        kept["reading"]["wall"] -= years * 365 * 86_400
        (tmp_path / "budget.json").write_text(json.dumps(kept))
        with serve(**settings) as server:
            server.link_is("up")
            assert server.post(photo)["hindrance"] == "budget_spent"
    assert len(vertex.calls()) == 2


def test_calls_and_their_repetitions_are_remembered_before_they_are_made(serve, cloud, vertex, photo, tmp_path):
    vertex.behave()
    file = tmp_path / "budget.json"
    settings = {"cloud_calls_per_day": 1000, "cloud_budget_file": file, "cloud_timeout_ms": 1500}
    with serve(**MODEL, **cloud, **settings) as server:
        server.link_is("up")
        vertex.behave(status=503)
        server.post(photo)
        server.process.kill()
        server.process.wait()
    made = len(vertex.calls())
    assert made > 1
    assert json.loads(file.read_text())["spent"]["day"]["calls"] >= made


def test_a_caller_in_a_hurry_does_not_take_the_cloud_from_the_others(serve, cloud, vertex, photo):
    vertex.behave(delay_s=0.4)
    with serve(**MODEL, **cloud) as server:
        server.link_is("up")
        assert server.post(photo)["source"] == "cloud"
        assert server.post(photo, deadline_ms=300)["hindrance"] == "timed_out"
        assert server.post(photo)["source"] == "cloud"


def test_a_rate_limit_leaves_the_edges_answer(serve, cloud, vertex, photo):
    vertex.behave()
    with serve(**MODEL, **cloud, cloud_rate=0.01) as server:
        server.link_is("up")
        answers = [server.post(photo) for _ in range(3)]
    assert answers[0]["source"] == "cloud"
    assert {answer.get("hindrance") for answer in answers[1:]} == {"rate_limited"}


def test_without_a_cloud_nothing_of_googles_is_imported_and_nothing_is_connected(serve, photo, tmp_path):
    trace = tmp_path / "trace"
    tracer = ["strace", "-f", "-e", "trace=connect,sendto,sendmsg", "-o", str(trace)] if _has("strace") else []
    with serve(*tracer, models="models/imagenet") as server:
        assert server.post(photo)["source"] == "edge"
        pid = server.process.pid
        if tracer:  # it stands between us and the service
            pid = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
        loaded = Path(f"/proc/{pid}/maps").read_text()
        os.kill(pid, signal.SIGTERM)
        server.process.wait(20)
    assert "grpc" not in loaded
    assert "_sqlite3" not in loaded
    assert "cryptography" not in loaded
    assert "litert" in loaded  # the list is one that would show them
    if tracer:
        connected = [line for line in trace.read_text().splitlines() if "AF_INET" in line]
        assert connected == []


def test_settings_without_a_cloud_import_nothing_of_googles():
    script = (
        "import sys; from edge.bootstrap import *; from edge.settings import Settings; import edge.web.server;"
        "s = Settings(); serving_service(s, build_repository(s));"
        "heavy = ('google', 'grpc', 'sqlite3', 'cryptography');"
        "print([name for name, module in sys.modules.items() if name.split('.')[0] in heavy"
        " and getattr(module, '__file__', None)])"  # namespace packages alone come from the venv's .pth files
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _has(program: str) -> bool:
    return any(os.access(Path(folder) / program, os.X_OK) for folder in os.get_exec_path())


@pytest.fixture
def namespace(as_root):
    """Two network namespaces, near (10.99.7.2) and far (10.99.7.1), with a wire between them."""
    if not _has("ip"):
        pytest.skip("needs iproute2")
    near, far = f"edge-near-{os.getpid()}", f"edge-far-{os.getpid()}"

    def ip(*arguments):
        subprocess.run(["ip", *arguments], check=True, capture_output=True)

    try:
        ip("netns", "add", near)
        ip("netns", "add", far)
        ip("-n", near, "link", "add", "wire0", "type", "veth", "peer", "name", "wire1", "netns", far)
    except subprocess.CalledProcessError as error:
        subprocess.run(["ip", "netns", "del", near], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", far], check=False, capture_output=True)
        pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
    for space, wire, address in ((near, "wire0", "10.99.7.2/24"), (far, "wire1", "10.99.7.1/24")):
        ip("-n", space, "addr", "add", address, "dev", wire)
        ip("-n", space, "link", "set", wire, "up")
        ip("-n", space, "link", "set", "lo", "up")
    yield near, far, ip
    ip("netns", "del", near)
    ip("netns", "del", far)


POST = """
import json, sys, time, urllib.error, urllib.request
url, count, photo = sys.argv[1], int(sys.argv[2]), open(sys.argv[3], "rb").read()
for _ in range(count):
    started = time.monotonic()
    try:
        with urllib.request.urlopen(urllib.request.Request(url + "/predict", photo), timeout=30) as reply:
            answer = json.load(reply)
    except urllib.error.HTTPError as error:  # its model is loading
        answer = {"source": str(error.code)}
    took = time.monotonic() - started
    print(json.dumps([answer["source"], answer.get("hindrance"), took, answer.get("decision")]))
"""


@pytest.mark.slow
def test_a_black_holed_cloud_costs_one_frame_its_share_and_then_nothing(serve, cloud, namespace):
    near, far, ip = namespace
    inside = ["ip", "netns", "exec", near]

    def post(url, count):
        command = [*inside, sys.executable, "-c", POST, url, str(count), "models/photos/astronaut.jpg"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    with FakeVertex("ip", "netns", "exec", far, host="10.99.7.1") as vertex:
        server = serve(*inside, **MODEL, **{**cloud, "cloud-address": vertex.address}, cloud_timeout_ms=700)
        try:
            server.wait(lambda: post(server.url, 1)[0][0] == "cloud")
            ip("-n", far, "route", "add", "blackhole", "10.99.7.2/32")
            answers = post(server.url, 40)
            assert {answer[0] for answer in answers} == {"edge"}
            assert [answer[1] for answer in answers].count("timed_out") == 1
            assert max(answer[2] for answer in answers[1:]) < 0.7
            for _ in range(4):  # the probes vanish as well: no frame is even tried
                time.sleep(1)
                assert {(answer[1], answer[3]) for answer in post(server.url, 20)} == {("link_down", "accept")}
            ip("-n", far, "route", "del", "blackhole", "10.99.7.2/32")
            server.wait(lambda: post(server.url, 1)[0][0] == "cloud")
        finally:
            server.kill()
