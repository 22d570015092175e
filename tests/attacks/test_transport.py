"""Attacks below the application: endless heads, silent connections, floods of tiny frames.

Each leaves the camera beside it answered. Times are shortened where the bound is a time.
"""

import contextlib
import itertools
import re
import resource
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from builders.waiting import wait
from serving.pictures import encoded, photo, picture
from serving.process import Server
from serving.raw import RawConnection, Reply, open_stream
from serving.secure import SecureServer, free_port

from attacks.victim import attack, reset_peak, resident_mib

pytestmark = pytest.mark.slow

MIB = 1 << 20
SENT = 39 * MIB
"""What an attacker sends if nobody stops him: a GB of memory before heads were bounded."""
GROWN_MIB = 96
"""Memory that a connection's attack may cost at its worst, buffers of the sockets' included."""
STALL_S = 1.5
"""Longest wait of a camera beside an attack, on a machine that has other work too."""
HEAD_S = 1.0
WRITE_S = 1.0
NOTICED_S = 4.0
"""Within which a time limit is noticed: the connections are looked at once a second."""

HASTY = f"""
from edge.cli import main
try:
    from edge.web.transport import limits
    limits.HEAD_S, limits.WRITE_S = {HEAD_S}, {WRITE_S}
except ImportError:  # a version without bounds
    pass
main()
"""

HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\n"
GET = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def hasty() -> Iterator[Server]:
    """A server with short time limits."""
    with Server(program=("-c", HASTY), workers=1) as running:
        yield running


def few_files(files: int) -> tuple[str, ...]:
    """A command that runs another one with so many descriptors at most."""
    return ("sh", "-c", f'ulimit -n {files}; exec "$@"', "sh")


def flood(address: tuple[str, int], first: bytes, again: bytes) -> tuple[int, Reply | None]:
    """Send and send; return how many bytes went before the server cut, and its reply."""
    with RawConnection(address) as attacker:
        sent = 0
        with contextlib.suppress(OSError):
            attacker.send(first)
            while sent < SENT:
                attacker.send(again)
                sent += len(again)
        try:
            return sent, attacker.reply()
        except (OSError, AssertionError):
            return sent, None


LINES = b"a:b\r\n" * 10_000

