"""The decisions of the transport, without a socket: heads, places, progress, limits."""

import asyncio
import os
import pty
import signal
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders.waiting import until, wait
from serving.process import ROOT, Server, clean_environment

from edge.errors import RequestError
from edge.metrics import ConnectionFigures
from edge.token_bucket import TokenBucket
from edge.web.transport import limits
from edge.web.transport.head import CHUNKED, Head, read_head
from edge.web.transport.parse_queue import ParseQueue
from edge.web.transport.places import Places, site_of
from edge.web.transport.progress import WriteProgress

HOST = (b"host", b"edge")
LENGTH = (b"content-length", b"3")
HANDSHAKE = (HOST, (b"upgrade", b"WebSocket"), (b"connection", b"keep-alive, Upgrade"))


def judged(*headers, method=b"GET", url=b"/stream", version="1.1"):
    return read_head(method, url, version, headers, (b"/stream",))


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (judged(HOST), Head(0, is_handshake=False)),
        (judged(version="1.0"), Head(0, is_handshake=False)),
        (judged(HOST, LENGTH), Head(3, is_handshake=False)),
        (judged(HOST, (b"transfer-encoding", b" Chunked ")), Head(CHUNKED, is_handshake=False)),
        (judged(*HANDSHAKE), Head(0, is_handshake=True)),
        (judged(*HANDSHAKE, url=b"/edge/stream?camera=a"), Head(0, is_handshake=True)),
        (judged(*HANDSHAKE, url=b"/predict?/stream"), Head(0, is_handshake=False)),
        (judged(*HANDSHAKE, method=b"POST"), Head(0, is_handshake=False)),
        (judged(*HANDSHAKE, version="1.0"), Head(0, is_handshake=False)),
        (judged(*HANDSHAKE, LENGTH), Head(3, is_handshake=False)),
        (judged(*HANDSHAKE, (b"upgrade", b"h2c")), Head(0, is_handshake=False)),
        (judged(*HANDSHAKE[:2]), Head(0, is_handshake=False)),
        (judged(HOST, (b"x", b"a" * 32_000)), Head(0, is_handshake=False)),
        (judged(HOST, url=b"/" + b"a" * 8191), Head(0, is_handshake=False)),
        (judged(HOST, *[(b"x", b"")] * 255), Head(0, is_handshake=False)),
    ],
)
def test_a_head_says_how_long_its_body_is_and_whether_it_opens_a_websocket(head, expected):
    assert head == expected


@pytest.mark.parametrize(
    ("headers", "options", "status"),
    [
        ((), {}, 400),
        ((HOST, HOST), {}, 400),
        ((HOST, HOST), {"version": "1.0"}, 400),
        ((HOST,), {"version": "2.0"}, 400),
        ((HOST,), {"version": "0.9"}, 400),
        ((HOST,), {"method": b"CONNECT"}, 400),
        ((HOST, (b"transfer-encoding", b"gzip, chunked")), {}, 400),
        ((HOST, (b"transfer-encoding", b"chunked")), {"version": "1.0"}, 400),
        ((HOST, (b"x", b"a" * 32_768)), {}, 431),
        ((HOST, *[(b"x", b"")] * 256), {}, 431),
        ((HOST,), {"url": b"/" + b"a" * 8192}, 414),
        ((*HANDSHAKE, (b"x", b"a" * 8001)), {}, 431),
        ((*HANDSHAKE, *[(b"x", b"")] * 100), {}, 431),
    ],
)
def test_a_head_is_refused(headers, options, status):
    with pytest.raises(RequestError) as error:
        judged(*headers, **options)
    assert error.value.status == status


class Peer:
    """A connection that only remembers whether it was cut."""

    def __init__(self):
        self.is_cut = False
        self.checked = 0

    def cut(self):
        self.is_cut = True

    def check(self, now):
        self.checked += 1


def places(limit):
    ticks = iter(range(1000))
    return Places(limit, ConnectionFigures(), lambda: float(next(ticks)))


def entered(room, *addresses):
    peers = [Peer() for _ in addresses]
    for peer, address in zip(peers, addresses, strict=True):
        assert room.make_room(address)
        room.enter(peer, address)
    return peers


def test_a_newcomer_takes_the_place_of_the_one_who_has_waited_longest():
    room = places(3)
    first, second, third = entered(room, "a", "a", "a")
    room.work(first)
    room.wait(first)  # it has just answered
    assert room.make_room("a")
    assert (first.is_cut, second.is_cut, third.is_cut) == (False, True, False)
    assert len(room) == 2


def test_silent_newcomers_give_way_before_a_camera_that_keeps_its_connection_alive():
    room = places(3)
    camera, *silent = entered(room, "a", "a", "a")
    room.work(camera)
    room.wait(camera)
    for _ in range(10):  # they keep coming, and the camera sends nothing meanwhile
        silent += entered(room, "a")
    assert not camera.is_cut
    assert [one.is_cut for one in silent] == [True] * 10 + [False] * 2


def test_of_connections_kept_alive_the_one_goes_that_has_waited_longest():
    room = places(2)
    first, second = entered(room, "a", "a")
    for one in (first, second, first):
        room.work(one)
        room.wait(one)
    assert room.make_room("a")
    assert (first.is_cut, second.is_cut) == (False, True)


def test_the_address_that_holds_most_gives_way():
    room = places(4)
    camera, *hostile = entered(room, "camera", "hostile", "hostile", "hostile")
    assert room.make_room("hostile")
    assert [one.is_cut for one in hostile] == [True, False, False]
    room.enter(Peer(), "hostile")
    assert room.make_room("another")
    assert not camera.is_cut


