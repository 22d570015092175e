"""The forwarder, with a cloud told what to say."""

from __future__ import annotations

import asyncio
import sqlite3
from functools import partial

import pytest
from builders.outbox import KEY, RESULT, Cloud, again_and_again, entry, forward, keep, no_wait

from edge.errors import (
    CloudNonsense,
    CloudRefused,
    CloudUnreachable,
    ModelNotFound,
    ModelUnavailable,
    OutboxError,
    OutboxFull,
)
from edge.outbox.entry import State
from edge.outbox.forwarder import MOST_ATTEMPTS, Forwarder
from edge.outbox.outbox import Outbox
from edge.outbox.seal import AesGcm
from edge.outbox.store import Store


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


def test_a_round_ends_when_all_of_it_are_through_though_one_has_failed_at_once(outbox):
    """Else an entry would be under way twice."""
    _, slow = keep(outbox, "a", "b")

    class Uneven(Cloud):
        async def ask(self, entry, image):
            if image.startswith(b"a"):
                raise RuntimeError
            await asyncio.sleep(0.4)
            return await super().ask(entry, image)

    cloud = Uneven()

    async def run():
        with pytest.raises(RuntimeError):
            await Forwarder(outbox, cloud).step()
        assert (cloud.asked, cloud.under_way) == (["b"], 0)
        assert entry(outbox, slow).state is State.SETTLED

    asyncio.run(run())
