"""The webhook, with a receiver whose answers the test sets."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
import time
from functools import partial

import pytest
from builders.outbox import RESULT, break_disk, entry, frame, keep, no_wait, repair_disk

from edge import __version__
from edge.errors import OutboxError
from edge.outbox.describe import entry_json
from edge.outbox.outbox import Outbox
from edge.outbox.store import Store
from edge.outbox.webhook import MAX_ATTEMPTS, Webhook, signature


def resolved(outbox, *names):
    """Keys of frames whose results are due for delivery."""
    keys = keep(outbox, *names)
    for key in keys:
        assert outbox.change(lambda store, key=key: store.resolve(key, RESULT)).result(10)
    return keys


def deliver(outbox, receiver, secret="s3cret", **how):
    return asyncio.run(Webhook(outbox, receiver.url, secret, **how).step())


def delivered_keys(receiver):
    return [headers["Idempotency-Key"] for headers, _ in receiver.posts]


def test_a_result_is_delivered_once_signed_and_under_its_key(outbox, receiver):
    (key,) = resolved(outbox, "a")
    as_it_was = entry_json(entry(outbox, key))
    began = int(time.time())
    assert deliver(outbox, receiver)
    assert not deliver(outbox, receiver)
    ((headers, body),) = receiver.posts
    assert headers["Idempotency-Key"] == key
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == as_it_was
    assert as_it_was["cloud"] == RESULT
    stamp, digest = (part.split("=")[1] for part in headers["X-Edge-Signature"].split(","))
    assert digest == hmac.new(b"s3cret", f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert began <= int(stamp) <= time.time()


def test_the_signature_is_the_documented_one():
    digest = hmac.new(b"secret", b"1700000000.body", hashlib.sha256).hexdigest()
    assert signature("secret", b"body", 1_700_000_000.9) == f"t=1700000000,v1={digest}"


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_success_means_taken(outbox, receiver, status):
    (key,) = resolved(outbox, "a")
    receiver.statuses[:] = [status]
    deliver(outbox, receiver)
    assert (entry(outbox, key).webhook, entry(outbox, key).webhook_attempts) == ("delivered", 0)


@pytest.mark.parametrize(
    "status", [301, 302, 303, 307, 308, 400, 401, 403, 404, 409, 410, 413, 429, 500, 502, 503]
)
def test_any_other_answer_means_not_taken_and_a_redirect_is_not_followed(outbox, receiver, status):
    (key,) = resolved(outbox, "a")
    receiver.statuses[:] = [status]
    deliver(outbox, receiver)
    assert (entry(outbox, key).webhook, entry(outbox, key).webhook_attempts) == ("pending", 1)
    assert len(receiver.posts) == 1


def test_delivery_is_repeated_until_the_receiver_takes_the_result(outbox, receiver):
    (key,) = resolved(outbox, "a")
    receiver.statuses[:] = [500, 429]
    for _ in range(5):
        deliver(outbox, receiver)
        no_wait(outbox)
    assert delivered_keys(receiver) == [key] * 3
    assert (entry(outbox, key).webhook, entry(outbox, key).webhook_attempts) == ("delivered", 2)


def test_waits_between_deliveries_double(timed, clocks, receiver):
    (key,) = resolved(timed, "a")
    receiver.statuses[:] = [500] * 20
    for attempt in range(1, 8):
        assert deliver(timed, receiver)
        assert entry(timed, key).webhook_attempts == attempt
        clocks.pass_by(0.98 * 2 ** (attempt - 1))
        assert not deliver(timed, receiver), "sooner than half the wait"
        clocks.pass_by(1.04 * 2 ** (attempt - 1))
    assert deliver(timed, receiver)


def test_a_delivery_fails_after_the_last_attempt_and_starts_again_on_retry(outbox, receiver):
    (key,) = resolved(outbox, "a")
    receiver.statuses[:] = [500] * (MAX_ATTEMPTS + 1)
    for _ in range(MAX_ATTEMPTS - 1):
        deliver(outbox, receiver)
        no_wait(outbox)
    assert entry(outbox, key).webhook == "pending"
    deliver(outbox, receiver)
    no_wait(outbox)
    assert entry(outbox, key).webhook == "failed"
    assert not deliver(outbox, receiver)
    assert len(receiver.posts) == MAX_ATTEMPTS == 48
    assert outbox.change(lambda store: store.retry()).result(10) == 1
    assert (entry(outbox, key).webhook, entry(outbox, key).webhook_attempts) == ("pending", 0)
    receiver.statuses.clear()
    deliver(outbox, receiver)
    assert entry(outbox, key).webhook == "delivered"


def test_results_are_delivered_in_the_order_of_their_entries_each_once(outbox, receiver):
    keys = resolved(outbox, *(f"{number:02}" for number in range(20)))
    while deliver(outbox, receiver):
        pass
    assert delivered_keys(receiver) == keys


def test_a_result_that_is_not_taken_delays_no_other(outbox, receiver):
    first, second, third = resolved(outbox, "a", "b", "c")
    receiver.statuses[:] = [500]
    deliver(outbox, receiver)
    assert delivered_keys(receiver) == [first, second, third]
    assert [entry(outbox, key).webhook for key in (first, second, third)] == [
        "pending",
        "delivered",
        "delivered",
    ]


def test_only_results_are_delivered(outbox, receiver):
    keep(outbox, "a")
    assert not deliver(outbox, receiver)
    assert receiver.posts == []


def test_a_receiver_that_does_not_answer_times_out_and_is_tried_again_later(outbox, receiver):
    first, second = resolved(outbox, "a", "b")
    held = threading.Event()
    receiver.statuses[:] = [held]
    began = time.monotonic()
    deliver(outbox, receiver, timeout_s=0.4)
    took = time.monotonic() - began
    held.set()
    assert 0.4 <= took < 10
    assert (entry(outbox, first).webhook, entry(outbox, first).webhook_attempts) == ("pending", 1)
    assert entry(outbox, second).webhook == "delivered"


@pytest.mark.slow
def test_a_receiver_has_ten_seconds(outbox, receiver):
    (key,) = resolved(outbox, "a")
    held = threading.Event()
    receiver.statuses[:] = [held]
    began = time.monotonic()
    deliver(outbox, receiver)
    took = time.monotonic() - began
    held.set()
    assert 9.9 <= took < 25
    assert entry(outbox, key).webhook == "pending"


@pytest.mark.parametrize("host", ["a" * 70, "a..b", "127.0.0.1:1"])
def test_a_url_that_cannot_be_asked_is_a_failed_delivery_and_is_not_told(outbox, host, caplog):
    caplog.set_level("INFO")
    (key,) = resolved(outbox, "a")
    asyncio.run(Webhook(outbox, f"http://name:s3cret@{host}/t0ken?also=s3cret", None).step())
    assert (entry(outbox, key).webhook, entry(outbox, key).webhook_attempts) == ("pending", 1)
    assert "the webhook did not take" in caplog.text
    assert not {word for word in ("s3cret", "t0ken") if word in caplog.text}


@pytest.mark.parametrize("url", ["http://[::1/", "http://127.0.0.1:1/caf\u00e9", "ftp://host/", ""])
def test_a_malformed_url_is_refused_unquoted(outbox, url):
    with pytest.raises(ValueError, match=r"^must be an http:// or https:// URL of ASCII"):
        Webhook(outbox, url, None)


def test_a_delivery_names_the_service_and_sends_the_url_s_credentials_as_http_basic(
    outbox, receiver
):
    resolved(outbox, "a", "b")
    where = receiver.url.removeprefix("http://")
    asyncio.run(Webhook(outbox, f"http://na%20me:p%40ss:w@{where}", None).step())
    for headers, _ in receiver.posts:
        assert headers["User-Agent"] == f"edge/{__version__}"
        basic = headers["Authorization"].removeprefix("Basic ")
        assert base64.b64decode(basic) == b"na me:p@ss:w"
        assert headers["Host"] == where.partition("/")[0]
    deliver(outbox, receiver)
    assert len(receiver.posts) == 2


def test_without_credentials_in_the_url_none_are_sent(outbox, receiver):
    resolved(outbox, "a")
    deliver(outbox, receiver)
    assert "Authorization" not in receiver.posts[0][0]


def test_without_a_secret_nothing_is_signed(outbox, receiver):
    resolved(outbox, "a")
    deliver(outbox, receiver, secret=None)
    assert "X-Edge-Signature" not in receiver.posts[0][0]


def test_a_result_that_cannot_be_serialised_delays_no_other(outbox, receiver, monkeypatch):
    odd, good = resolved(outbox, "a", "b")

    def fails_for_odd(one):
        if one.key == odd:
            raise OverflowError
        return entry_json(one)

    monkeypatch.setattr("edge.outbox.webhook.entry_json", fails_for_odd)
    deliver(outbox, receiver)
    assert delivered_keys(receiver) == [good]
    assert (entry(outbox, odd).webhook, entry(outbox, odd).webhook_attempts) == ("pending", 1)
    assert entry(outbox, good).webhook == "delivered"


def test_nothing_is_delivered_while_the_disk_cannot_record_it(tmp_path, receiver):
    outbox = Outbox(partial(Store, tmp_path, deliver=True), tmp_path)
    outbox.start()
    (key,) = resolved(outbox, "a")
    break_disk(outbox)
    with pytest.raises(OutboxError, match="full"):
        outbox.put(frame("b")).result(10)
    for _ in range(3):
        with pytest.raises(OutboxError, match="full"):
            deliver(outbox, receiver)
    assert receiver.posts == []
    repair_disk(outbox)
    deliver(outbox, receiver)
    assert delivered_keys(receiver) == [key]
    outbox.stop()


def test_nothing_is_delivered_without_a_webhook(tmp_path, receiver):
    outbox = Outbox(partial(Store, tmp_path, deliver=False), tmp_path)
    outbox.start()
    (key,) = resolved(outbox, "a")
    assert not deliver(outbox, receiver)
    assert entry(outbox, key).webhook == "none"
    outbox.stop()
