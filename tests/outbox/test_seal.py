"""Images at rest: no two are closed alike, and each opens with its own key and for its own entry alone."""

from __future__ import annotations

import base64
import sqlite3

import pytest
from builders.outbox import KEY, OTHER_KEY, frame
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import EntryUnreadable, SettingsError
from edge.outbox.seal import AesGcm, NoSeal
from edge.outbox.store import FILE_NAME

MARK = b"edge sealed 1\n"
NONCE = slice(len(MARK), len(MARK) + 12)


def test_no_two_closings_of_the_same_bytes_share_a_nonce_or_a_ciphertext():
    seals = [AesGcm(KEY), AesGcm(KEY)]  # as after a restart, too
    closed = [seal.close(b"the same frame", "entry") for seal in seals for _ in range(500)]
    assert len({one[NONCE] for one in closed}) == len(closed)
    assert len({one[NONCE.stop :] for one in closed}) == len(closed)
    assert {seals[0].open(one, "entry") for one in closed} == {b"the same frame"}


def test_a_nonce_is_random_in_all_its_bytes():
    nonces = [AesGcm(KEY).close(b"", "entry")[NONCE] for _ in range(200)]
    assert [len(nonce) for nonce in nonces] == [12] * 200
    assert all(len({nonce[place] for nonce in nonces}) > 50 for place in range(12))


def test_stored_images_share_no_nonce_over_many_entries_and_a_reopened_store(open_store, tmp_path):
    for part in range(3):
        store = open_store(seal=AesGcm(KEY))
        store.put([frame(f"{part} {number}") for number in range(40)])
        store.close()
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        stored = [row[0] for row in database.execute("SELECT bytes FROM image")]
    database.close()
    assert len(stored) == 120
    assert len({one[NONCE] for one in stored}) == 120


def test_an_image_opens_for_the_entry_alone_for_which_it_was_closed():
    seal = AesGcm(KEY)
    closed = seal.close(b"frame", "one")
    assert seal.open(closed, "one") == b"frame"
    with pytest.raises(EntryUnreadable, match="outbox_key"):
        seal.open(closed, "other")
    with pytest.raises(EntryUnreadable):
        seal.open(closed, "")


def test_another_key_opens_nothing():
    with pytest.raises(EntryUnreadable, match="closed with another"):
        AesGcm(OTHER_KEY).open(AesGcm(KEY).close(b"frame", "one"), "one")


def test_an_image_that_was_changed_or_cut_short_on_the_disk_does_not_open():
    seal = AesGcm(KEY)
    closed = seal.close(b"frame", "one")
    for place in range(len(MARK), len(closed)):
        changed = bytearray(closed)
        changed[place] ^= 1
        with pytest.raises(EntryUnreadable):
            seal.open(bytes(changed), "one")
    for length in range(len(MARK), len(closed)):
        with pytest.raises(EntryUnreadable):
            seal.open(closed[:length], "one")


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300), st.text(max_size=40))
def test_whatever_is_closed_opens_again_and_cannot_be_read_meanwhile(image, key):
    closed = AesGcm(KEY).close(image, key)
    assert closed.startswith(MARK)
    assert len(image) < 8 or image not in closed[NONCE.stop :]
    assert AesGcm(KEY).open(closed, key) == image


def test_without_a_key_images_are_stored_as_they_are_and_sealed_ones_are_refused():
    assert NoSeal().close(b"frame", "one") == NoSeal().open(b"frame", "one") == b"frame"
    with pytest.raises(EntryUnreadable, match="Set outbox_key"):
        NoSeal().open(AesGcm(KEY).close(b"frame", "one"), "one")


@pytest.mark.parametrize("size", [16, 24, 31, 33, 64])
def test_a_key_of_another_length_is_refused(size):
    with pytest.raises(SettingsError, match="32 bytes"):
        AesGcm(base64.b64encode(bytes(size)).decode())
