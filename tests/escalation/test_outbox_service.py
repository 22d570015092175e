"""The outbox behind the service, through kill -9, a full disk and a read-only one."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edge.outbox.database import FILE_NAME

pytestmark = pytest.mark.slow  # whole systems, whose waits add up to minutes

# The cloud is given too little time for a caller, so that every frame waits for the forwarder.
UNSURE = {"models": "models/imagenet", "cloud_mode": "low_confidence", "cloud_threshold": 1.0}
DEFERRING = {**UNSURE, "cloud_timeout_ms": 10}


def is_sound(folder) -> bool:
    database = sqlite3.connect(folder / FILE_NAME)
    try:
        return database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    finally:
        database.close()


class Receiver:
    """The owner's server, which receives the webhook's requests."""

    def __init__(self):
        posts = self.posts = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                posts.append((self.headers["Idempotency-Key"], json.loads(body)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/results"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}
        )

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def test_a_frame_is_kept_forwarded_resolved_and_delivered(serve, cloud, vertex, frames, tmp_path):
    vertex.behave()
    (image,) = frames(1)
    with Receiver() as receiver:
        settings = {**DEFERRING, **cloud, "outbox_dir": tmp_path, "outbox_webhook": receiver.url}
        with serve(**settings, outbox_ack_ms=3000) as server:
            answer = server.post(image, camera="line-3")
            assert (answer["source"], answer["decision"], answer["outbox"]["state"]) == (
                "edge",
                "defer",
                "kept",
            )
            key = answer["outbox"]["key"]
            server.wait(lambda: server.get(f"/outbox/{key}")["webhook"] == "delivered")
            entry = server.get(f"/outbox/{key}")
            assert entry["state"] == "resolved"
            assert entry["camera"] == "line-3"
            assert entry["cloud"]["predictions"][0]["label"] == "daisy"
            assert entry["edge"]["predictions"][0]["label"] == answer["predictions"][0]["label"]
            assert server.get("/outbox?state=resolved")["entries"] == [entry]
            assert server.get("/outbox?state=waiting")["entries"] == []
            assert server.get("/outbox/nothing")["error"]["code"] == "entry_not_found"
    assert [delivered for delivered, _ in receiver.posts] == [key]
    assert [call["key"] for call in vertex.calls()] == [key]


def test_forwarding_leaves_slots_for_live_frames(serve, cloud, vertex, frames, tmp_path):
    with serve(**UNSURE, outbox_dir=tmp_path, outbox_ack_ms=3000) as server:
        for frame in frames(24):
            assert server.post(frame)["outbox"]["state"] == "kept"
    vertex.behave(delay_s=0.3)
    with serve(**UNSURE, **cloud, outbox_dir=tmp_path) as server:
        server.wait(lambda: server.get("/fallback")["link"]["calls_under_way"] == MOST_UNDER_WAY)
        (live,) = frames(1, start=100)
        assert server.post(live)["source"] == "cloud"
        assert server.get("/outbox")["status"]["waiting"] > 0
        server.wait(lambda: server.get("/outbox")["status"]["waiting"] == 0)
    assert len(vertex.calls()) == 25


def test_a_short_outage_with_entries_under_way_ends_no_forwarding(
    serve, cloud, vertex, frames, tmp_path
):
    with serve(**UNSURE, outbox_dir=tmp_path, outbox_ack_ms=3000) as server:
        for frame in frames(8):
            assert server.post(frame)["outbox"]["state"] == "kept"
    vertex.behave(hang=True)
    with serve(**UNSURE, **cloud, cloud_timeout_ms=300, outbox_dir=tmp_path) as server:
        server.wait(lambda: server.get("/fallback")["link"]["calls_under_way"] == MOST_UNDER_WAY)
        (live,) = frames(1, start=100)
        assert (
            server.post(live)["blocked_by"] == "timed_out"
        )  # so that the link reconnects and drops those calls
        vertex.behave()
        server.wait(lambda: server.get("/outbox")["status"]["waiting"] == 0)
        assert server.get("/outbox")["status"]["resolved"] == 9


def test_an_answer_does_not_wait_for_the_disk_by_default(serve, cloud, photo, tmp_path):
    with serve(**DEFERRING, **cloud, outbox_dir=tmp_path) as server:
        assert server.post(photo)["outbox"]["state"] in {"pending", "kept"}
        server.wait(lambda: len(server.get("/outbox")["entries"]) == 1)


def test_frames_are_kept_for_training_without_any_cloud(serve, photo, coffee, tmp_path):
    settings = {"models": "models/imagenet", "cloud_mode": "low_confidence", "outbox_ack_ms": 3000}
    with serve(**settings, outbox_dir=tmp_path) as server:
        unsure, sure = server.post(photo), server.post(coffee)
        assert (unsure["decision"], unsure["blocked_by"]) == ("defer", "no_endpoint")
        assert sure["decision"] == "accept"
        assert len(server.get("/outbox")["entries"]) == 1


def test_the_command_line_sees_what_the_service_keeps(serve, photo, tmp_path):
    def edge(*arguments):
        command = [
            sys.executable,
            "-m",
            "edge",
            "outbox",
            *arguments,
            "--outbox-dir",
            str(tmp_path / "box"),
        ]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    settings = {"models": "models/imagenet", "cloud_mode": "low_confidence", "outbox_ack_ms": 3000}
    with serve(**settings, outbox_dir=tmp_path / "box") as server:
        key = server.post(photo)["outbox"]["key"]
        assert json.loads(edge("list", "--json"))["key"] == key
        assert (
            json.loads(edge("show", key[:8], "--image", str(tmp_path / "out.jpg")))["state"]
            == "waiting"
        )
        assert (tmp_path / "out.jpg").read_bytes() == photo
        assert "1 images" in edge("export", str(tmp_path / "export"))
        assert "1 entries dropped" in edge("purge", key)
        assert server.get("/outbox")["entries"] == []


def crash_and_recover(serve, settings, vertex, frames, kills, seed):
    """Kill the service at random while it stores and forwards; returns acknowledged keys."""
    chance = random.Random(seed)
    numbers = itertools.count()
    acknowledged = set()
    for _ in range(kills):
        server = serve(**settings)
        stop = threading.Event()

        def feed(server=server, stop=stop):
            while not stop.is_set():
                (image,) = frames(1, next(numbers))
                try:
                    answer = server.post(image, timeout=5)
                except OSError:
                    return
                if answer.get("outbox", {}).get("state") == "kept":
                    acknowledged.add(answer["outbox"]["key"])
                time.sleep(0.05)

        with ThreadPoolExecutor(2) as feeders:
            running = [feeders.submit(feed) for _ in range(2)]
            time.sleep(chance.uniform(0.3, 3.0))
            server.kill()
            stop.set()
            for one in running:
                one.exception()
    with serve(**settings) as server:
        server.wait(lambda: server.get("/outbox")["status"].get("waiting") == 0, 60 + 5 * kills)
        server.wait(
            lambda: server.get("/outbox")["status"].get("webhook_pending") == 0, 60 + 5 * kills
        )
    return acknowledged


MOST_UNDER_WAY = 4
"""Half of EDGE_CLOUD_CONCURRENCY's default: the forwarder's share."""


def check_nothing_lost(folder, acknowledged, vertex, receiver, kills):
    assert acknowledged
    assert is_sound(folder)
    database = sqlite3.connect(folder / FILE_NAME)
    entries = dict(database.execute("SELECT key, state FROM entry").fetchall())
    database.close()
    assert acknowledged <= set(entries)
    assert set(entries.values()) == {"resolved"}
    keys_of_images = {}
    calls = vertex.calls()
    for call in calls:
        keys_of_images.setdefault(call["image"], set()).add(call["key"])
    assert all(len(keys) == 1 for keys in keys_of_images.values())
    assert {call["key"] for call in calls} == set(entries)
    # Only what was being sent when the process was killed is repeated: at most one round.
    assert len(calls) - len(entries) <= kills * MOST_UNDER_WAY
    delivered = [key for key, _ in receiver.posts]
    assert set(delivered) == set(entries)
    assert len(delivered) - len(entries) <= kills
    counts = f"{len(acknowledged)} acknowledged, {len(entries)} entries, {len(calls)} calls"
    print(f"{counts}, {len(delivered)} delivered")  # noqa: T201 -- shown by `pytest -s`


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(6, marks=pytest.mark.slow),
        pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(3_000)]),
    ],
)
def test_kill_9_loses_nothing_that_was_acknowledged_and_resolves_nothing_twice(
    serve, cloud, vertex, frames, tmp_path, kills
):
    vertex.behave(delay_s=0.02)  # so that most kills hit a call under way
    with Receiver() as receiver:
        settings = {
            **DEFERRING,
            **cloud,
            "outbox_dir": tmp_path,
            "outbox_ack_ms": 3000,
            "outbox_webhook": receiver.url,
            "cloud_calls_per_day": "unlimited",  # it makes thousands
            "outbox_max_entries": 1_000_000,
            "outbox_max_bytes": 1 << 40,
        }
        acknowledged = crash_and_recover(serve, settings, vertex, frames, kills, seed=kills)
        check_nothing_lost(tmp_path, acknowledged, vertex, receiver, kills)


@pytest.fixture
def small_disk(as_root, tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no mounts here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_fails_no_inference_and_breaks_no_store(serve, frames, small_disk):
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(600_000))
    with serve(**UNSURE, outbox_dir=small_disk, outbox_ack_ms=3000) as server:
        answers = [server.post(image) for image in frames(30)]
        assert {answer["source"] for answer in answers} == {"edge"}
        states = [answer["outbox"]["state"] for answer in answers]
        assert states[0] == "kept"
        assert states[-1] == "failed"
        assert "full" in server.get("/fallback")["outbox"]["fault"]
        assert server.get("/health/ready")["ready"]
        ballast.unlink()
        server.wait(lambda: server.post(frames(1, 99)[0])["outbox"]["state"] == "kept")
        assert server.get("/fallback")["outbox"]["fault"] is None
        kept = {
            answer["outbox"]["key"] for answer in answers if answer["outbox"]["state"] == "kept"
        }
        assert kept <= {entry["key"] for entry in server.get("/outbox?limit=1000")["entries"]}
    assert is_sound(small_disk)


def test_an_outbox_that_has_filled_its_own_disk_is_still_drained_and_then_takes_frames_again(
    serve, cloud, vertex, frames, small_disk
):
    with serve(**UNSURE, outbox_dir=small_disk, outbox_ack_ms=3000) as server:
        answers = [server.post(image) for image in frames(60)]
        assert {answer["source"] for answer in answers} == {"edge"}
        assert {answer["outbox"]["state"] for answer in answers} == {"kept", "failed"}
        assert server.get("/health/ready")["ready"]
        kept = {
            answer["outbox"]["key"] for answer in answers if answer["outbox"]["state"] == "kept"
        }
        assert {entry["key"] for entry in server.get("/outbox?limit=1000")["entries"]} == kept
    vertex.behave()
    with serve(**DEFERRING, **cloud, outbox_dir=small_disk, outbox_ack_ms=3000) as server:
        server.wait(lambda: server.get("/outbox")["status"].get("resolved") == len(kept))
        assert sorted(call["key"] for call in vertex.calls()) == sorted(kept)
        for image in frames(10, start=100):
            assert server.post(image)["outbox"]["state"] == "kept"
        server.wait(lambda: server.get("/outbox")["status"]["waiting"] == 0)
    assert is_sound(small_disk)


@pytest.fixture
def slow_disk():
    """A prefix under which every wait for the disk takes three seconds longer."""
    tracer = shutil.which("strace")
    if tracer is None:
        pytest.skip("needs strace")
    syncs = "fsync,fdatasync"
    return [tracer, "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", f"trace={syncs}", "-e",
            f"inject={syncs}:delay_enter=3000000"]  # fmt: skip


def test_a_slow_disk_holds_up_no_answer_for_longer_than_the_owner_allows(
    serve, frames, slow_disk, tmp_path
):
    with serve(*slow_disk, **UNSURE, outbox_dir=tmp_path, outbox_ack_ms=200) as server:
        started = time.monotonic()
        answers = [server.post(image) for image in frames(5)]
        assert time.monotonic() - started < 5 * (0.2 + 0.3)
        assert {answer["source"] for answer in answers} == {"edge"}
        assert {answer["outbox"]["state"] for answer in answers} == {"pending"}
        assert server.get("/health/ready")["ready"]
        server.wait(lambda: server.get("/fallback")["outbox"].get("waiting") == 5, 60)
        assert server.get("/fallback")["outbox"]["write_s"] > 3
        tracer = server.process.pid
        os.kill(
            int(Path(f"/proc/{tracer}/task/{tracer}/children").read_text().split()[0]),
            signal.SIGTERM,
        )
        server.process.wait(30)


def test_a_frame_that_timed_out_live_is_asked_about_again_under_the_same_key(
    serve, cloud, vertex, photo, tmp_path
):
    vertex.behave()
    with serve(
        **UNSURE, **cloud, cloud_timeout_ms=300, outbox_dir=tmp_path, outbox_ack_ms=3000
    ) as server:
        server.link_is("up")
        vertex.behave(delay_s=1.0)
        answer = server.post(photo)
        assert (answer["blocked_by"], answer["outbox"]["state"]) == ("timed_out", "kept")
        assert 200 < answer["cloud_wait_ms"] < 1000
        key = answer["outbox"]["key"]
        server.wait(lambda: server.get(f"/outbox/{key}")["state"] == "resolved")
    calls = [call["key"] for call in vertex.calls()]
    assert len(calls) > 1
    assert set(calls) == {key}


def test_the_answer_to_a_probe_resolves_the_probed_frame(
    serve, cloud, vertex, photo, coffee, tmp_path
):
    vertex.behave()
    settings = {
        **UNSURE,
        "cloud_threshold": 0.6,
        "cloud_request_modes": "prefer_cloud",
        "outbox_dir": tmp_path,
    }
    with serve(**settings, **cloud, outbox_ack_ms=3000) as server:
        server.link_is("up")
        vertex.behave(status=401)
        assert "outbox" not in server.post(
            coffee, fallback="prefer_cloud"
        )  # a sure one is not worth keeping
        server.link_is("half_open")
        vertex.behave()
        answer = server.post(photo)
        assert (answer["decision"], answer["outbox"]["state"]) == ("probe", "kept")
        key = answer["outbox"]["key"]
        server.wait(lambda: server.get(f"/outbox/{key}")["state"] == "resolved")
    assert [call["key"] for call in vertex.calls()] == [key]


def test_a_read_only_disk_fails_no_inference(serve, frames, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with serve(**UNSURE, outbox_dir=small_disk, outbox_ack_ms=3000) as server:
        answers = [server.post(image) for image in frames(5)]
        assert {(answer["source"], answer["outbox"]["state"]) for answer in answers} == {
            ("edge", "failed")
        }
        assert server.get("/fallback")["outbox"]["fault"]
        assert server.get("/health/ready")["ready"]
        subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
        server.wait(lambda: server.post(frames(1, 99)[0])["outbox"]["state"] == "kept")


def test_a_budget_that_cannot_be_written_fails_no_inference(
    serve, cloud, vertex, photo, small_disk
):
    vertex.behave()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    settings = {"models": "models/imagenet", "cloud_mode": "prefer_cloud", "cloud_calls_per_day": 2}
    with serve(**settings, **cloud, cloud_budget_file=small_disk / "budget.json") as server:
        server.link_is("up")
        assert [server.post(photo)["source"] for _ in range(3)] == ["cloud", "cloud", "edge"]
        assert "Read-only" in server.get("/fallback")["link"]["budget"]["file_fault"]
