"""A stream's unfinished message: its bytes count as held, and it has its time."""

import asyncio
import struct
from types import SimpleNamespace

import pytest
import uvicorn
from builders.waiting import until
from serving.raw import WEBSOCKET_HANDSHAKE
from uvicorn.server import ServerState

from edge.dataplane.admission import Admission
from edge.web.transport.counted_messages import STALLED, CountedMessages

MAX_HELD = 100_000


class Wire(asyncio.Transport):
    """The client's end: what was written, and whether the connection was closed."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 1), "sockname": ("192.0.2.2", 2)})
        self.written = b""
        self.closed = False

    def write(self, data):
        self.written += data

    def close(self):
        self.closed = True

    abort = close

    def is_closing(self):
        return self.closed

    def pause_reading(self):
        pass

    resume_reading = pause_reading

    @property
    def close_code(self) -> int:
        at = self.written.rfind(b"\x88")
        return struct.unpack("!H", self.written[at + 2 : at + 4])[0]


def frame(length, *, first=True, end=True):
    kind = (0x80 if end else 0) | (0x2 if first else 0)
    return struct.pack("!BBQ", kind, 0x80 | 127, length) + bytes(4)


def story(told, message_s=30.0, max_held=MAX_HELD):
    """Run a story with a stream that is open, its wire, its admission, and what the app heard."""
    heard = []

    async def app(scope, receive, send):
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            heard.append(len(message["bytes"]))

    async def run():
        config = uvicorn.Config(app, lifespan="off", ws_max_size=1 << 20)
        config.load()
        admission, wire = Admission(1, max_held), Wire()
        stream = CountedMessages(
            config, ServerState(), {}, admission=admission, message_s=message_s
        )
        stream.connection_made(wire)
        stream.data_received(WEBSOCKET_HANDSHAKE)
        await until(lambda: b"101" in wire.written)
        try:
            await told(SimpleNamespace(stream=stream, wire=wire, admission=admission, heard=heard))
        finally:
            stream.connection_lost(None)
            await asyncio.gather(*stream.tasks)
        assert admission.held_bytes == 0

    asyncio.run(run())


@pytest.mark.parametrize("fragments", [False, True], ids=["one frame", "fragments"])
def test_what_has_arrived_of_a_message_is_held_until_it_is_complete(fragments):
    async def told(one):
        if fragments:
            for number in range(3):
                one.stream.data_received(frame(10_000, first=not number, end=False) + bytes(10_000))
            assert 30_000 <= one.admission.held_bytes < 30_100
            one.stream.data_received(frame(10_000, first=False) + bytes(9_000))
        else:
            one.stream.data_received(frame(40_000) + bytes(30_000))
            assert 30_000 <= one.admission.held_bytes < 30_100
            one.stream.data_received(bytes(9_000))
        assert 39_000 <= one.admission.held_bytes < 39_100
        one.stream.data_received(bytes(1_000))
        assert one.admission.held_bytes == 0
        await asyncio.sleep(0.01)
        assert one.heard == [40_000]
        # The end of one message and the beginning of the next in one piece.
        one.stream.data_received(frame(100) + bytes(100) + frame(50_000) + bytes(500))
        assert 500 <= one.admission.held_bytes < 600

    story(told)


def test_a_message_for_which_there_is_no_memory_ends_its_stream():
    async def told(one):
        one.admission.hold(MAX_HELD - 1000)
        one.stream.data_received(frame(50_000) + bytes(2_000))
        assert (one.wire.closed, one.wire.close_code) == (True, 1013)
        assert one.admission.held_bytes == MAX_HELD - 1000
        one.admission.release(MAX_HELD - 1000)

    story(told)


def test_a_message_that_stops_ends_its_stream(monkeypatch):
    monkeypatch.setattr("edge.web.pace.GAP_S", 0.1)

    async def told(one):
        one.stream.data_received(frame(50_000) + bytes(2_000))
        for _ in range(400):
            if one.wire.closed:
                break
            one.stream.data_received(b"x")
            await asyncio.sleep(0.01)
        assert (one.wire.closed, one.wire.close_code) == (True, STALLED)
        assert one.admission.held_bytes == 0

    story(told)


def test_a_message_has_no_longer_than_a_frame_has():
    async def told(one):
        one.stream.data_received(frame(900_000) + bytes(2_000))
        for _ in range(400):
            if one.wire.closed:
                break
            one.stream.data_received(bytes(100))
            await asyncio.sleep(0.01)
        assert (one.wire.closed, one.wire.close_code) == (True, STALLED)

    story(told, message_s=0.1)


def test_a_stream_between_two_messages_is_not_cut(monkeypatch):
    monkeypatch.setattr("edge.web.pace.GAP_S", 0.05)

    async def told(one):
        for _ in range(3):
            one.stream.data_received(frame(100) + bytes(50))
            one.stream.data_received(bytes(50))
            await asyncio.sleep(0.1)
        assert not one.wire.closed
        assert one.heard == [100] * 3

    story(told)


def test_a_slow_message_gives_way_to_others(monkeypatch):
    monkeypatch.setattr("edge.dataplane.arriving.MIN_AGE_S", 0.01)

    async def told(one):
        one.stream.data_received(frame(90_000) + bytes(80_000))
        await asyncio.sleep(0.02)
        one.admission.hold(50_000)
        assert (one.wire.closed, one.wire.close_code) == (True, 1013)
        assert one.admission.held_bytes == 50_000
        one.admission.release(50_000)

    story(told)
