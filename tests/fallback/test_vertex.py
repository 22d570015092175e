"""The adapter against a real gRPC and REST server on loopback."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from builders.waiting import wait
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from PIL import Image

from edge.errors import (
    CloudError,
    CloudMisconfigured,
    CloudNonsense,
    CloudNotAsked,
    CloudRefused,
    CloudUnreachable,
)
from edge.fallback.cloud import CloudRequest
from edge.fallback.vertex import MAX_REQUEST_BYTES, VertexClient, VertexOptions
from edge.model.tasks.anomaly import ANOMALY
from edge.model.tasks.classification import CLASSIFICATION
from edge.model.tasks.detection import DETECTION
from edge.model.tasks.registry import TASKS
from edge.testing.vertex import DAISY, ENDPOINT, MODEL

ROOT = Path(__file__).resolve().parents[2]
LABELS = ("rose", "daisy")


def picture(width: int = 64, height: int = 48, kind: str = "JPEG", **how) -> bytes:
    noise = np.random.default_rng(3).integers(0, 255, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, kind, **how)
    return file.getvalue()


JPEG = picture()


def question(task=CLASSIFICATION, image=JPEG, **how) -> CloudRequest:
    return CloudRequest(
        image, task, LABELS, how.pop("renamed", {}), how.pop("model", "flowers"), **how
    )


@asynccontextmanager
async def client(vertex, *, rest=False, address=None, image_bytes=False):
    options = VertexOptions(
        ENDPOINT,
        address or (vertex.rest_address if rest else vertex.address),
        rest=rest,
        anonymous=True,
        credentials=None,
        max_pixels=50_000_000,
        image_bytes=image_bytes,
    )
    one = VertexClient(options)
    try:
        yield one
    finally:
        await one.close()


async def always():
    return True


async def never():
    return False


def ask(vertex, asked=None, seconds=5.0, may_retry=always, **how):
    async def run():
        async with client(vertex, **how) as one:
            return await one.predict(asked or question(), seconds, may_retry)

    return asyncio.run(run())


@pytest.mark.parametrize("rest", [False, True], ids=["grpc", "rest"])
def test_a_classification_comes_back_in_the_edges_labels(vertex, rest):
    vertex.behave(
        {"ids": ["7", "8"], "displayNames": ["daisy", "Rose!"], "confidences": [0.75, 0.125]}
    )
    answer = ask(vertex, question(renamed={"Rose!": "rose"}), rest=rest)
    assert answer.prediction.labels == LABELS
    assert answer.prediction.scores.tolist() == [0.125, 0.75]
    assert answer.unknown_labels == ()
    assert answer.model == MODEL
    assert answer.latency > 0


@pytest.mark.parametrize("rest", [False, True], ids=["grpc", "rest"])
def test_detections_come_back_with_corners_in_our_order(vertex, rest):
    vertex.behave(
        {
            "ids": ["7", "9"],
            "displayNames": ["daisy", "vase"],
            "confidences": [0.75, 0.5],
            "bboxes": [[0.125, 0.5, 0.25, 0.75], [-0.0005, 0.5, 0, 1]],
        }
    )
    answer = ask(vertex, question(DETECTION), rest=rest)
    assert answer.prediction.boxes.tolist() == [[0.125, 0.25, 0.5, 0.75], [0.0, 0.0, 0.5, 1.0]]
    assert answer.prediction.labels == ("daisy", "vase")
    assert answer.prediction.classes.tolist() == [1, 2]
    assert answer.unknown_labels == ("vase",)


@pytest.mark.parametrize("rest", [False, True], ids=["grpc", "rest"])
def test_the_request_names_the_endpoint_and_carries_the_key(vertex, rest):
    vertex.behave()
    ask(vertex, question(), rest=rest)
    ask(vertex, question(model="other", endpoint="projects/1/locations/x/endpoints/9"), rest=rest)
    calls = vertex.calls()
    assert [call["key"] for call in calls] == [question().key(), question(model="other").key()]
    assert calls[0]["key"] != calls[1]["key"]
    assert [call["endpoint"] for call in calls] == [ENDPOINT, "projects/1/locations/x/endpoints/9"]
    assert calls[0]["instance"] == {"mimeType": "image/jpeg"}


def test_a_container_of_tensorflow_serving_is_asked_as_it_wants_it(vertex):
    vertex.behave({"labels": ["daisy", "rose"], "scores": [0.75, 0.25], "key": "k1"})
    answer = ask(vertex, image_bytes=True)
    assert vertex.calls()[0]["instance"] == {"key": question().key()}
    assert answer.prediction.scores.tolist() == [0.25, 0.75]


SIDES = {CLASSIFICATION: 640, DETECTION: 1024, ANOMALY: 640}
REPLIES = {
    CLASSIFICATION: DAISY,
    DETECTION: {**DAISY, "bboxes": [[0, 1, 0, 1]]},
    ANOMALY: {**DAISY, "displayNames": ["anomaly"]},
}
MOST_IMAGE_BYTES = (MAX_REQUEST_BYTES - 4_096) * 3 // 4
"""So much of a picture fits in a request as base64, with room for the names around it."""


def sent(vertex, task, image):
    """The size of the request, and the picture that the far side got."""
    vertex.behave(REPLIES[task])
    ask(vertex, question(task, image), seconds=30)
    (call,) = vertex.calls()
    return call["size"], vertex.image()


@pytest.mark.parametrize("task", list(TASKS.values()))
def test_a_picture_that_is_too_large_for_a_request_is_brought_under_its_limit(vertex, task):
    """Noise of the useful size, so that only its bytes forbid sending it unchanged."""
    side = SIDES[task]
    large = picture(side, side, quality=100, subsampling=0)
    assert len(large) > MOST_IMAGE_BYTES * 1.4
    size, got = sent(vertex, task, large)
    assert len(got) * 4 / 3 < size < MAX_REQUEST_BYTES
    assert len(large) / 8 < len(got) < len(large) / 4  # no more was taken from it than had to be
    with Image.open(io.BytesIO(got)) as seen:
        seen.load()
        assert (seen.format, seen.size) == ("JPEG", (side, side))


@pytest.mark.parametrize("task", list(TASKS.values()))
def test_a_picture_of_more_pixels_than_are_useful_is_sent_with_as_many_as_are(vertex, task):
    size, got = sent(vertex, task, picture(1600, 1200, "PNG", compress_level=1))
    with Image.open(io.BytesIO(got)) as seen:
        seen.load()
        assert seen.size == (SIDES[task], SIDES[task] * 3 // 4)
    assert 0 < size - len(got) * 4 / 3 < 4_096


def test_a_picture_that_just_fits_is_sent_as_it_is_and_one_byte_more_is_not(vertex):
    just = JPEG + bytes(MOST_IMAGE_BYTES - len(JPEG))
    size, got = sent(vertex, CLASSIFICATION, just)
    assert got == just
    assert MAX_REQUEST_BYTES - 4_096 <= size < MAX_REQUEST_BYTES
    size, got = sent(vertex, CLASSIFICATION, just + b"0")
    assert len(got) < len(JPEG) * 2
    with Image.open(io.BytesIO(got)) as seen:
        seen.load()
        assert seen.size == (64, 48)


def test_a_request_that_costs_too_much_is_repeated_while_there_is_time(vertex):
    for status in (429, 503, 504):
        vertex.behave(status=status, times=2)
        assert ask(vertex).model == MODEL
        assert len(vertex.calls()) == 3


@pytest.mark.parametrize("rest", [False, True], ids=["grpc", "rest"])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_other_errors_are_not_repeated(vertex, rest, status):
    vertex.behave(status=status)
    kind = {400: CloudRefused, 500: CloudUnreachable}.get(status, CloudMisconfigured)
    with pytest.raises(kind):
        ask(vertex, rest=rest)
    assert len(vertex.calls()) == 1


@pytest.mark.parametrize("rest", [False, True], ids=["grpc", "rest"])
@pytest.mark.parametrize("status", [429, 503, 504])
def test_an_endpoint_that_stays_busy_is_given_up_within_the_deadline(vertex, rest, status):
    vertex.behave(status=status)
    started = time.monotonic()
    with pytest.raises(CloudUnreachable):
        ask(vertex, seconds=0.6, rest=rest)
    assert time.monotonic() - started < 1.5
    assert len(vertex.calls()) > 1


def test_no_repetition_is_made_that_the_budget_does_not_allow(vertex):
    vertex.behave(status=503)
    with pytest.raises(CloudUnreachable):
        ask(vertex, may_retry=never)
    assert len(vertex.calls()) == 1


@pytest.mark.parametrize("rest", [False, True], ids=["grpc", "rest"])
def test_an_endpoint_that_hangs_costs_no_more_than_the_deadline(vertex, rest):
    vertex.behave(hang=True)
    started = time.monotonic()

    async def run():
        async with client(vertex, rest=rest) as one:
            try:
                await one.predict(question(), 0.4, always)
            except CloudUnreachable as error:
                return error.costly, time.monotonic() - started

    costly, took = asyncio.run(run())
    assert costly
    assert took < 2


@pytest.mark.parametrize("rest", [False, True], ids=["grpc", "rest"])
def test_a_refused_connection_fails_at_once_without_a_retry(vertex, rest):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    started = time.monotonic()
    with pytest.raises(CloudUnreachable) as caught:
        ask(vertex, rest=rest, address=address, seconds=20)
    assert caught.value.costly
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("rest", [False, True], ids=["grpc", "rest"])
@pytest.mark.parametrize(
    "garbage",
    [
        None,
        3.5,
        "daisy",
        [],
        {},
        {"displayNames": ["daisy"]},
        {"displayNames": ["daisy"], "confidences": []},
        {"displayNames": ["daisy"], "confidences": ["much"]},
        {"displayNames": 3, "confidences": [0.5]},
        {"labels": {"a": 1}, "scores": 3},
    ],
    ids=repr,
)
def test_garbage_is_called_so_and_never_served(vertex, rest, garbage):
    vertex.behave(garbage)
    with pytest.raises(CloudNonsense):
        ask(vertex, rest=rest)


@pytest.mark.parametrize("rest", [False, True], ids=["grpc", "rest"])
def test_bytes_that_are_no_message_are_called_so(vertex, rest):
    vertex.behave(garbage=True)
    with pytest.raises(CloudNonsense, match=r"not a message|not an online model"):
        ask(vertex, rest=rest)


class Between(BaseHTTPRequestHandler):
    """What stands between a device and the network, or in Google's place."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        *[(status, b"", CloudUnreachable) for status in (407, 408, 418, 511)],
        (
            400,
            b'{"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT"}}',
            CloudRefused,
        ),
        (
            400,
            b'{"error": {"code": 400, "message": "m", "status": "FAILED_PRECONDITION"}}',
            CloudMisconfigured,
        ),
        (400, b"<html>", CloudRefused),
        (403, b'{"error": "text"}', CloudNonsense),
        (503, b'{"error": "text"}', CloudNonsense),
        (200, b"\xff\xfe\x00", CloudNonsense),
        (200, b'{"predictions": 3}', CloudNonsense),
    ],
)
def test_what_stands_between_is_told_from_what_is_the_frames_fault(
    vertex, status, body, kind, caplog
):
    with HTTPServer(("127.0.0.1", 0), Between) as server:
        server.status, server.body = status, body
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        with pytest.raises(CloudError) as caught:
            ask(vertex, rest=True, address=f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert type(caught.value) is kind
    assert not [record for record in caplog.records if record.exc_info]


class Flood(BaseHTTPRequestHandler):
    """Answers without end: as fast as it can, or a byte now and then."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        for name, value in self.server.headers:
            self.send_header(name, value)
        self.end_headers()
        self.server.sent = 0
        with suppress(OSError):
            while not self.server.stopped and self.server.sent < 64 << 20:
                self.server.sent += self.connection.send(self.server.piece)
                time.sleep(self.server.pause_s)

    def log_message(self, *_):
        pass

    def handle(self):
        with suppress(ConnectionError):  # the client hangs up
            super().handle()


@contextmanager
def flood(piece, *, pause_s=0.0, status=200, headers=()):
    with ThreadingHTTPServer(("127.0.0.1", 0), Flood) as server:
        server.piece, server.pause_s, server.status = piece, pause_s, status
        server.headers, server.stopped, server.sent = headers, False, 0
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        yield server
        server.stopped = True
        server.shutdown()


@pytest.mark.parametrize("status", [200, 400, 503])
def test_an_answer_without_end_is_cut_off(vertex, status):
    with flood(b" " * 65536, status=status) as server:
        with pytest.raises(CloudNonsense, match="more than 1,048,576 bytes"):
            ask(vertex, rest=True, seconds=20, address=f"http://127.0.0.1:{server.server_port}")
        assert server.sent < 16 << 20  # what the sockets held


def test_an_answer_that_trickles_leaves_no_thread_behind(vertex):
    """Each byte comes well within the time-out of one read; the whole never does."""
    with flood(b" ", pause_s=0.05) as server:
        before = threading.active_count()
        with pytest.raises(CloudUnreachable):
            ask(vertex, rest=True, seconds=0.5, address=f"http://127.0.0.1:{server.server_port}")
        wait(lambda: threading.active_count() <= before + 1, seconds=10)


def test_a_compressed_answer_is_not_unpacked(vertex):
    bomb = gzip.compress(bytes(8 << 20))
    headers = [("Content-Encoding", "gzip"), ("Content-Length", str(len(bomb)))]
    with (
        flood(bomb, headers=headers) as server,
        pytest.raises(CloudNonsense, match="compressed"),
    ):
        ask(vertex, rest=True, address=f"http://127.0.0.1:{server.server_port}")


@pytest.mark.parametrize("status", [200, 400, 503])
def test_an_answer_that_is_nested_too_deeply_is_called_nonsense(vertex, status):
    body = b'{"predictions": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    with HTTPServer(("127.0.0.1", 0), Between) as server:
        server.status, server.body = status, body
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        with pytest.raises(CloudNonsense):
            ask(vertex, rest=True, address=f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


@pytest.mark.parametrize("rest", [False, True], ids=["grpc", "rest"])
def test_an_answer_larger_than_a_mebibyte_is_called_nonsense_and_asked_for_once(vertex, rest):
    labels = ["x" * 1000] * 1100
    vertex.behave({"displayNames": labels, "confidences": [0.1] * len(labels)})
    with pytest.raises(CloudNonsense, match=r"too large|more than"):
        ask(vertex, rest=rest)
    assert len(vertex.calls()) == 1


class Elsewhere(BaseHTTPRequestHandler):
    """Sends all who come to another address, or is that address, and remembers who came."""

    def do_POST(self):
        self.server.asked.append(self.command)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = (
            b""
            if self.server.location
            else b'{"predictions": [{"displayNames": ["rose"], "confidences": [1]}]}'
        )
        self.send_response(self.server.status if self.server.location else 200)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.do_POST()

    def log_message(self, *_):
        pass


@contextmanager
def elsewhere(status=0, location=None):
    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        server.asked, server.status, server.location = [], status, location
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_no_frame_goes_where_the_owner_did_not_say(vertex, status):
    with (
        elsewhere() as there,
        elsewhere(status, f"http://127.0.0.1:{there.server_port}/login") as here,
    ):
        address = f"http://127.0.0.1:{here.server_port}"
        with pytest.raises(CloudError):
            ask(vertex, rest=True, address=address)
        assert here.asked == ["POST"]
        assert there.asked == []
        assert ask(
            vertex, rest=True, address=f"http://127.0.0.1:{there.server_port}"
        ).prediction  # it would answer


def test_a_picture_with_a_long_comment_is_sent_without_it(vertex):
    vertex.behave()
    commented = io.BytesIO()
    Image.new("RGB", (900, 20)).save(commented, "GIF", comment=b"x" * 70_000)
    ask(vertex, question(image=commented.getvalue()))
    assert vertex.calls()[0]["size"] < 20_000


@pytest.mark.parametrize("rest", [False, True], ids=["grpc", "rest"])
def test_a_probe_of_another_protocol_reports_that_no_server_answers(vertex, rest):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def speak():
            while True:
                try:
                    other, _ = listener.accept()
                except OSError:
                    return
                with other:
                    other.sendall(b"SSH-2.0-other\r\n")

        threading.Thread(target=speak, daemon=True).start()

        async def run():
            async with client(
                vertex, rest=rest, address=f"http://127.0.0.1:{listener.getsockname()[1]}"
            ) as one:
                await one.probe(0.5)

        with pytest.raises(CloudUnreachable):
            asyncio.run(run())
        listener.shutdown(socket.SHUT_RDWR)


def test_a_classification_is_no_answer_for_a_detector(vertex):
    vertex.behave(DAISY)
    with pytest.raises(CloudNonsense, match="not a detector"):
        ask(vertex, question(DETECTION))


def test_bytes_that_are_no_image_are_not_sent(vertex):
    vertex.behave()
    with pytest.raises(CloudNotAsked, match="cannot be sent"):
        ask(vertex, question(image=JPEG[:200]))
    assert vertex.calls() == []


def test_a_fault_of_ours_with_one_image_is_not_laid_at_the_clouds_routes(vertex):
    vertex.behave()
    with pytest.raises(CloudNotAsked, match="TypeError"):
        ask(vertex, question(image=None))
    assert vertex.calls() == []


@pytest.mark.parametrize("rest", [False, True], ids=["grpc", "rest"])
def test_the_latency_is_in_milliseconds(vertex, rest):
    vertex.behave(delay_s=0.2)
    assert 200 <= ask(vertex, rest=rest, seconds=30).latency < 20_000


@pytest.mark.parametrize("rest", [False, True], ids=["grpc", "rest"])
def test_a_probe_makes_no_call(vertex, rest):
    vertex.behave()

    async def run():
        async with client(vertex, rest=rest) as one:
            await one.probe(3)

    asyncio.run(run())
    assert vertex.calls() == []


@pytest.mark.parametrize("rest", [False, True], ids=["grpc", "rest"])
def test_a_probe_reports_that_no_server_answers(vertex, rest):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}"

    async def run():
        async with client(vertex, rest=rest, address=address) as one:
            await one.probe(0.3)

    with pytest.raises(CloudUnreachable):
        asyncio.run(run())


def connections(port: int) -> int:
    """Sockets of this process that are connected to that port."""
    found = 0
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed meanwhile, or a socket without a peer
            if str(entry.readlink()).startswith("socket:"):
                with socket.socket(fileno=os.dup(int(entry.name))) as one:
                    found += one.getpeername()[1:2] == (port,)
    return found


@pytest.mark.parametrize("rest", [False, True], ids=["grpc", "rest"])
def test_a_client_that_is_closed_leaves_no_connection_open(vertex, rest):
    vertex.behave()
    port = vertex.rest_port if rest else vertex.grpc_port

    async def run():
        before, clients = connections(port), []
        for _ in range(3):
            async with client(vertex, rest=rest) as one:
                clients.append(one)  # held, so that nothing else closes it
                await one.probe(5)
                await one.predict(question(), 5, always)
                assert connections(port) > before
        await asyncio.to_thread(wait, lambda: connections(port) <= before)
        return clients

    assert len(asyncio.run(run())) == 3


def test_missing_credentials_are_reported_without_asking_a_metadata_server(tmp_path):
    script = """
import sys
addresses = []
def note(event, args):
    if event == "socket.connect":
        addresses.append(args[1])
sys.addaudithook(note)
from edge.errors import CloudMisconfigured
from edge.fallback.vertex import VertexClient, VertexOptions
options = VertexOptions("projects/1/locations/x/endpoints/2", None, False, False, None, 1, False)
try:
    VertexClient(options)
except CloudMisconfigured:
    print("misconfigured", addresses)
"""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "misconfigured []\n"


@pytest.mark.parametrize("rest", [False, True], ids=["grpc", "rest"])
def test_a_service_accounts_file_is_read_and_a_dead_tls_address_is_reported(tmp_path, rest):
    key = rsa.generate_private_key(65_537, 2048)
    words = (
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "1",
        "private_key": key.private_bytes(*words).decode(),
        "client_email": "edge@p.iam.gserviceaccount.com",
        "token_uri": "https://127.0.0.1:1/token",
    }
    (tmp_path / "account.json").write_text(json.dumps(account))
    options = VertexOptions(
        ENDPOINT,
        "127.0.0.1:1",
        rest=rest,
        anonymous=False,
        credentials=tmp_path / "account.json",
        max_pixels=10**6,
        image_bytes=False,
    )

    async def run():
        one = VertexClient(options)
        for attempt in (one.probe(0.3), one.predict(question(), 1.0, always)):
            with pytest.raises((CloudUnreachable, CloudMisconfigured)):
                await attempt
        await one.close()

    asyncio.run(run())


def test_a_file_that_is_not_a_service_account_is_refused(tmp_path):
    (tmp_path / "account.json").write_text("{}")
    with pytest.raises(CloudMisconfigured, match="Credentials"):
        VertexClient(
            VertexOptions(
                ENDPOINT,
                None,
                rest=False,
                anonymous=False,
                credentials=tmp_path / "account.json",
                max_pixels=1,
                image_bytes=False,
            )
        )  # fmt: skip
