"""The same of a real process: its gauges, descriptors, threads and memory after requests that ended
in every way.
"""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from builders.images import encode, noise
from builders.waiting import wait
from prometheus_client.parser import text_string_to_metric_families
from serving.process import Server
from serving.raw import RawConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

pytestmark = pytest.mark.slow

IMAGE = encode(noise(400, 300), "PNG")  # 360 kB
FORM = {"content-type": "multipart/form-data; boundary=x"}
PART = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
GAUGES = ("requests_in_flight", "held_bytes", "queue_frames", "workers_busy", "ready")
PROGRAM = (str(Path(__file__).with_name("odd_server.py")),)
SETTLED = 8
"""Looks, 20 ms apart, that see the same."""
LIMITS = (
    "--workers",
    2,
    "--queue-size",
    2,
    "--max-body-bytes",
    500_000,
    "--max-streams",
    2,
    "--log-level",
    "error",
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(*LIMITS, program=PROGRAM, ready=False) as running:
        wait(lambda: "AVAILABLE" in running.client.get("/v1/models/slow").text)
        yield running


def rows(image: bytes) -> bytes:
    return json.dumps(
        {"instances": [{"image_bytes": {"b64": base64.b64encode(image).decode()}}]}
    ).encode()


def gauges(server: Server) -> dict[str, float]:
    families = text_string_to_metric_families(server.client.get("/metrics").text)
    return {
        family.name: family.samples[0].value for family in families if family.name[5:] in GAUGES
    }


def state(server: Server) -> dict[str, object]:
    """What is counted, and what the system knows of the process."""
    process = Path(f"/proc/{server.pid}")
    descriptors = []
    for one in (process / "fd").iterdir():
        with suppress(FileNotFoundError):
            descriptors.append(str(one.readlink()).split(":")[0])
    return gauges(server) | {
        "descriptors": sorted(descriptors),
        "threads": len(list((process / "task").iterdir())),
    }


def wait_until_idle(server: Server) -> None:
    """Until every slot is free: a frame whose caller has left is still computed.

    An overload before it is over as well, so that connections need no turn.
    """
    wait(lambda: gauges(server)["edge_requests_in_flight"] == 0)
    time.sleep(0.3)


def answered(server: Server) -> None:
    wait_until_idle(server)
    body = PART + IMAGE + b"\r\n--x--\r\n"
    assert server.client.post("/predict/good", content=IMAGE).status_code == 200
    assert (
        server.client.post("/predict/good", content=iter([IMAGE[:9], IMAGE[9:]])).status_code == 200
    )
    assert server.client.post("/predict/good", content=body, headers=FORM).status_code == 200
    assert server.client.post("/v1/models/good:predict", content=rows(IMAGE)).status_code == 200


def refused(server: Server) -> None:
    for url, content, status in (
        ("/predict/good", IMAGE[:1000], 400), ("/predict/good", b"hello", 415), ("/predict/nobody",
        IMAGE, 404),
        ("/predict/refused", IMAGE, 503), ("/predict/good?x=1", IMAGE, 400), ("/predict",
        bytes(600_000), 413),
        ("/predict/good", iter([bytes(300_000)] * 2), 413), ("/v1/models/good:predict", IMAGE, 400),
    ):  # fmt: skip
        with suppress(OSError):  # what is too large is not read to its end
            assert server.client.post(url, content=content).status_code == status


def failed(server: Server) -> None:
    for _ in range(5):
        assert server.client.post("/predict/broken", content=IMAGE).status_code == 500
        assert (
            server.client.post("/v1/models/broken:predict", content=rows(IMAGE)).status_code == 500
        )


def timed_out(server: Server) -> None:
    assert server.client.post("/predict/slow?deadline_ms=50", content=IMAGE).status_code == 504
    with RawConnection(server.address) as connection:
        connection.post_head("/predict?deadline_ms=100", "Content-Length: 400000")
        connection.send(bytes(200_000))
        assert connection.reply().code == "body_timeout"


def hung_up(server: Server) -> None:
    """In the middle of the body, and while the frame is computed; with a reset, too."""
    for path, body in (("/predict/slow", IMAGE), ("/v1/models/slow:predict", rows(IMAGE))):
        for length in (len(body) // 2, len(body)):
            wait_until_idle(server)
            with RawConnection(server.address) as connection:
                connection.hold_place(path, len(body))
                connection.send(body[:length])
                connection._socket.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
                )
        with RawConnection(server.address) as connection:
            connection.post_head(path, "Transfer-Encoding: chunked")
            connection.send(b"1000\r\n" + bytes(0x1000) + b"\r\n")
    wait_until_idle(server)


def overloaded(server: Server) -> None:
    wait_until_idle(server)
    with ExitStack() as opened:
        for _ in range(4):
            connection = opened.enter_context(RawConnection(server.address))
            connection.post_head("/predict/slow", f"Content-Length: {len(IMAGE)}")
            connection.send(IMAGE)
        wait(lambda: gauges(server)["edge_requests_in_flight"] == 4)
        assert server.client.post("/predict", content=IMAGE).status_code == 503
        held = gauges(server)
        assert (held["edge_requests_in_flight"], held["edge_held_bytes"]) == (4, 4 * len(IMAGE))


def streamed(server: Server) -> None:
    """Answered, faulty, in text, closed, and cut off while one frame is computed and one waits."""
    url = f"ws://{server.url.removeprefix('http://')}/stream"
    with pytest.raises(InvalidStatus):
        connect(f"{url}?model=nobody")
    for model, bodies in (("good", [IMAGE, b"x", IMAGE]), ("broken", [IMAGE]), ("slow", [IMAGE])):
        with connect(f"{url}?model={model}") as stream:
            for body in bodies:
                stream.send(body)
                json.loads(stream.recv(timeout=30))
    with connect(url) as stream:
        stream.send("text")
        with pytest.raises(ConnectionClosed):
            stream.recv(timeout=30)
    with connect(f"{url}?model=slow") as cut:
        for _ in range(3):
            cut.send(IMAGE)
        wait(lambda: gauges(server)["edge_held_bytes"] >= 2 * len(IMAGE))
        cut.socket.shutdown(socket.SHUT_RDWR)


WAYS = [answered, refused, failed, timed_out, hung_up, overloaded, streamed]


def settled(server: Server) -> dict[str, object]:
    """The state, once nothing is under way and it changes no more."""
    seen: list[dict[str, object]] = []

    def is_settled() -> bool:
        seen.append(state(server))
        nothing = all(seen[-1][f"edge_{name}"] == 0 for name in GAUGES if name != "ready")
        return nothing and len(seen) > SETTLED and all(one == seen[-1] for one in seen[-SETTLED:])

    wait(is_settled)
    return seen[-1]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_process_is_as_it_was_after_requests_that_were(server: Server, way) -> None:
    for each in (answered, way):  # whatever comes into being with the first one
        each(server)
    before = settled(server)
    for _ in range(3):
        way(server)
    assert settled(server) == before


def test_hundreds_of_requests_of_all_kinds_leave_no_memory_behind_and_the_process_ends_well(
    tmp_path,
) -> None:
    with Server(*LIMITS, program=PROGRAM, ready=False) as server:
        wait(lambda: "AVAILABLE" in server.client.get("/v1/models/slow").text)
        for _ in range(3):
            for way in WAYS:
                way(server)
        before = server.resident_mib()
        for _ in range(10):
            for way in WAYS:
                way(server)
        wait(lambda: server.resident_mib() < before + 30, seconds=20)  # each round sends 15 MB
        assert server.stop() == 0
