"""Bodies that do not arrive, or hold memory: the camera beside them is answered all the while."""

import contextlib
import gzip
import json
import socket
import struct
import threading
import time
from contextlib import ExitStack

import httpx
import pytest
from serving.pictures import encoded, picture
from serving.process import Server
from serving.raw import RawConnection, open_stream

from attacks.victim import attack
from edge.api_key import hash_key, new_key

pytestmark = pytest.mark.slow

LONGEST_S = 3.0
"""That the camera may wait for a frame of 10 ms, on a machine with much else to do."""

CUT_S = 20.0
"""In which an attacker must be cut; the bound is 5 s."""

LARGE = 32 << 20


def reply_to(connection: RawConnection) -> tuple[int, str]:
    reply = connection.reply()
    return reply.status, reply.headers.get("x-edge-error", "")


def test_hundreds_of_silent_bodies_refuse_no_camera_and_are_cut(server: Server) -> None:
    """Declared or chunked, silent or a byte now and then; asked for ten minutes, cut after 5 s."""
    heads = (f"Content-Length: {LARGE}", "Transfer-Encoding: chunked")
    paths = ("/predict?deadline_ms=600000", "/v1/models/default:predict")
    with attack(server) as watched, ExitStack() as opened:
        began = time.monotonic()
        silent = []
        for number in range(200):
            connection = opened.enter_context(RawConnection(server.address, timeout=60))
            connection.post_head(paths[number // 2 % 2], heads[number % 2])
            silent.append(connection)
        while time.monotonic() - began < 3:
            for connection in silent[:100]:
                connection.send(b"1\r\n\xff\r\n")  # a chunk, or five bytes of a body
            time.sleep(0.5)
        replies = [reply_to(connection) for connection in silent]
        took = time.monotonic() - began
    assert set(replies) == {(408, "body_timeout")}
    assert took < CUT_S
    assert watched.camera.all_answered, watched.camera.statuses
    assert watched.camera.longest < LONGEST_S
    assert watched.grown_mib < 64


def test_bodies_that_stop_before_their_end_give_their_memory_to_others() -> None:
    """All the memory for bodies but 100 kB is held by bodies that have stopped."""
    with Server(workers=2, max_held_bytes=40_000_000, max_body_bytes=10_000_000) as server:
        frame = encoded(picture(size=(320, 240)), "JPEG")
        large = frame + bytes(9_000_000 - len(frame))
        with ExitStack() as opened:
            for _ in range(4):
                connection = opened.enter_context(RawConnection(server.address))
                connection.post_head("/predict?deadline_ms=600000", "Content-Length: 10000000")
                connection.send(bytes(9_975_000))
            time.sleep(1.5)  # younger ones give way to none
            began = time.monotonic()
            assert server.client.post("/predict", content=large).status_code == 200
            assert time.monotonic() - began < 3


def test_an_operator_signs_in_beside_seventy_forms_that_do_not_arrive() -> None:
    key = new_key()
    keys = json.dumps({"owner": {"hash": hash_key(key), "scopes": ["admin"]}})
    with Server(env={"EDGE_API_KEYS": keys}, ready=False) as server, ExitStack() as opened:
        began = time.monotonic()
        forms = [opened.enter_context(RawConnection(server.address)) for _ in range(70)]
        for form in forms:
            form.post_head("/login", "Content-Length: 4000")
            form.send(b"key=" + bytes(3000))
        signed_in = httpx.post(f"{server.url}/login", data={"key": key}, timeout=30)
        assert signed_in.status_code == 303
        assert "set-cookie" in signed_in.headers
        frame = encoded(picture(size=(64, 48)), "JPEG")
        posted = httpx.post(f"{server.url}/predict", content=frame, headers={"X-API-Key": key})
        assert posted.status_code in {200, 503}
        assert posted.headers.get("x-edge-error") != "overloaded"
        assert {reply_to(form) for form in forms} == {(408, "body_timeout")}
        assert time.monotonic() - began < CUT_S


def close_code(client: socket.socket) -> int:
    """The code with which the server closes the stream; 1006 if it says none."""
    answer = b""
    with contextlib.suppress(ConnectionError):
        while piece := client.recv(4096):
            answer += piece
    at = answer.find(b"\x88")
    return struct.unpack("!H", answer[at + 2 : at + 4])[0] if at >= 0 else 1006


def binary_frame(length: int, *, end: bool = True, first: bool = True) -> bytes:
    """The head of a masked frame with a mask that changes nothing."""
    kind = (0x80 if end else 0) | (0x2 if first else 0)
    return struct.pack("!BBQ", kind, 0x80 | 127, length) + bytes(4)


@pytest.mark.parametrize("whole", [True, False], ids=["one frame", "fragments"])
def test_unfinished_messages_of_streams_are_counted_and_cut(*, whole: bool) -> None:
    mebibyte = bytes(1 << 20)
    with Server(workers=2, max_held_bytes=64 << 20) as server, attack(server) as watched:
        began = time.monotonic()
        streams = [open_stream(server.address) for _ in range(8)]
        for stream in streams:
            with contextlib.suppress(ConnectionError):
                if whole:
                    stream.sendall(binary_frame(32 << 20))
                for number in range(30):
                    head = b"" if whole else binary_frame(1 << 20, end=False, first=not number)
                    stream.sendall(head + mebibyte)
        codes = {close_code(stream) for stream in streams}
        took = time.monotonic() - began
        for stream in streams:
            stream.close()
    assert codes <= {4408, 1013, 1006}
    assert codes & {4408, 1013}
    assert took < CUT_S
    assert watched.grown_mib < 160  # 240 were sent, 64 may be held
    assert watched.camera.longest < LONGEST_S


def test_a_message_that_trickles_is_cut_and_a_slow_one_that_goes_on_is_answered(
    server: Server,
) -> None:
    frame = encoded(picture(size=(320, 240)), "PNG")
    trickling, slow = open_stream(server.address), open_stream(server.address)
    began = time.monotonic()
    for stream in (trickling, slow):
        stream.sendall(binary_frame(len(frame)))
    size = 1 + len(frame) // 12
    ended = threading.Thread(target=lambda: codes.append(close_code(trickling)))
    codes: list[int] = []
    ended.start()
    for start in range(0, len(frame), size):  # over 6 s: longer than the gap
        slow.sendall(frame[start : start + size])
        with contextlib.suppress(ConnectionError):
            trickling.sendall(b"x")
        time.sleep(0.5)
    ended.join(CUT_S)
    assert codes == [4408]
    assert time.monotonic() - began < CUT_S
    assert b'"frame":0' in slow.recv(65536)
    slow.close()
    trickling.close()


def test_answers_on_the_wall_are_counted() -> None:
    frame = encoded(picture(size=(64, 48)), "JPEG")
    with (
        Server(workers=2, wall_bytes=1 << 20, wall_size=1000) as server,
        server.client.stream("GET", "/wall/events") as wall,
        attack(server) as watched,
    ):
        events = wall.iter_raw()  # closes the wall when it is collected
        next(events)
        with httpx.Client(base_url=server.url, timeout=60) as camera:
            for _ in range(150):
                reply = camera.post("/predict/imagenet?top_k=1000&camera=a", content=frame)
                assert reply.status_code == 200
        events.close()
    assert watched.grown_mib < 28  # 150 answers take 38 MiB as objects


def test_compressed_bombs_cost_no_memory(server: Server) -> None:
    bomb = gzip.compress(bytes(200 << 20))
    with attack(server) as watched:
        for path in ("/predict", "/v1/models/default:predict", "/phone/picture") * 10:
            reply = server.client.post(path, content=bomb, headers={"Content-Encoding": "gzip"})
            assert (reply.status_code, reply.headers["x-edge-error"]) == (413, "body_too_large")
    assert watched.grown_mib < 40  # one of them unpacks to 200 MiB
