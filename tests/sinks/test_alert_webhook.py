"""Alerts posted to a receiver whose answers the test sets, signed as Standard Webhooks says."""

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from contextlib import asynccontextmanager

import pytest
from builders.alerts import alert, rule
from builders.waiting import until

from edge.backoff import Backoff
from edge.sinks.queue import MAX_QUEUED
from edge.sinks.webhook import MAX_REFUSALS, WebhookSink, signature

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
QUICK = Backoff(first_s=0.01, max_s=0.02)


@asynccontextmanager
async def running(url, backoff=QUICK):
    sink = WebhookSink(url, SECRET, backoff=backoff)
    sink.start()
    try:
        yield sink
    finally:
        await sink.stop()


def post(receiver, *alerts, backoff=QUICK, delivered=None):
    """Deliver alerts; the status once so many have been delivered."""

    async def run():
        async with running(receiver.url, backoff) as sink:
            for one in alerts:
                sink.deliver(one)
            wanted = len(alerts) if delivered is None else delivered
            await until(lambda: sink.status().delivered == wanted)
            await until(lambda: not sink.status().queued)
            return sink.status()

    return asyncio.run(run())


def test_the_signature_is_that_of_the_specification_s_example():
    """The example of standard-webhooks' libraries."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    wanted = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == wanted


def test_an_alert_is_posted_once_signed_and_under_its_id(receiver):
    began = int(time.time())
    status = post(receiver, alert(1, of=rule("at the gate"), count=2, held_s=5.04))
    ((headers, body),) = receiver.posts
    assert headers["Webhook-Id"] == "alert_1"
    assert began <= int(headers["Webhook-Timestamp"]) <= time.time()
    signed = f"alert_1.{headers['Webhook-Timestamp']}.".encode() + body
    digest = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["Webhook-Signature"] == f"v1,{digest}"
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {
        "type": "alert.raised",
        "timestamp": "2023-11-14T22:13:20.000Z",
        "data": {
            "id": "alert_1",
            "rule": "at the gate",
            "camera": "gate",
            "label": "Person",
            "count": 2,
            "score": 0.9,
            "held_s": 5.0,
            "at": "2023-11-14T22:13:20.000Z",
            "model": {"name": "objects", "version": 1},
            "source": "edge",
        },
    }
    assert (status.state, status.fault, status.delivered, status.dropped) == ("up", None, 1, 0)


def test_it_is_repeated_with_the_same_id_until_it_is_taken(receiver):
    receiver.statuses[:] = [500, 429, 503, 302]
    status = post(receiver, alert(1), alert(2))
    assert [headers["Webhook-Id"] for headers, _ in receiver.posts] == ["alert_1"] * 5 + ["alert_2"]
    assert (status.delivered, status.dropped) == (2, 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver, status):
    receiver.statuses[:] = [status]
    post(receiver, alert(1))
    assert len(receiver.posts) == 2


def test_what_the_receiver_refuses_again_and_again_gives_way_to_the_next(receiver):
    receiver.statuses[:] = [400] * MAX_REFUSALS
    status = post(receiver, alert(1), alert(2), delivered=1)
    taken = [headers["Webhook-Id"] for headers, _ in receiver.posts]
    assert taken == ["alert_1"] * MAX_REFUSALS + ["alert_2"]
    assert (status.delivered, status.dropped) == (1, 1)


def test_a_receiver_that_is_away_costs_no_alert(receiver):
    receiver.statuses[:] = [503] * (2 * MAX_REFUSALS)
    status = post(receiver, alert(1))
    assert (status.delivered, status.dropped) == (1, 0)


def test_the_queue_is_bounded_while_the_receiver_does_not_answer(receiver):
    held = threading.Event()
    receiver.statuses[:] = [held]

    async def run():
        async with running(receiver.url) as sink:
            for number in range(2 * MAX_QUEUED):
                sink.deliver(alert(number))
            full = sink.status()
            held.set()
            await until(lambda: not sink.status().queued)
            return full

    full = asyncio.run(run())
    assert (full.queued, full.dropped) == (MAX_QUEUED, MAX_QUEUED)


def test_a_fault_is_shown_and_never_the_url(receiver, caplog):
    caplog.set_level("INFO")

    async def run():
        async with running("http://name:s3cret@127.0.0.1:1/t0ken?also=s3cret") as sink:
            sink.deliver(alert(1))
            await until(lambda: sink.status().fault is not None)
            return sink.status()

    status = asyncio.run(run())
    assert (status.state, status.queued) == ("down", 1)
    told = f"{status} {status.as_json()} {caplog.text}"
    assert status.fault == "Connection refused"
    assert not {word for word in ("s3cret", "t0ken", SECRET) if word in told}
    assert "stopped with 1 alerts that the webhook has not taken" in caplog.text


def test_the_stop_waits_a_moment_for_what_is_queued(receiver):
    async def run():
        async with running(receiver.url) as sink:
            for number in range(20):
                sink.deliver(alert(number))
        return sink.status()

    status = asyncio.run(run())
    assert (status.queued, len(receiver.posts)) == (0, 20)


def test_the_stop_does_not_wait_for_a_receiver_that_holds_the_connection(receiver):
    held = threading.Event()
    receiver.statuses[:] = [held]
    took = []

    async def run():
        sink = WebhookSink(receiver.url, SECRET)
        sink.start()
        sink.deliver(alert(1))
        await until(lambda: receiver.posts)
        began = time.monotonic()
        await sink.stop()
        took.append(time.monotonic() - began)

    try:
        asyncio.run(run())
    finally:
        held.set()
    assert took[0] < 8


def test_a_receiver_that_sends_a_byte_now_and_then_holds_one_thread(monkeypatch):
    monkeypatch.setattr("edge.sinks.webhook._ATTEMPT_S", 0.05)
    ended = threading.Event()
    taken = []

    def drip(listener):
        connection, _ = listener.accept()
        taken.append(connection)
        connection.sendall(b"HTTP/1.1 204 No Content\r\nX-Long: ")
        while not ended.wait(0.01):
            connection.sendall(b"x")
        connection.sendall(b"\r\n\r\n")
        # What is unread when a connection is closed resets it, and the answer may be lost.
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
        connection.close()

    async def run(listener):
        async with running(f"http://127.0.0.1:{listener.getsockname()[1]}/") as sink:
            sink.deliver(alert(1))
            await until(lambda: sink.status().fault is not None)
            assert "did not answer" in sink.status().fault
            for _ in range(30):
                await asyncio.sleep(0.01)
                assert posting_threads() <= 1
            assert sink.status().queued == 1
            ended.set()
            await until(lambda: sink.status().delivered == 1)
            return sink.status()

    def posting_threads():
        return [thread.name for thread in threading.enumerate()].count("edge-background")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        dripping = threading.Thread(target=drip, args=(listener,))
        dripping.start()
        try:
            status = asyncio.run(run(listener))
        finally:
            ended.set()
            dripping.join(30)
    assert (len(taken), status.fault) == (1, None)
