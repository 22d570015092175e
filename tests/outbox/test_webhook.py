"""The webhook, with a receiver told what to answer."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sqlite3
import threading
import time
from functools import partial

import pytest
from builders.outbox import RESULT, entry, frame, keep, no_wait

from edge.errors import OutboxError
from edge.outbox.describe import entry_json
from edge.outbox.outbox import Outbox
from edge.outbox.store import Quota, Store
from edge.outbox.webhook import MOST_ATTEMPTS, Webhook, signature


def settled(outbox, *names):
    """Keys of frames whose results are to be told."""
    keys = keep(outbox, *names)
    for key in keys:
        assert outbox.change(lambda store, key=key: store.settle(key, RESULT)).result(10)
    return keys


def tell(outbox, receiver, secret="s3cret", **how):
    return asyncio.run(Webhook(outbox, receiver.url, secret, **how).step())


def told_keys(receiver):
    return [headers["Idempotency-Key"] for headers, _ in receiver.posts]


def test_a_result_is_told_once_signed_and_under_its_key(outbox, receiver):
    (key,) = settled(outbox, "a")
    as_it_was = entry_json(entry(outbox, key))
    began = int(time.time())
    assert tell(outbox, receiver)
    assert not tell(outbox, receiver)
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
    (key,) = settled(outbox, "a")
    receiver.statuses[:] = [status]
    tell(outbox, receiver)
    assert (entry(outbox, key).telling, entry(outbox, key).telling_attempts) == ("told", 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 400, 401, 403, 404, 409, 410, 413, 429, 500, 502, 503])
def test_any_other_answer_means_not_taken_and_a_redirect_is_not_followed(outbox, receiver, status):
    (key,) = settled(outbox, "a")
    receiver.statuses[:] = [status]
    tell(outbox, receiver)
    assert (entry(outbox, key).telling, entry(outbox, key).telling_attempts) == ("due", 1)
    assert len(receiver.posts) == 1


def test_a_receiver_that_fails_is_told_again_until_it_takes_the_result(outbox, receiver):
    (key,) = settled(outbox, "a")
    receiver.statuses[:] = [500, 429]
    for _ in range(5):
        tell(outbox, receiver)
        no_wait(outbox)
    assert told_keys(receiver) == [key] * 3
    assert (entry(outbox, key).telling, entry(outbox, key).telling_attempts) == ("told", 2)


def test_waits_between_tellings_double(timed, clocks, receiver):
    (key,) = settled(timed, "a")
    receiver.statuses[:] = [500] * 20
    for attempt in range(1, 8):
        assert tell(timed, receiver)
        assert entry(timed, key).telling_attempts == attempt
        clocks.pass_by(0.98 * 2 ** (attempt - 1))
        assert not tell(timed, receiver), "sooner than half the wait"
        clocks.pass_by(1.04 * 2 ** (attempt - 1))
    assert tell(timed, receiver)


def test_a_result_that_is_never_taken_is_given_up_after_the_last_attempt_and_retried_when_asked(outbox, receiver):
    (key,) = settled(outbox, "a")
    receiver.statuses[:] = [500] * (MOST_ATTEMPTS + 1)
    for _ in range(MOST_ATTEMPTS - 1):
        tell(outbox, receiver)
        no_wait(outbox)
    assert entry(outbox, key).telling == "due"
    tell(outbox, receiver)
    no_wait(outbox)
    assert entry(outbox, key).telling == "given_up"
    assert not tell(outbox, receiver)
    assert len(receiver.posts) == MOST_ATTEMPTS == 48
    assert outbox.change(lambda store: store.retry()).result(10) == 1
    assert (entry(outbox, key).telling, entry(outbox, key).telling_attempts) == ("due", 0)
    receiver.statuses.clear()
    tell(outbox, receiver)
    assert entry(outbox, key).telling == "told"


def test_results_are_told_in_the_order_of_their_entries_each_once(outbox, receiver):
    keys = settled(outbox, *(f"{number:02}" for number in range(20)))
    while tell(outbox, receiver):
        pass
    assert told_keys(receiver) == keys


def test_a_result_that_is_not_taken_holds_up_no_other(outbox, receiver):
    first, second, third = settled(outbox, "a", "b", "c")
    receiver.statuses[:] = [500]
    tell(outbox, receiver)
    assert told_keys(receiver) == [first, second, third]
    assert [entry(outbox, key).telling for key in (first, second, third)] == ["due", "told", "told"]


def test_only_results_are_told(outbox, receiver):
    keep(outbox, "a")
    assert not tell(outbox, receiver)
    assert receiver.posts == []


def test_a_receiver_that_does_not_answer_is_given_up_in_time_and_told_again_later(outbox, receiver):
    first, second = settled(outbox, "a", "b")
    held = threading.Event()
    receiver.statuses[:] = [held]
    began = time.monotonic()
    tell(outbox, receiver, timeout_s=0.4)
    took = time.monotonic() - began
    held.set()
    assert 0.4 <= took < 10
    assert (entry(outbox, first).telling, entry(outbox, first).telling_attempts) == ("due", 1)
    assert entry(outbox, second).telling == "told"


@pytest.mark.slow
def test_a_receiver_has_ten_seconds(outbox, receiver):
    (key,) = settled(outbox, "a")
    held = threading.Event()
    receiver.statuses[:] = [held]
    began = time.monotonic()
    tell(outbox, receiver)
    took = time.monotonic() - began
    held.set()
    assert 9.9 <= took < 25
    assert entry(outbox, key).telling == "due"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/caf\u00e9", "http://\u00df..\u00df/", "http://[::1/"])
def test_an_address_that_cannot_be_called_is_a_failure_like_any(outbox, url):
    (key,) = settled(outbox, "a")
    asyncio.run(Webhook(outbox, url, None).step())
    assert (entry(outbox, key).telling, entry(outbox, key).telling_attempts) == ("due", 1)


def test_without_a_secret_nothing_is_signed(outbox, receiver):
    settled(outbox, "a")
    tell(outbox, receiver, secret=None)
    assert "X-Edge-Signature" not in receiver.posts[0][0]


def test_a_result_that_cannot_be_written_down_holds_up_no_other(outbox, receiver):
    odd, good = settled(outbox, "a", "b")
    beyond_all_calendars = 1e18
    outbox.call(
        lambda store: store._db.execute("UPDATE entry SET created = ? WHERE key = ?", (beyond_all_calendars, odd))
    ).result(10)
    tell(outbox, receiver)
    assert told_keys(receiver) == [good]
    assert (entry(outbox, odd).telling, entry(outbox, odd).telling_attempts) == ("due", 1)
    assert entry(outbox, good).telling == "told"


def test_nothing_is_told_while_the_disk_could_not_remember_it(tmp_path, receiver):
    class Sick(Store):
        sick = False

        def _keep_clock(self):
            if self.sick:
                raise sqlite3.OperationalError("database or disk is full")
            super()._keep_clock()

    outbox = Outbox(partial(Sick, tmp_path, Quota(tell=True)), tmp_path)
    outbox.start()
    (key,) = settled(outbox, "a")
    Sick.sick = True
    with pytest.raises(OutboxError, match="full"):
        outbox.put(frame("b")).result(10)
    for _ in range(3):
        with pytest.raises(OutboxError, match="full"):
            tell(outbox, receiver)
    assert receiver.posts == []
    Sick.sick = False
    tell(outbox, receiver)
    assert told_keys(receiver) == [key]
    outbox.stop()


def test_where_nobody_is_to_be_told_nothing_is(tmp_path, receiver):
    outbox = Outbox(partial(Store, tmp_path, Quota(tell=False)), tmp_path)
    outbox.start()
    (key,) = settled(outbox, "a")
    assert not tell(outbox, receiver)
    assert entry(outbox, key).telling == "none"
    outbox.stop()
