"""Encryption at rest: nonces never repeat; an image needs its own key and its own entry."""

from __future__ import annotations

import base64
import sqlite3

import pytest
from builders.outbox import KEY, OTHER_KEY, frame
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import EntryUnreadable, SettingsError
from edge.outbox.database import FILE_NAME
from edge.outbox.encryption import AesGcmEncryption, NoEncryption

MAGIC = b"edge encrypted 1\n"
NONCE = slice(len(MAGIC), len(MAGIC) + 12)


def test_encrypting_the_same_bytes_again_shares_neither_nonce_nor_ciphertext():
    ciphers = [AesGcmEncryption(KEY), AesGcmEncryption(KEY)]  # as after a restart, too
    encrypted = [
        cipher.encrypt(b"the same frame", "entry") for cipher in ciphers for _ in range(500)
    ]
    assert len({one[NONCE] for one in encrypted}) == len(encrypted)
    assert len({one[NONCE.stop :] for one in encrypted}) == len(encrypted)
    assert {ciphers[0].decrypt(one, "entry") for one in encrypted} == {b"the same frame"}


def test_a_nonce_is_random_in_all_its_bytes():
    nonces = [AesGcmEncryption(KEY).encrypt(b"", "entry")[NONCE] for _ in range(200)]
    assert [len(nonce) for nonce in nonces] == [12] * 200
    assert all(len({nonce[place] for nonce in nonces}) > 50 for place in range(12))


def test_stored_images_share_no_nonce_over_many_entries_and_a_reopened_store(open_store, tmp_path):
    for part in range(3):
        store = open_store(encryption=AesGcmEncryption(KEY))
        store.put([frame(f"{part} {number}") for number in range(40)])
        store.close()
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        stored = [row[0] for row in database.execute("SELECT bytes FROM image")]
    database.close()
    assert len(stored) == 120
    assert len({one[NONCE] for one in stored}) == 120


def test_an_image_is_decrypted_only_for_the_entry_it_was_encrypted_for():
    cipher = AesGcmEncryption(KEY)
    encrypted = cipher.encrypt(b"frame", "one")
    assert cipher.decrypt(encrypted, "one") == b"frame"
    with pytest.raises(EntryUnreadable, match="outbox_key"):
        cipher.decrypt(encrypted, "other")
    with pytest.raises(EntryUnreadable):
        cipher.decrypt(encrypted, "")


def test_another_key_decrypts_nothing():
    with pytest.raises(EntryUnreadable, match="encrypted with another"):
        AesGcmEncryption(OTHER_KEY).decrypt(AesGcmEncryption(KEY).encrypt(b"frame", "one"), "one")


def test_an_image_that_was_changed_or_truncated_on_disk_is_not_decrypted():
    cipher = AesGcmEncryption(KEY)
    encrypted = cipher.encrypt(b"frame", "one")
    for place in range(len(MAGIC), len(encrypted)):
        changed = bytearray(encrypted)
        changed[place] ^= 1
        with pytest.raises(EntryUnreadable):
            cipher.decrypt(bytes(changed), "one")
    for length in range(len(MAGIC), len(encrypted)):
        with pytest.raises(EntryUnreadable):
            cipher.decrypt(encrypted[:length], "one")


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300), st.text(max_size=40))
def test_an_encrypted_image_is_unreadable_and_decrypts_to_the_original(image, key):
    encrypted = AesGcmEncryption(KEY).encrypt(image, key)
    assert encrypted.startswith(MAGIC)
    assert len(image) < 8 or image not in encrypted[NONCE.stop :]
    assert AesGcmEncryption(KEY).decrypt(encrypted, key) == image


def test_without_a_key_images_are_stored_as_they_are_and_encrypted_ones_are_refused():
    assert (
        NoEncryption().encrypt(b"frame", "one")
        == NoEncryption().decrypt(b"frame", "one")
        == b"frame"
    )
    with pytest.raises(EntryUnreadable, match="Set outbox_key"):
        NoEncryption().decrypt(AesGcmEncryption(KEY).encrypt(b"frame", "one"), "one")


@pytest.mark.parametrize("size", [16, 24, 31, 33, 64])
def test_a_key_of_another_length_is_refused(size):
    with pytest.raises(SettingsError, match="32 bytes"):
        AesGcmEncryption(base64.b64encode(bytes(size)).decode())