ENDLESS = {
    "header lines": (GET, LINES, 431, "head_too_large"),
    "one header value": (GET + b"X: ", b"a" * 65_536, 431, "head_too_large"),
    "one header name": (GET, b"a" * 65_536, 431, "head_too_large"),
    "the url": (b"GET /", b"a" * 65_536, 414, "url_too_long"),
    "the method": (b"", b"A" * 65_536, 400, "bad_request"),
    "blank lines": (b"", b"\r\n" * 32_768, 431, "head_too_large"),
    "trailers": (CHUNKED + b"3\r\nabc\r\n0\r\n", LINES, 431, "head_too_large"),
    "one trailer": (CHUNKED + b"3\r\nabc\r\n0\r\nX: ", b"a" * 65_536, 431, "head_too_large"),
    "a chunk's extension": (CHUNKED + b"3;", b"a" * 65_536, 431, "head_too_large"),
    "zeros of a chunk's size": (CHUNKED, b"0" * 65_536, 431, "head_too_large"),
    "chunks of one byte": (CHUNKED, b"1\r\na\r\n" * 10_000, 431, "head_too_large"),
    "extensions of all chunks": (CHUNKED, (b"1;%s\r\na\r\n" % (b"x" * 500)) * 100, 431, ""),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_what_has_no_end_beside_a_body_is_refused_and_cut(server: Server, what: str) -> None:
    first, again, status, code = ENDLESS[what]
    with attack(server) as attacked:
        sent, reply = flood(server.address, first, again)
    assert sent < SENT
    assert attacked.grown_mib < GROWN_MIB
    assert attacked.camera.all_answered
    assert attacked.camera.longest < STALL_S
    if reply is not None:  # else the cut overtook it: this client reads only when it cannot write
        assert reply.status == status
        assert reply.headers["connection"] == "close"
        assert code in {"", reply.code}


@pytest.mark.parametrize("what", ENDLESS)
def test_the_refusal_can_be_read_by_a_client_that_stops_in_time(server: Server, what: str) -> None:
    first, again, status, code = ENDLESS[what]
    with RawConnection(server.address) as client:
        client.send(first + again[:65_536])
        reply = client.reply()
    assert (reply.status, reply.headers["connection"]) == (status, "close")
    assert code in {"", reply.code}
    assert re.fullmatch("[0-9a-f]{16}", reply.headers["x-request-id"])


UPGRADES = ["h2c", "websocket", "TLS/1.0", "x, websocket"]


@pytest.mark.parametrize("upgrade", UPGRADES)
@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("path", ["/predict", "/v1/models/default:predict", "/stream"])
def test_a_body_is_the_body_whatever_upgrade_is_asked_for(
    server: Server, upgrade: str, framing: str, path: str
) -> None:
    """It comes after the head, as at the end of a proxy that waited for it."""
    smuggled = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
    lines = [f"Upgrade: {upgrade}", "Connection: keep-alive, Upgrade"]
    if framing == "length":
        lines.append(f"Content-Length: {len(smuggled)}")
        body = smuggled
    else:
        lines.append("Transfer-Encoding: chunked")
        body = b"%x\r\n%s\r\n0\r\nX: y\r\n\r\n" % (len(smuggled), smuggled)
    with RawConnection(server.address) as client:
        client.post_head(path, *lines)
        time.sleep(0.1)
        client.send(body)
        first = client.reply()
        assert first.status in {400, 404, 415}
        client.send(GET + b"\r\n")  # the very next reply must be this one's
        assert client.reply().json() == {"live": True}


def test_a_picture_that_asks_for_an_upgrade_is_answered(server: Server) -> None:
    """As `curl --http2 --data-binary @photo.jpg` sends it."""
    frame = photo("coffee")
    with RawConnection(server.address) as curl:
        lines = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"]
        curl.post_head("/predict", *lines, f"Content-Length: {len(frame)}")
        time.sleep(0.1)
        curl.send(frame)
        reply = curl.reply()
    assert reply.status == 200
    assert reply.json()["predictions"][0]["label"] == "espresso"


AMBIGUOUS = {
    "length and coding": "Content-Length: 3\r\nTransfer-Encoding: chunked",
    "coding and length": "Transfer-Encoding: chunked\r\nContent-Length: 3",
    "two lengths": "Content-Length: 3\r\nContent-Length: 4",
    "the same length twice": "Content-Length: 3\r\nContent-Length: 3",
    "lengths in one line": "Content-Length: 3, 3",
    "a signed length": "Content-Length: +3",
    "two codings": "Transfer-Encoding: gzip, chunked",
    "a coding in two lines": "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
    "an unknown coding": "Transfer-Encoding: xchunked",
    "identity": "Transfer-Encoding: identity",
    "a folded line": "X: a\r\n b\r\nContent-Length: 3",
    "a folded coding": "Transfer-Encoding:\r\n chunked",
    "a blank before the colon": "Content-Length : 3",
    "a bare line feed": "X: a\nContent-Length: 3",
    "a second host": "Host: other\r\nContent-Length: 3",
    "a control character": "X: a\x01b\r\nContent-Length: 3",
}


@pytest.mark.parametrize("what", AMBIGUOUS)
def test_a_head_that_two_servers_may_read_differently_is_refused(server: Server, what: str) -> None:
    with RawConnection(server.address) as client:
        client.send(HEAD + AMBIGUOUS[what].encode("latin-1") + b"\r\n\r\nabc")
        reply = client.reply()
        assert (reply.status, reply.code) == (400, "bad_request")
        assert reply.headers["connection"] == "close"


def test_a_thousand_silent_connections_shut_out_no_camera() -> None:
    """More than there are descriptors; half of them have sent half a head."""
    with Server(prefix=few_files(256), workers=1) as server, contextlib.ExitStack() as held:
        frame = encoded(picture(size=(64, 48)), "JPEG")
        raise_own_limit()
        with attack(server) as attacked:
            for number in range(1100):
                idler = held.enter_context(socket.create_connection(server.address, 10))
                with contextlib.suppress(OSError):  # it may have been displaced already
                    idler.sendall(GET if number % 2 else b"")
                if number % 100 == 99:  # a camera that connects anew
                    assert httpx.post(f"{server.url}/predict", content=frame).status_code == 200
        assert attacked.camera.all_answered
        assert attacked.camera.longest < STALL_S
        wait(lambda: "displaced" in server.log)  # once a second
        lines = [line for line in server.log.splitlines() if "displaced" in line]
        seconds = [line.split(".")[0] for line in lines]
        assert len(lines) <= len(set(seconds)) + 1, lines


def test_beyond_the_limit_a_newcomer_is_refused_with_words_and_the_others_stay() -> None:
    """Every connection has a request in progress, so that none can be closed."""
    with Server(prefix=few_files(64), workers=1) as server, contextlib.ExitStack() as held:
        server.client.close()
        frame = encoded(picture(size=(64, 48)), "JPEG")
        cameras = []
        refusal = None
        while refusal is None:
            camera = held.enter_context(RawConnection(server.address))
            camera.post_head("/predict", f"Content-Length: {len(frame)}", "Expect: 100-continue")
            first = camera.reply()
            if first.status == 100:
                cameras.append(camera)
            else:
                refusal = first
            assert len(cameras) < 64
        assert (refusal.status, refusal.code) == (503, "too_many_connections")
        assert refusal.headers["retry-after"] == "1"
        for camera in cameras[:3]:
            camera.send(frame)
            assert camera.reply().status == 200
        assert len(cameras) >= 30
        wait(lambda: "too_many_connections" in server.log)


def raise_own_limit() -> None:
    """For the attacker's own sockets."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 if hard == resource.RLIM_INFINITY else min(hard, 4096)
    if wanted < 2048:
        pytest.skip("this process may not open enough sockets")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def ended_after(connection: socket.socket, began: float) -> tuple[float, bytes]:
    """Seconds until the server cut, and what it said."""
    connection.settimeout(20)
    heard = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65_536):
            heard += part
    return time.monotonic() - began, heard


SILENCES = {
    "nothing": (b"", b""),
    "a byte": (b"G", b"HTTP/1.1 408 "),
    "half a head": (GET, b"HTTP/1.1 408 "),
    "a blank line": (b"\r\n", b""),
    # answered; the rest never comes
    "half a body": (GET + b"Content-Length: 5\r\n\r\nab", b"HTTP/1.1 200 "),
    "a second half head": (GET + b"\r\n" + GET, b"HTTP/1.1 200 "),
}


def test_a_head_that_does_not_come_is_cut(hasty: Server) -> None:
    began = time.monotonic()
    with contextlib.ExitStack() as held:
        silent = {}
        for what, (sent, _) in SILENCES.items():
            silent[what] = held.enter_context(socket.create_connection(hasty.address))
            silent[what].sendall(sent)
        for what, (_, expected) in SILENCES.items():
            seconds, heard = ended_after(silent[what], began)
            assert heard.startswith(expected), what
            assert bool(heard) == bool(expected), what
            assert HEAD_S - 0.1 < seconds < HEAD_S + NOTICED_S, what


def test_a_head_byte_by_byte_is_cut_as_well(hasty: Server) -> None:
    with socket.create_connection(hasty.address) as slow, attack(hasty) as attacked:
        began = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in itertools.chain(GET, itertools.repeat(ord("a"), 200)):
                slow.sendall(bytes([byte]))
                time.sleep(0.05)
        assert time.monotonic() - began < HEAD_S + NOTICED_S + 2
        slow.settimeout(5)
        with contextlib.suppress(ConnectionError):
            assert slow.recv(65_536).startswith(b"HTTP/1.1 408 ")
    assert attacked.camera.all_answered


def test_an_idle_connection_is_kept_between_requests(hasty: Server) -> None:
    with RawConnection(hasty.address) as camera:
        camera.send(GET + b"\r\n")
        assert camera.reply().status == 200
        time.sleep(HEAD_S + 2.5)
        camera.send(GET + b"\r\n")
        assert camera.reply().status == 200


def masked(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """A client's frame; its mask is zero."""
    first = (0x80 if fin else 0) | opcode
    if len(payload) < 126:
        return bytes([first, 0x80 | len(payload), 0, 0, 0, 0]) + payload
    return struct.pack("!BBH", first, 0x80 | 126, len(payload)) + bytes(4) + payload


FLOODS = {
    "fragments of no bytes": masked(0, b"", fin=False),
    "fragments of one byte": masked(0, b"a", fin=False),
    "fragments of 600 bytes": masked(0, b"a" * 600, fin=False),
    "pings": masked(9, b"a"),
    "pongs": masked(10, b""),
    "messages of one byte": masked(2, b"a"),
}


@pytest.mark.parametrize("what", FLOODS)
def test_a_flood_of_frames_ends_its_stream_and_stalls_no_camera(server: Server, what: str) -> None:
    frames = FLOODS[what] * 2000
    begin = masked(2, b"a", fin=False) if what.startswith("fragments") else b""
    with attack(server) as attacked:
        stream = open_stream(server.address, 10)
        heard = bytearray()
        reader = threading.Thread(target=lambda: heard.extend(rest_of(stream)), daemon=True)
        reader.start()
        began = time.monotonic()
        sent = 0
        with contextlib.suppress(OSError):
            stream.sendall(begin)
            while time.monotonic() - began < 10:
                stream.sendall(frames)
                sent += 2000
        reader.join(10)
        stream.close()
    assert time.monotonic() - began < 10
    assert sent < 2_000_000
    if heard:  # a reset may have overtaken the close frame
        assert struct.pack("!H", 1008) in heard
    assert attacked.camera.all_answered
    assert attacked.camera.longest < STALL_S
    assert attacked.grown_mib < GROWN_MIB


def test_the_close_code_of_too_many_frames_can_be_read(server: Server) -> None:
    with contextlib.closing(open_stream(server.address, 10)) as stream:
        stream.sendall(masked(2, b"a", fin=False) + masked(0, b"a", fin=False) * 5000)
        heard = rest_of(stream)
    assert struct.pack("!H", 1008) in heard


def rest_of(connection: socket.socket) -> bytes:
    heard = b""
    with contextlib.suppress(OSError):
        while part := connection.recv(65_536):
            heard += part
    return heard


def test_a_flood_of_pipelined_requests_costs_no_memory_and_is_answered_in_order(
    server: Server,
) -> None:
    """Each read of 256 KiB holds 6,000 of them, which were all started at once."""
    requests = (GET + b"\r\n") * 6000
    with attack(server) as attacked, contextlib.ExitStack() as held:
        flooding = [
            held.enter_context(socket.create_connection(server.address, 10)) for _ in range(20)
        ]
        for one in flooding:
            one.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                one.send(requests)
        time.sleep(1)
    assert attacked.grown_mib < GROWN_MIB
    assert attacked.camera.all_answered
    assert attacked.camera.longest < STALL_S


def unread(address: tuple[str, int], request: bytes, times: int = 1) -> socket.socket:
    """A client with a small window that asks and does not read."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(address)
    deaf.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        deaf.send(request * times)
    return deaf


def cut_count(server: Server, reason: str) -> int:
    text = server.client.get("/metrics").text
    found = re.search(rf'edge_connections_cut_total{{reason="{reason}"}} (\d+)', text)
    return int(found[1]) if found else 0


def test_who_does_not_read_answers_is_cut(hasty: Server) -> None:
    before = cut_count(hasty, "unread_reply")
    page = b"GET /static/style.css HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with attack(hasty) as attacked:
        deaf = [unread(hasty.address, page, 3000) for _ in range(10)]
        wait(lambda: cut_count(hasty, "unread_reply") >= before + 10, seconds=20)
        for one in deaf:
            one.close()
    assert attacked.grown_mib < GROWN_MIB
    assert attacked.camera.all_answered


def test_walls_that_are_not_read_are_closed_and_free_their_places(hasty: Server) -> None:
    events = b"GET /wall/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with attack(hasty) as attacked, contextlib.ExitStack() as held:

        def is_full() -> bool:  # on a busy machine the first are closed before the last have come
            held.enter_context(unread(hasty.address, events))
            return wall_status(hasty) == 429

        wait(is_full)
        frame = encoded(picture(size=(64, 48)), "JPEG")
        began = time.monotonic()
        while wall_status(hasty) == 429:
            assert time.monotonic() - began < 60
            for number in range(5):  # of one camera, a wall is sent one frame a second
                hasty.client.post(f"/predict?top_k=1000&camera=c{number}", content=frame)
    assert attacked.camera.all_answered
    assert attacked.grown_mib < 2 * GROWN_MIB


def wall_status(server: Server) -> int:
    with server.client.stream("GET", "/wall/events") as reply:
        return reply.status_code


def test_the_pairing_port_and_a_handshake_of_tls_have_the_same_bounds(tmp_path: Path) -> None:
    pairing = ("127.0.0.1", free_port())
    flags = ["--pairing-port", pairing[1]]
    with SecureServer(tmp_path, *flags, program=("-c", HASTY), workers=1) as server:
        reset_peak(server.pid)
        before = resident_mib(server.pid, "VmRSS")
        for first, again, status, _ in ENDLESS.values():
            sent, reply = flood(pairing, first, again)
            assert sent < SENT
            assert reply is None or reply.status in {status, 404, 405}
        assert resident_mib(server.pid, "VmHWM") - before < GROWN_MIB
        with RawConnection(pairing) as client:
            client.send(b"GET /pair/info HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
            assert client.reply().code == "bad_request"

        secure = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        began = time.monotonic()
        with contextlib.ExitStack() as held:
            silent = []
            for address, sent in ((pairing, b"GET"), (secure, b""), (secure, b"\x16\x03\x01")):
                silent.append(held.enter_context(socket.create_connection(address)))
                silent[-1].sendall(sent)
            for one in silent:
                seconds, _ = ended_after(one, began)
                assert HEAD_S - 0.1 < seconds < HEAD_S + NOTICED_S
        context = ssl.create_default_context(cafile=str(server.authority))
        with RawConnection(secure, tls=context) as client:
            client.send(GET + b"X: " + b"a" * 40_000 + b"\r\n\r\n")
            assert (client.reply().status) == 431
