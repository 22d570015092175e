"""What was computed about pictures is kept on disk, whole or not at all."""

from __future__ import annotations

import numpy as np
import pytest
from builders.datasets import put

from edge.datasets import picture_cache
from edge.datasets.picture_cache import PictureCache, picture_key
from edge.datasets.record_file import RecordFile
from edge.errors import OutputError

VALUE = np.dtype([("numbers", "<f4", (3,)), ("name", "V4")])


def key(number):
    return number.to_bytes(16, "big")


@pytest.fixture
def opened():
    """Opens a file of records, and closes it in the end."""
    files = []

    def open_file(file, *, keep=True):
        files.append(RecordFile(file, VALUE, keep=keep))
        return files[-1]

    yield open_file
    for one in files:
        one.close()


def filled(file, number=5):
    records = RecordFile(file, VALUE, keep=True)
    for index in range(number):
        records.add(key(index), ([index] * 3, np.void(b"abcd")))
    records.close()
    return file


def test_records_are_found_again(tmp_path, opened):
    records = opened(filled(tmp_path / "x"))
    assert len(records) == 5
    row = records.row(key(3))
    assert records.values()["numbers"][row].tolist() == [3, 3, 3]
    assert records.row(key(9)) is None


@pytest.mark.parametrize("cut", [1, 7, 31, 33])
def test_what_was_half_written_is_cut_off_and_written_again(tmp_path, opened, cut):
    file = filled(tmp_path / "x")
    size = file.stat().st_size // 5
    file.write_bytes(file.read_bytes()[: 4 * size + cut])
    records = opened(file)
    assert (key(3) in records, key(4) in records) == (True, False)
    records.add(key(4), ([7] * 3, np.void(b"abcd")))
    assert records.values()["numbers"][records.row(key(4))].tolist() == [7, 7, 7]
    assert file.stat().st_size == 5 * size


def test_a_damaged_record_is_missing_and_the_others_are_there(tmp_path, opened):
    file = filled(tmp_path / "x")
    content = bytearray(file.read_bytes())
    size = len(content) // 5
    content[2 * size + 20] ^= 1
    content[4 * size :] = bytes(size)  # zeros, as after a power cut
    file.write_bytes(content)
    records = opened(file)
    assert [key(index) in records for index in range(5)] == [True, True, False, True, False]


def test_a_run_from_the_start_forgets_what_was_kept(tmp_path, opened):
    assert len(opened(filled(tmp_path / "x"), keep=False)) == 0


def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(tmp_path):
    (tmp_path / "datasets").write_text("a file")
    with pytest.raises(OutputError, match="Name another folder with --data"):
        PictureCache(tmp_path, tmp_path, keep=False)


def test_only_the_last_sets_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(picture_cache, "_MAX_SETS", 2)
    for name in ("a", "b", "c"):
        PictureCache(tmp_path, tmp_path / name, keep=False).close()
    assert len(list((tmp_path / "datasets").iterdir())) == 2


def test_a_picture_that_was_changed_has_another_key(tmp_path):
    put(tmp_path, "1.jpg", "2.jpg")
    before = picture_key(tmp_path / "1.jpg", tmp_path)
    assert before != picture_key(tmp_path / "2.jpg", tmp_path)
    put(tmp_path, "1.jpg", content=b"x")
    assert before != picture_key(tmp_path / "1.jpg", tmp_path)
