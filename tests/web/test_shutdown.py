"""The end: every port is closed at once, nobody holds it up, and no signal leaves the service half
ended.
"""

import asyncio
import itertools
import re
import select
import signal
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from types import SimpleNamespace

import httpx
import pytest
import uvicorn
from builders.waiting import wait
from serving.pictures import photo
from serving.process import Server
from serving.raw import RawConnection
from serving.secure import SecureServer, free_port

from edge.metrics import ConnectionFigures
from edge.settings import Settings
from edge.web import server as web_server
from edge.web.app import create_app
from edge.web.transport.places import Places
from edge.wiring.bootstrap import build_service

GRACE_S = 30
"""What the service gives accepted frames if nothing else is set; an end that comes sooner did not
wait for it.
"""


def takes_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 10).close()
    except ConnectionError:
        return False
    return True


def test_all_ports_are_closed_while_an_accepted_frame_is_still_answered(tmp_path):
    pairing, body = free_port(), photo("coffee")
    with SecureServer(tmp_path, "--pairing-port", pairing) as server:
        server.client.close()
        port = int(server.url.rpartition(":")[2])
        context = ssl.create_default_context(cafile=str(server.authority))
        with RawConnection(("127.0.0.1", port), tls=context) as camera:
            camera.hold_place("/predict", len(body))
            assert takes_connections(port)
            assert takes_connections(pairing)
            server.process.send_signal(signal.SIGTERM)
            wait(lambda: not takes_connections(port))
            wait(lambda: not takes_connections(pairing))
            assert server.process.poll() is None
            camera.send(body)
            assert camera.reply().status == 200
        assert server.ended() == 0
        assert "Traceback" not in server.log


def test_one_who_does_not_read_the_pairing_page_does_not_hold_up_the_end(tmp_path):
    pairing = free_port()
    with SecureServer(tmp_path, "--pairing-port", pairing) as server, socket.socket() as idler:
        server.client.close()
        idler.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idler.connect(("127.0.0.1", pairing))
        idler.sendall(b"GET /static/style.css HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3000)
        assert select.select([idler], [], [], 30)[0]
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < GRACE_S - 5


@pytest.mark.slow
def test_a_second_sigterm_takes_nothing_from_accepted_frames():
    body = photo("coffee")
    with Server() as server, RawConnection(server.address) as camera:
        camera.hold_place("/predict", len(body))
        server.process.send_signal(signal.SIGTERM)
        wait(lambda: not takes_connections(server.address[1]))
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)  # longer than its loop looks for signals
        assert server.process.poll() is None
        camera.send(body)
        assert camera.reply().status == 200
        assert server.ended() == 0


def test_a_second_ctrl_c_does_not_wait_for_a_caller_that_never_sends_its_body():
    with Server() as server, RawConnection(server.address) as camera:
        camera.hold_place("/predict", 1000)
        server.process.send_signal(signal.SIGINT)
        wait(lambda: not takes_connections(server.address[1]))
        assert server.process.poll() is None
        began = time.monotonic()
        assert server.stop(by=signal.SIGINT) == 0
        assert time.monotonic() - began < GRACE_S - 5


STOPPED_IN_ITS_START = """
import os, signal
from edge.wiring.bootstrap import build_service
from edge.settings import load_settings
from edge.web.server import serve

def stop(url, settings):
    print("edge serves on", url, flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

settings = load_settings()
serve(build_service(settings), settings, on_listening=stop)
"""


def test_a_signal_in_the_start_itself_ends_it_with_exit_code_0_and_no_loose_ends(tmp_path):
    """Before what runs beside the server was begun."""
    environment = {"EDGE_PORT": "0", "EDGE_TLS": "true", "EDGE_DATA": str(tmp_path)}
    environment["EDGE_PAIRING_PORT"] = str(free_port())
    program = ("-c", STOPPED_IN_ITS_START)
    with SecureServer(tmp_path, program=program, env=environment, ready=False) as server:
        assert server.ended() == 0
        assert "Traceback" not in server.log
        assert "never awaited" not in server.log


def test_a_signal_refuses_new_frames_from_that_moment_on():
    service, settings = build_service(Settings(workers=1)), Settings()
    app = create_app(service, settings)
    one = web_server._Server(
        uvicorn.Config(app, log_config=None),
        Places(8, ConnectionFigures()),
        service,
        [],
        lambda: None,
    )

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            replies = [await client.post("/predict", content=b"x")]
            one.handle_exit(signal.SIGTERM, None)
            replies.append(await client.post("/predict", content=b"x"))
            replies.append(await client.get("/health/ready"))
            replies.append(await client.get("/health/live"))
        await service.stop()
        return replies

    before, after, ready, live = asyncio.run(ask())
    assert before.headers["X-Edge-Error"] == "model_unavailable"  # none was loaded
    assert (after.status_code, after.headers["X-Edge-Error"]) == (503, "shutting_down")
    assert (ready.status_code, ready.json()["reason"]) == (503, "the service is stopping")
    assert live.status_code == 200
    assert one.should_exit


@pytest.mark.slow
def test_an_idle_connection_is_kept_for_more_than_a_minute_s_half():
    """A camera that posts now and then need not connect anew each time."""
    with Server() as server, RawConnection(server.address) as camera:
        for pause in (0, 32):
            time.sleep(pause)
            camera.send(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert camera.reply().status == 200


@pytest.mark.parametrize(
    ("name", "url"),
    [
        (("127.0.0.1", 8501), "http://127.0.0.1:8501"),
        (("0.0.0.0", 80), "http://localhost:80"),
        (("::1", 8501, 0, 0), "http://[::1]:8501"),
        (("::", 8501, 0, 0), "http://localhost:8501"),
    ],
)
def test_the_url_that_is_told_can_be_opened(name, url):
    assert web_server._url(SimpleNamespace(getsockname=lambda: name), "http") == url


def post_frames(url: str, camera: int, received: dict[str, int], over: threading.Event) -> None:
    """Post one frame after another, each over a connection of its own, and note the statuses."""
    frame = photo("coffee")
    for count in itertools.count():
        if over.is_set():
            return
        identity = f"camera-{camera}-{count}"
        request = urllib.request.Request(f"{url}/predict", frame, {"X-Request-ID": identity})
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                received[identity] = reply.status
        except urllib.error.HTTPError as refusal:
            with refusal:
                received[identity] = refusal.status
        except OSError:  # it was never accepted
            pass


@pytest.mark.slow
@pytest.mark.parametrize("_", range(5))
def test_connections_that_open_in_the_moment_of_the_stop_are_answered_and_do_not_hold_it_up(_):
    """Cameras that connect for each frame: one of them is always about to be accepted."""
    received: dict[str, int] = {}
    over = threading.Event()
    with Server() as server:
        cameras = [
            threading.Thread(target=post_frames, args=(server.url, number, received, over))
            for number in range(8)
        ]
        for camera in cameras:
            camera.start()
        time.sleep(1)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 20  # its grace is 30
        over.set()
        for camera in cameras:
            camera.join()
        answers = re.findall(r"status=(\d+) .*request_id=(camera\S+)", server.log)
        logged = {identity: int(status) for status, identity in answers}
        assert {identity: received.get(identity) for identity in logged} == logged
        assert "Traceback" not in server.log
