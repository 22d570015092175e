"""Refusals before the framework: the same as its own, and only where it would refuse as well."""

import asyncio
import json
import logging
import time
from contextlib import ExitStack
from datetime import date

import pytest
import uvicorn
from builders.waiting import until
from prometheus_client import generate_latest
from serving.direct import DirectClient
from starlette.responses import Response
from uvicorn.server import ServerState

from edge.api_key import hash_key
from edge.metrics import ConnectionFigures
from edge.settings import Settings
from edge.web.app import create_app
from edge.web.transport.places import Places
from edge.web.transport.refusal_pace import PACE_S
from edge.web.transport.refusing_http import RefusingHttp
from edge.wiring.bootstrap import build_service

SLOTS = 4  # with fewer there are no turns
DATE = (b"date", b"Thu, 26 Nov 2026 10:00:00 GMT")
KEYS = {
    "line": {"hash": hash_key("good"), "scopes": ["predict"]},
    "wall": {"hash": hash_key("viewer"), "scopes": ["view"]},
    "old": {"hash": hash_key("old"), "scopes": ["predict"], "expires": date(2020, 1, 1)},
}
KEYED = {"api_keys": KEYS}
FRAMES = (
    "/predict",
    "/predict?camera=north&top_k=3",
    "/predict/objects",
    "/predict/nothing",  # as in the framework: the model is looked up with the frame
    "/v1/models/imagenet:predict",
    "/v1/models/imagenet/versions/1:predict",
)


class Full:
    """An application whose slots are all taken while the context lasts."""

    def __init__(self, **settings):
        self.settings = Settings(workers=1, queue_size=SLOTS - 1, **settings)
        self.service = build_service(self.settings)
        self.app = create_app(self.service, self.settings)
        self._slots = ExitStack()

    def __enter__(self):
        for _ in range(SLOTS):
            self._slots.enter_context(self.service.admission.admit())
        return self

    def __exit__(self, *_):
        self._slots.close()
        self.service.pool.close()

    def early(self, url, headers=None, client=("127.0.0.1", 4000)):
        """The reply on a running loop: status line, headers, body; ``None`` if there is none."""

        async def ask():
            return refuse(self.app.state.early_refusals, url, headers, client)

        reply = asyncio.run(ask())
        return None if reply is None else taken_apart(reply)


def scope(headers, client):
    named = {"host": "localhost:8501"} | headers
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    return {"type": "http", "scheme": "http", "client": client, "headers": raw}


def refuse(refusals, url, headers=None, client=("127.0.0.1", 4000)):
    head = refusals.read_head(scope(headers or {}, client), url)
    return None if head is None else refusals.refuse(head, client, [DATE])


def taken_apart(reply):
    head, _, body = reply.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines), body


@pytest.mark.parametrize("origins", [(), ("https://shop.example",)])
@pytest.mark.parametrize("prefix", ["", "/edge"])
@pytest.mark.parametrize("path", FRAMES)
def test_an_early_refusal_is_the_frameworks_own(path, prefix, origins):
    with Full(root_path=prefix, allowed_origins=origins) as full:
        theirs = DirectClient(full.app).post(prefix + path, content=b"x")
        status, headers, body = full.early((prefix + path).encode())
    assert (status, theirs.status_code) == ("HTTP/1.1 503 Service Unavailable", 503)
    assert headers.pop("date") == DATE[1].decode()
    assert len(headers.pop("x-request-id")) == len(theirs.headers.pop("x-request-id"))
    assert headers == dict(theirs.headers)
    assert body == theirs.content


def test_an_early_refusal_carries_the_callers_request_id():
    with Full() as full:
        _, headers, _ = full.early(b"/predict", {"x-request-id": "gate-7"})
    assert headers["x-request-id"] == "gate-7"