def test_an_address_displaces_none_that_holds_less():
    room = places(3)
    camera, *hostile = entered(room, "camera", "hostile", "hostile")
    for one in hostile:
        room.work(one)
    assert not room.make_room("hostile")
    assert not camera.is_cut
    assert room.make_room("another")  # nobody of the larger waits, and the camera holds more
    assert camera.is_cut


def test_who_works_is_never_displaced():
    room = places(2)
    for one in entered(room, "a", "b"):
        room.work(one)
    assert not room.make_room("c")
    assert "2/2" in repr(room)


def test_a_place_is_free_again_after_its_connection_left_twice():
    room = places(1)
    (one,) = entered(room, "a")
    room.leave(one)
    room.leave(one)
    room.wait(one)
    assert len(room) == 0
    assert room.make_room("a")


def test_a_connection_that_left_is_forgotten():
    room = places(2)
    (one,) = entered(room, "a")
    room.work(one)
    room.leave(one)
    forgotten = weakref.ref(one)
    del one
    assert forgotten() is None


def test_every_connection_is_checked_and_the_log_has_one_line(caplog):
    room = places(2)
    peers = entered(room, "a", "b")
    room.count("head_timeout")
    room.count("head_timeout")
    room.sweep()
    room.sweep()
    assert [peer.checked for peer in peers] == [2, 2]
    assert caplog.messages == [
        "connections refused or cut in the last second: head_timeout 2; 2 of 2 are open"
    ]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        (":", ":", True),
    ],
)
def test_addresses_of_one_site_count_together(one, other, same):
    assert (site_of(one) == site_of(other)) is same


class Buffer:
    """A transport with so many bytes to write."""

    def __init__(self):
        self.left = 0

    def get_write_buffer_size(self):
        return self.left


def test_a_client_is_stalled_if_nothing_was_read_for_the_whole_time():
    buffer, progress = Buffer(), WriteProgress()

    def stalled(left, now):
        buffer.left = left
        return progress.is_stalled(buffer, now)

    assert not stalled(0, 1000)
    assert not stalled(100, 1001)
    assert not stalled(100, 1001 + limits.WRITE_S)
    assert stalled(100, 1002 + limits.WRITE_S)
    assert not stalled(99, 1003 + limits.WRITE_S)  # it reads after all
    assert not stalled(200, 1002 + 2 * limits.WRITE_S)
    assert stalled(200, 1004 + 2 * limits.WRITE_S)
    assert not stalled(0, 1005 + 2 * limits.WRITE_S)


def test_a_bucket_allows_a_burst_and_then_a_rate():
    bucket = TokenBucket(burst=3, rate=2)
    assert [bucket.take(0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(0.5), bucket.take(0.5)] == [True, False]
    assert [bucket.take(100) for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize(
    ("files", "connections"), [(1024, 896), (256, 128), (64, 32), (1, 1), (1 << 20, 4096)]
)
def test_connections_are_limited_by_the_descriptors(files, connections):
    assert limits.connection_limit(files) == connections


@pytest.mark.parametrize(
    ("max_held_bytes", "connections"), [(256 << 20, 4096), (24 << 20, 384), (1000, 64)]
)
def test_connections_are_limited_by_the_memory_for_bodies(max_held_bytes, connections):
    assert limits.connection_limit(1 << 20, max_held_bytes) == connections


def test_the_soft_limit_of_files_is_raised_to_the_hard_one():
    with Server(prefix=("sh", "-c", 'ulimit -Sn 300; ulimit -Hn 400; exec "$@"', "sh")) as server:
        assert "Max open files            400                  400" in (
            Path(f"/proc/{server.pid}/limits").read_text()
        )
        assert "edge_connections_limit 272.0" in server.client.get("/metrics").text


class Eager:
    """A connection that needs so many turns."""

    def __init__(self, queue, name, needed, order):
        self.queue, self.name, self.needed, self.order = queue, name, needed, order

    def go_on(self):
        self.order.append(self.name)
        self.needed -= 1
        if self.needed:
            self.queue.ask(self)


def test_turns_go_round_first_come_first_served():
    order = []

    async def take_turns():
        queue = ParseQueue()
        for name in "abc":
            queue.ask(Eager(queue, name, 2, order))
        assert repr(queue) == "<ParseQueue 3 waiting>"
        await until(lambda: len(order) == 6)

    asyncio.run(take_turns())
    assert order == list("abcabc")


@pytest.fixture
def no_nohup() -> Iterator[None]:
    """The tests may run under nohup, which the service would inherit."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("no_nohup")
def test_sighup_is_ignored_with_a_line_in_the_log():
    with Server() as server:
        server.process.send_signal(signal.SIGHUP)
        wait(lambda: "SIGHUP ignored" in server.log)
        assert server.client.get("/health/live").status_code == 200
        assert server.stop() == 0


IN_ITS_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # the terminal's hangup goes to this session from now on
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.usefixtures("no_nohup")
def test_a_terminal_that_closes_ends_the_service_that_was_started_in_it(tmp_path):
    """In a session of its own with a terminal, as a shell has it."""
    terminal, slave = pty.openpty()
    log = tmp_path / "log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-c", IN_ITS_TERMINAL, sys.executable, "-m", "edge", "serve"],
            cwd=ROOT,
            env=clean_environment() | {"EDGE_PORT": "0"},
            stdin=slave,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    os.close(slave)
    wait(lambda: "edge serves" in log.read_text())
    process.send_signal(signal.SIGHUP)  # by hand, while the terminal is there
    wait(lambda: "SIGHUP ignored" in log.read_text())
    os.close(terminal)
    assert process.wait(30) == 0, log.read_text()
