"""The forwarder, with a cloud whose answers the test sets."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from builders.outbox import (
    KEY,
    RESULT,
    Cloud,
    again_and_again,
    break_disk,
    entry,
    forward,
    keep,
    no_wait,
    repair_disk,
)

from edge.errors import (
    CloudNonsense,
    CloudRefused,
    CloudUnreachable,
    ModelNotFound,
    ModelUnavailable,
    OutboxError,
    OutboxFull,
)
from edge.outbox.encryption import AesGcmEncryption
from edge.outbox.entry import EntryState
from edge.outbox.forwarder import MAX_ATTEMPTS, Forwarder
from edge.outbox.outbox import Outbox
from edge.outbox.store import Store


def test_waiting_entries_are_resolved_in_their_order(outbox):
    keys = keep(outbox, "a", "b", "c")
    cloud = Cloud()
    forward(outbox, cloud)
    assert cloud.asked == ["a", "b", "c"]
    assert [entry(outbox, key).result for key in keys] == [RESULT] * 3


def test_a_refused_frame_goes_to_the_back_and_finally_becomes_a_dead_letter(outbox):
    bad, good = keep(outbox, "a", "b")
    cloud = Cloud(a=CloudRefused("no such picture"))
    for _ in range(MAX_ATTEMPTS + 1):
        forward(outbox, cloud)
        no_wait(outbox)
    assert entry(outbox, good).state is EntryState.RESOLVED
    assert (entry(outbox, bad).state, entry(outbox, bad).fault) == (
        EntryState.DEAD_LETTER,
        "no such picture",
    )
    assert cloud.asked.count("a") == MAX_ATTEMPTS


def test_a_link_that_is_down_makes_no_dead_letters(outbox):
    one, two = keep(outbox, "a", "b")
    cloud = Cloud(a=CloudUnreachable("busy"), b=CloudUnreachable("busy"))
    again_and_again(outbox, Forwarder(outbox, cloud), MAX_ATTEMPTS * 2)
    for key in (one, two):
        assert (entry(outbox, key).state, entry(outbox, key).attempts) == (EntryState.WAITING, 0)


def test_a_refusal_makes_no_dead_letters_until_it_is_certainly_the_frames_fault(outbox):
    (key,) = keep(outbox, "a")
    cloud = Cloud(a=CloudRefused("400", certain=False))
    forwarder = Forwarder(outbox, cloud)
    again_and_again(outbox, forwarder, MAX_ATTEMPTS * 2)
    assert (entry(outbox, key).state, entry(outbox, key).attempts) == (EntryState.WAITING, 0)
    cloud.answers["a"] = CloudRefused("400")
    again_and_again(outbox, forwarder, MAX_ATTEMPTS)
    assert entry(outbox, key).state is EntryState.DEAD_LETTER


def test_a_frame_that_was_refused_waits_longer_than_one_that_met_a_bad_link(outbox):
    keep(outbox, "a", "b")
    cloud = Cloud(a=CloudRefused("400", certain=False), b=CloudUnreachable("busy"))
    again_and_again(outbox, Forwarder(outbox, cloud), 12)
    waits = outbox.call(
        lambda store: store._database.fetch_all(
            "SELECT not_before - (SELECT steady FROM clock) AS s FROM entry ORDER BY sequence", ()
        )
    ).result(10)
    refused, unreachable = (row["s"] for row in waits)
    assert refused > 1_000
    assert unreachable <= 60


def test_a_captive_portal_in_the_clouds_place_makes_no_dead_letters(outbox):
    keys = keep(outbox, "a", "b")
    page = CloudNonsense("What answered is no online model")
    again_and_again(outbox, Forwarder(outbox, Cloud(a=page, b=page)), MAX_ATTEMPTS * 2)
    assert {entry(outbox, key).state for key in keys} == {EntryState.WAITING}


def test_a_frame_on_which_only_the_cloud_fails_finally_becomes_a_dead_letter(outbox):
    (bad,) = keep(outbox, "a")
    forwarder = Forwarder(outbox, Cloud(a=CloudUnreachable("500")))
    again_and_again(
        outbox, forwarder, MAX_ATTEMPTS, between=lambda number: keep(outbox, f"b{number}")
    )
    assert (
        entry(outbox, bad).state is EntryState.WAITING
    )  # the first time may have been the link's fault
    again_and_again(outbox, forwarder, 1)
    assert (entry(outbox, bad).state, entry(outbox, bad).fault) == (EntryState.DEAD_LETTER, "500")


def test_nothing_is_sent_while_the_link_is_not_free(outbox):
    keep(outbox, "a")
    cloud = Cloud()
    cloud.most = 0
    forward(outbox, cloud)
    assert cloud.asked == []


def test_as_many_entries_are_sent_at_once_as_there_are_free_slots(outbox):
    keys = keep(outbox, *"abcdefg")
    cloud = Cloud()
    cloud.most = 3
    forward(outbox, cloud, steps=3)
    assert cloud.most_under_way == 3
    assert "".join(cloud.asked) == "abcdefg"
    assert {entry(outbox, key).state for key in keys} == {EntryState.RESOLVED}


def test_an_entry_whose_slot_was_taken_in_the_meantime_stays_unchanged(outbox):
    one, two = keep(outbox, "a", "b")
    cloud = Cloud()
    cloud.free_slots = lambda: 2 - len(cloud.asked) * 2
    forward(outbox, cloud)
    assert cloud.asked == ["a"]
    assert entry(outbox, one).state is EntryState.RESOLVED
    assert (entry(outbox, two).state, entry(outbox, two).fault) == (EntryState.WAITING, None)


def test_a_bug_with_one_entry_does_not_cancel_the_others_of_its_round(outbox):
    bad, good = keep(outbox, "a", "b")
    with pytest.raises(ZeroDivisionError):
        forward(outbox, Cloud(a=ZeroDivisionError()))
    assert (entry(outbox, bad).state, entry(outbox, bad).attempts) == (EntryState.WAITING, 1)
    assert entry(outbox, good).state is EntryState.RESOLVED


def test_a_wrong_key_makes_no_dead_letters_until_other_entries_are_resolved(tmp_path):
    first = Outbox(partial(Store, tmp_path, encryption=AesGcmEncryption(KEY)), tmp_path)
    first.start()
    (encrypted,) = keep(first, "a")
    first.stop()
    second = Outbox(partial(Store, tmp_path), tmp_path)
    second.start()
    forwarder = Forwarder(second, Cloud())
    again_and_again(second, forwarder, MAX_ATTEMPTS * 2)
    assert (entry(second, encrypted).state, entry(second, encrypted).attempts) == (
        EntryState.WAITING,
        0,
    )
    assert "outbox_key" in entry(second, encrypted).fault
    again_and_again(
        second, forwarder, MAX_ATTEMPTS + 1, between=lambda number: keep(second, f"b{number}")
    )
    assert entry(second, encrypted).state is EntryState.DEAD_LETTER
    assert (
        second.call(lambda store: store.counts()).result(10)[EntryState.RESOLVED]
        == MAX_ATTEMPTS + 1
    )
    assert second.fault is None
    second.stop()


@pytest.mark.parametrize("error", [ModelNotFound("gone"), ModelUnavailable("refused")])
def test_a_model_that_is_not_served_makes_no_dead_letters(outbox, error):
    keys = keep(outbox, "a", "b")
    again_and_again(outbox, Forwarder(outbox, Cloud(a=error, b=error)), MAX_ATTEMPTS * 2)
    assert {entry(outbox, key).state for key in keys} == {EntryState.WAITING}


def test_the_failures_of_an_entry_are_forgotten_once_it_is_resolved(outbox):
    keep(outbox, "a", "b")
    cloud = Cloud(a=CloudUnreachable("busy"), b=CloudUnreachable("busy"))
    forwarder = Forwarder(outbox, cloud)
    again_and_again(outbox, forwarder, 2)
    assert len(forwarder._failures) == 2
    cloud.answers.clear()
    again_and_again(outbox, forwarder, 1)
    assert forwarder._failures == {}


def test_nothing_is_sent_while_the_disk_cannot_store_the_answer(tmp_path):
    outbox = Outbox(partial(Store, tmp_path), tmp_path)
    outbox.start()
    (key,) = keep(outbox, "a")
    break_disk(outbox)
    cloud = Cloud()
    for _ in range(3):
        with pytest.raises(OutboxError, match="full"):
            forward(outbox, cloud)
    assert cloud.asked == ["a"]
    assert "full" in outbox.fault
    repair_disk(outbox)
    forward(outbox, cloud)
    assert entry(outbox, key).state is EntryState.RESOLVED
    assert outbox.fault is None
    outbox.stop()


def test_an_answer_that_the_disk_does_not_take_is_held_and_not_requested_again(tmp_path):
    class Sick(Store):
        sick = False

        def resolve(self, key, result):
            if self.sick:
                raise OutboxFull("full")
            return super().resolve(key, result)

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
    assert {entry(outbox, key).state for key in keys} == {EntryState.RESOLVED}
    assert cloud.asked == ["a", "b", "c", "d", "e"]
    outbox.stop()


def test_a_round_ends_when_all_its_entries_are_through_even_if_one_fails_at_once(outbox):
    """Otherwise an entry would be sent twice at once."""
    _, slow = keep(outbox, "a", "b")

    class Uneven(Cloud):
        async def call(self, entry, image):
            if image.startswith(b"a"):
                raise RuntimeError
            await asyncio.sleep(0.4)
            return await super().call(entry, image)

    cloud = Uneven()

    async def run():
        with pytest.raises(RuntimeError):
            await Forwarder(outbox, cloud).step()
        assert (cloud.asked, cloud.under_way) == (["b"], 0)
        assert entry(outbox, slow).state is EntryState.RESOLVED

    asyncio.run(run())
