"""Forwarder and webhook, with a cloud and a receiver told what to say."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import shutil
import sqlite3
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from builders.waiting import wait
from test_store import KEY, frame

from edge.errors import (
    CloudNonsense,
    CloudRefused,
    CloudUnreachable,
    ModelNotFound,
    ModelUnavailable,
    OutboxError,
    OutboxFull,
)
from edge.outbox import outbox as outbox_module
from edge.outbox.entry import State
from edge.outbox.forwarder import MOST_ATTEMPTS, Forwarder, wait_s
from edge.outbox.outbox import Outbox
from edge.outbox.seal import AesGcm
from edge.outbox.store import Quota, Store
from edge.outbox.webhook import Webhook

RESULT = {"predictions": [{"label": "rose", "index": 1, "score": 0.9}], "model": "far"}


class Cloud:
    """Answers as it is told, by the first letter of the image."""

    def __init__(self, **answers):
        self.answers, self.asked, self.most = answers, [], 4
        self.under_way, self.most_under_way = 0, 0

    def places(self):
        return self.most

    async def ask(self, entry, image):
        letter = image[:1].decode()
        self.asked.append(letter)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0.05)  # so that the round's others are asked meanwhile
        self.under_way -= 1
        answer = self.answers.get(letter, RESULT)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def outbox(tmp_path):
    one = Outbox(partial(Store, tmp_path, Quota(tell=True)), tmp_path)
    one.start()
    yield one
    one.stop()


def keep(outbox, *names):
    return [outbox.put(frame(name)).result(10).key for name in names]


def forward(outbox, cloud, steps=1):
    async def run():
        forwarder = Forwarder(outbox, cloud)
        for _ in range(steps):
            await forwarder.step()

    asyncio.run(run())


def again_and_again(outbox, forwarder, steps, between=lambda _: None):
    """Step after step, with all waits over before each."""
    for number in range(steps):
        between(number)
        no_wait(outbox)
        asyncio.run(forwarder.step())


def entry(outbox, key):
    return outbox.call(lambda store: store.get(key)).result(10)


def no_wait(outbox):
    outbox.call(lambda store: store._db.execute("UPDATE entry SET not_before = 0")).result(10)


def test_waiting_entries_are_settled_in_their_order(outbox):
    keys = keep(outbox, "a", "b", "c")
    cloud = Cloud()
    forward(outbox, cloud)
    assert cloud.asked == ["a", "b", "c"]
    assert [entry(outbox, key).result for key in keys] == [RESULT] * 3


def test_a_frame_that_is_refused_goes_to_the_back_and_is_set_aside_at_last(outbox):
    bad, good = keep(outbox, "a", "b")
    cloud = Cloud(a=CloudRefused("no such picture"))
    for _ in range(MOST_ATTEMPTS + 1):
        forward(outbox, cloud)
        no_wait(outbox)
    assert entry(outbox, good).state is State.SETTLED
    assert (entry(outbox, bad).state, entry(outbox, bad).fault) == (State.SET_ASIDE, "no such picture")
    assert cloud.asked.count("a") == MOST_ATTEMPTS


def test_a_link_that_is_down_sets_nothing_aside(outbox):
    one, two = keep(outbox, "a", "b")
    cloud = Cloud(a=CloudUnreachable("busy"), b=CloudUnreachable("busy"))
    again_and_again(outbox, Forwarder(outbox, cloud), MOST_ATTEMPTS * 2)
    for key in (one, two):
        assert (entry(outbox, key).state, entry(outbox, key).attempts) == (State.WAITING, 0)


def test_a_login_page_in_the_clouds_place_sets_nothing_aside(outbox):
    keys = keep(outbox, "a", "b")
    page = CloudNonsense("What answered is no online model")
    again_and_again(outbox, Forwarder(outbox, Cloud(a=page, b=page)), MOST_ATTEMPTS * 2)
    assert {entry(outbox, key).state for key in keys} == {State.WAITING}


def test_a_frame_on_which_the_cloud_fails_while_it_answers_others_is_set_aside_at_last(outbox):
    (bad,) = keep(outbox, "a")
    forwarder = Forwarder(outbox, Cloud(a=CloudUnreachable("500")))
    again_and_again(outbox, forwarder, MOST_ATTEMPTS, between=lambda number: keep(outbox, f"b{number}"))
    assert entry(outbox, bad).state is State.WAITING  # the first time may have been the link's fault
    again_and_again(outbox, forwarder, 1)
    assert (entry(outbox, bad).state, entry(outbox, bad).fault) == (State.SET_ASIDE, "500")


def test_nothing_is_sent_while_the_link_is_not_free(outbox):
    keep(outbox, "a")
    cloud = Cloud()
    cloud.most = 0
    forward(outbox, cloud)
    assert cloud.asked == []


def test_as_many_entries_are_under_way_at_once_as_there_are_places(outbox):
    keys = keep(outbox, *"abcdefg")
    cloud = Cloud()
    cloud.most = 3
    forward(outbox, cloud, steps=3)
    assert cloud.most_under_way == 3
    assert "".join(cloud.asked) == "abcdefg"
    assert {entry(outbox, key).state for key in keys} == {State.SETTLED}


def test_an_entry_whose_place_was_taken_meanwhile_stays_as_it_is(outbox):
    one, two = keep(outbox, "a", "b")
    cloud = Cloud()
    cloud.places = lambda: 2 - len(cloud.asked) * 2
    forward(outbox, cloud)
    assert cloud.asked == ["a"]
    assert entry(outbox, one).state is State.SETTLED
    assert (entry(outbox, two).state, entry(outbox, two).fault) == (State.WAITING, None)


def test_a_fault_of_ours_with_one_entry_does_not_give_up_the_rounds_others(outbox):
    bad, good = keep(outbox, "a", "b")
    with pytest.raises(ZeroDivisionError):
        forward(outbox, Cloud(a=ZeroDivisionError()))
    assert (entry(outbox, bad).state, entry(outbox, bad).attempts) == (State.WAITING, 1)
    assert entry(outbox, good).state is State.SETTLED


def test_waits_double_up_to_an_hour_and_differ():
    assert 1 <= wait_s(1) <= 2
    assert 1_800 <= wait_s(40) <= 3_600
    assert len({wait_s(3) for _ in range(10)}) > 1


@pytest.fixture
def receiver():
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.posts.append((dict(self.headers), body))
            self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.posts, server.statuses = [], []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def tell(outbox, receiver, secret="s3cret"):
    url = f"http://127.0.0.1:{receiver.server_port}/results"
    asyncio.run(Webhook(outbox, url, secret).step())


def test_a_result_is_told_once_signed_and_under_its_key(outbox, receiver):
    (key,) = keep(outbox, "a")
    forward(outbox, Cloud())
    tell(outbox, receiver)
    tell(outbox, receiver)
    ((headers, body),) = receiver.posts
    assert headers["Idempotency-Key"] == key
    assert json.loads(body)["cloud"] == RESULT
    stamp, digest = (part.split("=")[1] for part in headers["X-Edge-Signature"].split(","))
    assert digest == hmac.new(b"s3cret", f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()


def test_a_receiver_that_fails_is_told_again(outbox, receiver):
    (key,) = keep(outbox, "a")
    forward(outbox, Cloud())
    receiver.statuses[:] = [500, 429]
    for _ in range(3):
        tell(outbox, receiver)
        no_wait(outbox)
    assert len(receiver.posts) == 3
    assert entry(outbox, key).telling == "told"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/caf\u00e9", "http://\u00df..\u00df/", "http://[::1/"])
def test_an_address_that_cannot_be_called_is_a_failure_like_any(outbox, url):
    (key,) = keep(outbox, "a")
    forward(outbox, Cloud())
    asyncio.run(Webhook(outbox, url, None).step())
    assert (entry(outbox, key).telling, entry(outbox, key).telling_attempts) == ("due", 1)


def test_a_redirect_is_not_followed_and_not_taken_for_an_answer(outbox, receiver):
    (key,) = keep(outbox, "a")
    forward(outbox, Cloud())
    receiver.statuses[:] = [302]
    tell(outbox, receiver)
    assert entry(outbox, key).telling == "due"


def test_without_a_secret_nothing_is_signed(outbox, receiver):
    keep(outbox, "a")
    forward(outbox, Cloud())
    tell(outbox, receiver, secret=None)
    assert "X-Edge-Signature" not in receiver.posts[0][0]


def test_a_second_service_on_the_same_folder_is_refused(outbox, tmp_path):
    keep(outbox, "a")
    second = Outbox(partial(Store, tmp_path), tmp_path)
    second.start()
    with pytest.raises(OutboxError, match="another service"):
        second.put(frame("b")).result(10)
    second.stop()


def test_a_wrong_key_sets_nothing_aside_until_others_are_settled_beside(tmp_path):
    first = Outbox(partial(Store, tmp_path, seal=AesGcm(KEY)), tmp_path)
    first.start()
    (sealed,) = keep(first, "a")
    first.stop()
    second = Outbox(partial(Store, tmp_path), tmp_path)
    second.start()
    forwarder = Forwarder(second, Cloud())
    again_and_again(second, forwarder, MOST_ATTEMPTS * 2)
    assert (entry(second, sealed).state, entry(second, sealed).attempts) == (State.WAITING, 0)
    assert "outbox_key" in entry(second, sealed).fault
    again_and_again(second, forwarder, MOST_ATTEMPTS + 1, between=lambda number: keep(second, f"b{number}"))
    assert entry(second, sealed).state is State.SET_ASIDE
    assert second.call(lambda store: store.counts()).result(10)[State.SETTLED] == MOST_ATTEMPTS + 1
    assert second.fault is None
    second.stop()


@pytest.mark.parametrize("error", [ModelNotFound("gone"), ModelUnavailable("refused")])
def test_a_model_that_is_not_served_sets_nothing_aside(outbox, error):
    keys = keep(outbox, "a", "b")
    again_and_again(outbox, Forwarder(outbox, Cloud(a=error, b=error)), MOST_ATTEMPTS * 2)
    assert {entry(outbox, key).state for key in keys} == {State.WAITING}


def test_what_is_known_of_an_entrys_failures_goes_with_it(outbox):
    keep(outbox, "a", "b")
    cloud = Cloud(a=CloudUnreachable("busy"), b=CloudUnreachable("busy"))
    forwarder = Forwarder(outbox, cloud)
    again_and_again(outbox, forwarder, 2)
    assert len(forwarder._failures) == 2
    cloud.answers.clear()
    again_and_again(outbox, forwarder, 1)
    assert forwarder._failures == {}


def test_nothing_is_asked_while_the_disk_could_not_keep_the_answer(tmp_path):
    class Sick(Store):
        sick = False

        def _keep_clock(self):
            if self.sick:
                raise sqlite3.OperationalError("database or disk is full")
            super()._keep_clock()

    outbox = Outbox(partial(Sick, tmp_path), tmp_path)
    outbox.start()
    (key,) = keep(outbox, "a")
    Sick.sick = True
    cloud = Cloud()
    for _ in range(3):
        with pytest.raises(OutboxError, match="full"):
            forward(outbox, cloud)
    assert cloud.asked == ["a"]
    assert "full" in outbox.fault
    Sick.sick = False
    forward(outbox, cloud)
    assert entry(outbox, key).state is State.SETTLED
    assert outbox.fault is None
    outbox.stop()


def test_an_answer_the_disk_does_not_take_is_held_and_not_asked_for_again(tmp_path):
    class Sick(Store):
        sick = False

        def settle(self, key, result):
            if self.sick:
                raise OutboxFull("full")
            return super().settle(key, result)

    outbox = Outbox(partial(Sick, tmp_path), tmp_path)
    outbox.start()
    keys = keep(outbox, "a", "b", "c", "d", "e")
    cloud = Cloud()
    forwarder = Forwarder(outbox, cloud)
    Sick.sick = True
    for _ in range(3):
        with pytest.raises(OutboxFull):
            asyncio.run(forwarder.step())
    assert cloud.asked == ["a", "b", "c", "d"]
    Sick.sick = False
    asyncio.run(forwarder.step())
    assert {entry(outbox, key).state for key in keys} == {State.SETTLED}
    assert cloud.asked == ["a", "b", "c", "d", "e"]
    outbox.stop()


def test_a_full_disk_is_told_until_there_is_room_again_though_small_things_can_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr(outbox_module, "_LOOK_S", 0.05)
    monkeypatch.setattr(outbox_module, "_PAUSE_S", 0.0)

    class Full(Store):
        is_tight = True

        def put(self, entries):
            if self.is_tight:
                raise OutboxFull("full")
            return super().put(entries)

    outbox = Outbox(partial(Full, tmp_path), tmp_path)
    outbox.start()
    with pytest.raises(OutboxFull):
        outbox.put(frame("a")).result(10)
    outbox.change(lambda store: store.check()).result(10)
    time.sleep(0.3)
    assert outbox.fault == "full"
    Full.is_tight = False
    wait(lambda: outbox.fault is None)
    assert outbox.put(frame("a")).result(10).kept
    outbox.stop()


def test_a_folder_that_was_cleared_is_made_anew_and_nothing_is_kept_in_a_file_that_is_gone(tmp_path):
    folder = tmp_path / "box"
    outbox = Outbox(partial(Store, folder), folder)
    outbox.start()
    keep(outbox, "a")
    shutil.rmtree(folder)
    (key,) = keep(outbox, "b")
    outbox.stop()
    store = Store(folder, create=False)
    assert [one.key for one in store.entries()] == [key]
    store.close()


def test_old_entries_go_while_the_service_only_waits(tmp_path, monkeypatch):
    monkeypatch.setattr(outbox_module, "_LOOK_S", 0.05)
    monkeypatch.setattr(outbox_module, "_TIDY_S", 0.05)
    outbox = Outbox(partial(Store, tmp_path, Quota(max_age_s=0.5)), tmp_path)
    outbox.start()
    keep(outbox, "a")
    wait(lambda: outbox.status()["waiting"] == 0)
    outbox.stop()


def test_frames_that_come_together_are_committed_together(tmp_path):
    batches = []

    class Counting(Store):
        def put(self, entries):
            batches.append(len(entries))
            return super().put(entries)

    outbox = Outbox(partial(Counting, tmp_path), tmp_path)
    futures = [outbox.put(frame(f"{n}")) for n in range(20)]
    outbox.start()
    assert len({future.result(10).key for future in futures}) == 20
    outbox.stop()
    assert len(batches) < 5


def test_stopping_writes_what_was_accepted(tmp_path):
    outbox = Outbox(partial(Store, tmp_path), tmp_path)
    outbox.start()
    futures = [outbox.put(frame(f"{n}")) for n in range(50)]
    outbox.stop()
    assert all(future.done() for future in futures)
    store = Store(tmp_path)
    assert len(store.entries()) == 50
    store.close()


def test_a_fault_of_who_asks_is_no_fault_of_the_disk(outbox):
    with pytest.raises(OverflowError):
        outbox.call(lambda store: store.entries(after=10**20)).result(10)
    assert outbox.fault is None
    assert outbox.put(frame("a")).result(10).kept


def test_what_comes_after_the_end_is_told_so(tmp_path):
    outbox = Outbox(partial(Store, tmp_path), tmp_path)
    outbox.start()
    outbox.stop()
    for future in (outbox.put(frame("a")), outbox.call(lambda store: store.counts())):
        with pytest.raises(OutboxError, match="closed"):
            future.result(1)


def test_a_disk_that_is_too_slow_refuses_frames_instead_of_filling_the_memory(tmp_path):
    outbox = Outbox(partial(Store, tmp_path), tmp_path, max_queued_bytes=250)
    futures = [outbox.put(frame(name)) for name in "abc"]
    with pytest.raises(OutboxError, match="too slow"):
        futures[2].result(0)
    assert "too slow" in outbox.status()["fault"]
    outbox.start()
    assert futures[1].result(10).kept
    outbox.call(lambda store: store.counts()).result(10)
    assert outbox.status()["fault"] is None
    outbox.stop()