@pytest.mark.parametrize(
    ("url", "headers", "status"),
    [
        ("/predict?colour=red", {}, 400),
        ("/predict?camera=a%07b", {}, 400),
        ("/predict/objects?model=imagenet", {}, 400),
        ("/v1/models/nothing:predict", {}, 404),
        ("/v1/models/imagenet/versions/9:predict", {}, 404),
        ("/v1/models/imagenet:classify", {}, 501),
        ("/nothing", {}, 404),
        ("/predict", {"host": "attacker.example"}, 421),
        ("/predict", {"host": "a b"}, 400),
        ("/predict", {"origin": "https://attacker.example"}, 403),
        ("/predict", {"sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_a_request_with_a_fault_is_left_to_the_framework(url, headers, status):
    with Full() as full:
        assert full.early(url.encode(), headers) is None
        theirs = DirectClient(full.app).post(url, headers=headers)
    assert theirs.status_code == status


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({}, False),
        ({"x-api-key": "bad"}, False),
        ({"x-api-key": "old"}, False),
        ({"x-api-key": "viewer"}, False),
        ({"cookie": "edge_key=bad"}, False),
        ({"x-api-key": "good"}, True),
        ({"authorization": "Bearer good"}, True),
        ({"authorization": "Basic bGluZTpnb29k"}, True),
        ({"cookie": "edge_key=good"}, True),
    ],
)
def test_only_a_good_key_learns_of_an_overload_and_waits_for_a_turn(headers, refused):
    with Full(**KEYED) as full:
        full.service.admission.refusal(("127.0.0.9", 1))
        before = repr(full.service.admission._turns)
        reply = full.early(b"/predict", headers)
        assert (reply is not None) == refused
        assert (repr(full.service.admission._turns) != before) == refused


def test_a_trusted_proxy_says_whose_turn_it_is():
    with Full(trusted_proxies=("127.0.0.0/8",)) as full:
        full.early(b"/predict", {"x-forwarded-for": "192.0.2.7"})
        assert list(full.service.admission._turns._since) == [("192.0.2.7", 0)]


def test_nothing_is_refused_while_a_slot_is_free_nor_by_a_service_that_stops():
    full = Full()
    assert full.early(b"/predict") is None
    with full:
        full.service.refuse_new()
        assert full.early(b"/predict") is None


def test_each_early_refusal_is_counted_by_door_and_model():
    with Full() as full:
        for _ in range(3):
            full.early(b"/predict/objects")
        full.early(b"/predict/nothing")
        text = generate_latest(full.app.state.early_refusals._metrics.registry).decode()
    outcome = 'outcome="overloaded"}'
    assert f'edge_requests_total{{door="camera",model="objects",{outcome} 3.0' in text
    assert f'edge_requests_total{{door="camera",model="unknown",{outcome} 1.0' in text
    assert 'edge_request_duration_seconds_count{door="camera"} 4.0' in text


def test_early_refusals_share_a_log_line_that_has_their_number(monkeypatch, caplog):
    monkeypatch.setattr("edge.web.early_refusal._REPORT_S", 0.05)

    async def story(refusals):
        for _ in range(5):
            assert refuse(refusals, b"/predict")
        await until(lambda: caplog.records)

    with Full() as full, caplog.at_level(logging.INFO, "edge.requests"):
        asyncio.run(story(full.app.state.early_refusals))
    (record,) = caplog.records
    assert record.edge_facts["count"] == 5


def test_the_message_of_an_early_refusal_keeps_up_with_the_slots():
    with Full() as full:
        assert b"4 requests" in full.early(b"/predict")[2]
        full.service.admission._in_flight += 1
        body = full.early(b"/predict")[2]
        full.service.admission._in_flight -= 1
    assert json.loads(body)["error"]["message"].startswith("5 requests")


class Wire:
    """A transport that keeps what is written."""

    def __init__(self):
        self.sent = b""
        self.is_closed = False

    def get_extra_info(self, name):
        return {"peername": ("127.0.0.1", 4000), "sockname": ("127.0.0.1", 8501)}.get(name)

    def write(self, data):
        self.sent += data

    def is_closing(self):
        return self.is_closed

    def close(self):
        self.is_closed = True

    def get_write_buffer_size(self):
        return 0

    abort = write_eof = close

    def pause_reading(self):
        """Nothing more is sent here than what is wanted."""

    resume_reading = pause_reading

    def can_write_eof(self):
        return True


def connection_to(app, wire, plain_app=None):
    config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none", server_header=False)
    config.load()
    places = Places(4, ConnectionFigures())
    protocol = RefusingHttp(config, ServerState(), {}, places, app.state.early_refusals)
    places.enter(protocol, "127.0.0.1")
    if plain_app is not None:
        protocol.answer_with(plain_app, places.clock())
    protocol.connection_made(wire)
    return protocol


@pytest.mark.parametrize("piece", [100, 8192, 1 << 20])
@pytest.mark.parametrize("body", [0, 5, 8192, 60_000])
def test_a_refused_body_is_discarded_and_the_connection_goes_on(body, piece):
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % body
    sent = (head + b"P" * body) * 3

    async def story(app):
        wire = Wire()
        protocol = connection_to(app, wire)
        for start in range(0, len(sent), piece):
            protocol.data_received(sent[start : start + piece])
        await until(lambda: wire.sent.count(b"HTTP/1.1 503") == 3)
        assert wire.sent.count(b"HTTP/1.1") == 3
        assert not wire.is_closed
        assert not protocol.server_state.tasks  # the framework has seen none of them
        protocol.connection_lost(None)

    with Full() as full:
        asyncio.run(story(full.app))


@pytest.mark.parametrize(
    "line", [b"Connection: close", b"Upgrade: h2c\r\nConnection: Upgrade", b"Expect: 100-continue"]
)
def test_what_ends_or_changes_a_connection_gets_one_refusal(line):
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n" + line

    async def story(app):
        wire = Wire()
        connection_to(app, wire).data_received(head + b"\r\n\r\nabc")
        await until(lambda: b"overloaded" in wire.sent)
        assert wire.sent.count(b"HTTP/1.1 ") == 1
        assert wire.is_closed == (line == b"Connection: close")

    with Full() as full:
        asyncio.run(story(full.app))


def test_a_client_that_reads_no_refusals_gets_no_more_of_them_at_once():
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"

    async def story(app):
        wire = Wire()
        protocol = connection_to(app, wire)
        protocol.pause_writing()  # as a transport does whose buffer is full
        protocol.data_received(head * 50)
        for _ in range(20):
            await asyncio.sleep(0)
        assert wire.sent == b""
        protocol.connection_lost(None)

    with Full() as full:
        asyncio.run(story(full.app))


HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"


class NoParser:
    """Stands for a parser that must not be needed."""

    def feed_data(self, data):
        raise AssertionError(data)


async def answered(wire, count):
    await until(lambda: wire.sent.count(b"HTTP/1.1 503") == count)


def test_a_head_that_was_refused_before_is_refused_unparsed():
    async def story(app):
        wire = Wire()
        protocol = connection_to(app, wire)
        protocol.data_received(HEAD % 3 + b"abc")
        await answered(wire, 1)
        first, wire.sent = wire.sent, b""
        protocol.parser = NoParser()
        protocol.data_received(HEAD % 5 + b"vwxyz")
        await answered(wire, 1)
        protocol.connection_lost(None)
        return taken_apart(first), taken_apart(wire.sent)

    with Full() as full:
        (status, headers, body), repeated = asyncio.run(story(full.app))
    assert len(headers.pop("x-request-id")) == len(repeated[1].pop("x-request-id"))
    assert repeated == (status, headers, body)


@pytest.mark.parametrize("pieces", [[b"", b"0123456789"], [b"01234", b"56789"], [b"0123456789"]])
def test_the_body_of_an_unparsed_request_is_discarded_however_it_arrives(pieces):
    async def story(app):
        wire = Wire()
        protocol = connection_to(app, wire)
        protocol.data_received(HEAD % 0)
        protocol.data_received(HEAD % 10 + pieces[0])
        for piece in pieces[1:]:
            protocol.data_received(piece)
        protocol.data_received(HEAD % 0)
        await answered(wire, 3)
        assert not wire.is_closed
        protocol.connection_lost(None)

    with Full() as full:
        asyncio.run(story(full.app))


def test_a_remembered_head_with_a_key_is_refused_only_while_the_key_is_good():
    with Full(**KEYED) as full:
        refusals = full.app.state.early_refusals
        head = refusals.read_head(scope({"x-api-key": "good"}, None), b"/predict")

        async def ask():
            return refusals.refuse(head, ("127.0.0.1", 4000), [])

        assert asyncio.run(ask()) is not None
        refusals._keys = {name: key for name, key in refusals._keys.items() if name != "line"}
        assert asyncio.run(ask()) is None


def test_a_connection_that_asks_again_at_once_is_refused_twenty_times_a_second():
    async def story(app):
        wire = Wire()
        protocol = connection_to(app, wire)
        began = time.monotonic()
        for count in range(1, 4):
            protocol.data_received(HEAD % 0)
            await answered(wire, count)
        protocol.connection_lost(None)
        return time.monotonic() - began

    with Full() as full:
        assert asyncio.run(story(full.app)) >= 2 * PACE_S


def test_a_paced_request_is_admitted_once_a_slot_is_free():
    async def story(full):
        wire = Wire()
        protocol = connection_to(full.app, wire)
        for _ in range(2):
            protocol.data_received(HEAD % 1 + b"x")
        assert wire.sent.count(b"HTTP/1.1 503") == 1  # the second one waits
        full.service.admission._turns._end()
        full.__exit__()
        await until(lambda: wire.sent.count(b"HTTP/1.1 ") == 2)
        assert b"is still loading" in wire.sent  # so the framework has looked at it
        protocol.connection_lost(None)

    asyncio.run(story(Full().__enter__()))


def test_plain_http_on_the_port_of_tls_is_not_refused_but_redirected():
    async def redirect(scope, receive, send):
        await Response(status_code=307)(scope, receive, send)

    async def story(app):
        wire = Wire()
        protocol = connection_to(app, wire, plain_app=redirect)
        protocol.data_received(HEAD % 0)
        await until(lambda: wire.sent)
        assert wire.sent.startswith(b"HTTP/1.1 307")
        protocol.connection_lost(None)

    with Full() as full:
        asyncio.run(story(full.app))


def test_thousands_of_refused_requests_in_one_piece_are_answered_one_after_the_other(monkeypatch):
    monkeypatch.setattr("edge.web.transport.refusal_pace.MAX_HELD_BYTES", 0)

    async def story(app):
        wire = Wire()
        protocol = connection_to(app, wire)
        protocol.data_received(HEAD % 0)
        protocol.data_received(HEAD % 0 * 2_000)
        await answered(wire, 2_001)
        protocol.connection_lost(None)

    with Full() as full:
        asyncio.run(story(full.app))


def test_heads_that_are_remembered_are_bounded():
    with Full() as full:
        refusals = full.app.state.early_refusals
        meaning = refusals.read_head(scope({}, None), b"/predict")
        for number in range(5_000):
            refusals.remember(b"%d" % number, meaning)
        assert refusals.recall(b"4999") is meaning
        assert refusals.recall(b"0") is None
        assert len(refusals._known_heads) <= 512
