"""A folder for each label."""

from __future__ import annotations

import os
import unicodedata

import pytest
from builders.datasets import labels_by_name, put

from edge.datasets import picture_folder
from edge.datasets.dataset import Split
from edge.datasets.read import read_data_set, read_with_faults
from edge.errors import DataSetError


def faults_of(path):
    return {fault.source: fault.reason for fault in read_with_faults(path).faults}


def test_each_folder_is_a_label_for_all_pictures_below_it(tmp_path):
    put(tmp_path, "tulip/2.JPG", "daisy/b/3.png", "daisy/1.jpg")
    data_set = read_data_set(tmp_path)
    assert (data_set.layout, data_set.labels) == ("folder per label", ("daisy", "tulip"))
    assert [str(example.image.relative_to(tmp_path)) for example in data_set.examples] == [
        "daisy/1.jpg",
        "daisy/b/3.png",
        "tulip/2.JPG",
    ]
    assert labels_by_name(data_set) == {
        "1.jpg": ("daisy",),
        "3.png": ("daisy",),
        "2.JPG": ("tulip",),
    }
    assert {example.split for example in data_set.examples} == {None}


@pytest.mark.parametrize(
    ("folder", "split"),
    [("val", Split.VALIDATION), ("Valid", Split.VALIDATION), ("test", Split.TEST)],
)
def test_folders_named_after_splits_hold_the_labels(tmp_path, folder, split):
    put(tmp_path, "train/daisy/1.jpg", f"{folder}/daisy/2.jpg")
    data_set = read_data_set(tmp_path)
    assert data_set.labels == ("daisy",)
    assert [example.split for example in sorted(data_set.examples, key=lambda e: e.image.name)] == [
        Split.TRAINING,
        split,
    ]


def test_without_a_folder_for_training_test_is_a_label_like_any_other(tmp_path):
    put(tmp_path, "test/1.jpg", "valid/2.jpg")
    assert read_data_set(tmp_path).labels == ("test", "valid")


def test_folders_that_only_wrap_the_labels_are_none(tmp_path):
    put(tmp_path, "unpacked/flowers/daisy/1.jpg", "unpacked/flowers/tulip/2.jpg")
    assert read_data_set(tmp_path).labels == ("daisy", "tulip")


def test_a_single_folder_with_pictures_is_a_label(tmp_path):
    put(tmp_path, "good/1.jpg")
    assert read_data_set(tmp_path).labels == ("good",)


def test_pictures_beside_the_labels_wait_for_a_label(tmp_path):
    put(tmp_path, "daisy/1.jpg", "2.jpg")
    data_set = read_data_set(tmp_path)
    assert list(labels_by_name(data_set)) == ["1.jpg"]
    assert [example.image.name for example in data_set.unlabeled] == ["2.jpg"]


def test_hidden_files_are_passed_over_and_others_that_are_no_pictures_counted(tmp_path):
    put(tmp_path, "daisy/1.jpg", "daisy/._1.jpg", ".git/a.jpg", "__MACOSX/daisy/1.jpg")
    (tmp_path / "daisy" / "notes.txt").write_text("x")
    reading = read_with_faults(tmp_path)
    assert list(labels_by_name(reading.data_set)) == ["1.jpg"]
    assert reading.notes == ("1 files are no pictures and are passed over: 1 .txt.",)


def test_a_photo_in_a_format_that_is_not_read_is_a_fault(tmp_path):
    put(tmp_path, "daisy/1.jpg", "daisy/2.HEIC")
    assert "convert it to JPEG" in faults_of(tmp_path)["daisy/2.HEIC"]
    with pytest.raises(DataSetError, match="1 fault:") as refused:
        read_data_set(tmp_path)
    (fault,) = refused.value.faults
    assert fault.startswith("daisy/2.HEIC: ")


@pytest.mark.parametrize("target", ["..", "../daisy", ".", "../tulip"])
def test_a_link_that_leads_back_is_a_fault_and_followed_by_nobody(tmp_path, target):
    put(tmp_path, "daisy/1.jpg", "tulip/2.jpg")
    (tmp_path / "daisy" / "link").symlink_to(target)
    reading = read_with_faults(tmp_path)
    assert labels_by_name(reading.data_set) == {"1.jpg": ("daisy",), "2.jpg": ("tulip",)}
    assert [fault.source for fault in reading.faults] == ["daisy/link"]


def test_links_to_pictures_and_folders_elsewhere_are_followed(tmp_path):
    put(tmp_path, "store/x/1.jpg", "store/2.jpg", "set/daisy/3.jpg")
    (tmp_path / "set" / "tulip").symlink_to("../store/x")
    (tmp_path / "set" / "daisy" / "2.jpg").symlink_to("../../store/2.jpg")
    assert labels_by_name(read_data_set(tmp_path / "set")) == {
        "2.jpg": ("daisy",),
        "3.jpg": ("daisy",),
        "1.jpg": ("tulip",),
    }


def test_links_to_nothing_and_pipes_are_faults(tmp_path):
    put(tmp_path, "daisy/1.jpg")
    (tmp_path / "daisy" / "2.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(tmp_path / "daisy" / "3.jpg")
    assert set(faults_of(tmp_path)) == {"daisy/2.jpg", "daisy/3.jpg"}


def test_a_folder_name_that_dict_txt_could_not_hold_is_a_fault(tmp_path):
    put(tmp_path, "daisy/1.jpg", "tu\nlip/2.jpg")
    assert "U+000A" in faults_of(tmp_path)["tu\\nlip"]


def test_a_label_is_one_in_both_forms_of_unicode(tmp_path):
    put(tmp_path, unicodedata.normalize("NFD", "café") + "/1.jpg")
    assert read_data_set(tmp_path).labels == (unicodedata.normalize("NFC", "café"),)


@pytest.mark.parametrize("names", [[], ["1.jpg", "2.jpg"]])
def test_a_folder_without_labels_is_refused_with_what_to_do(tmp_path, names):
    put(tmp_path, *names)
    with pytest.raises(DataSetError, match="Make one folder a label"):
        read_data_set(tmp_path)


def test_more_pictures_than_the_limit_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(picture_folder, "MAX_EXAMPLES", 2)
    put(tmp_path, "daisy/1.jpg", "daisy/2.jpg")
    assert len(read_data_set(tmp_path).examples) == 2
    put(tmp_path, "daisy/3.jpg")
    with pytest.raises(DataSetError, match="more than 2 pictures"):
        read_data_set(tmp_path)


def test_a_label_without_pictures_is_named(tmp_path):
    put(tmp_path, "daisy/1.jpg")
    (tmp_path / "tulip").mkdir()
    reading = read_with_faults(tmp_path)
    assert reading.data_set.labels == ("daisy",)
    assert reading.notes == ("The folder tulip has no pictures: the label is left out.",)
