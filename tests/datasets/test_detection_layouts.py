"""COCO, Pascal VOC and YOLO."""

from __future__ import annotations

import pytest
from builders.datasets import put, put_lines
from hypothesis import given
from hypothesis import strategies as st

from edge.datasets import coco
from edge.datasets.coco import read_coco
from edge.datasets.dataset import LabeledBox, Split
from edge.datasets.pascal_voc import read_voc_pairs
from edge.datasets.read import read_data_set, read_with_faults
from edge.datasets.reading import FaultLog
from edge.datasets.yolo import read_yolo_folder
from edge.datasets.yolo_names import YoloFile
from edge.errors import DataSetError

CAR = LabeledBox("car", (0.1, 0.2, 0.5, 0.6))


def boxes_by_name(path):
    return {example.image.name: example.boxes for example in read_data_set(path).examples}


def splits_by_name(path):
    return {example.image.name: example.split for example in read_data_set(path).examples}


def faults_of(path):
    return [(fault.source, fault.reason) for fault in read_with_faults(path).faults]


def rounded(boxes):
    return tuple(
        LabeledBox(box.label, tuple(round(side, 6) for side in box.box)) for box in boxes or ()
    )


def coco_content(*annotations, names=("1.jpg",)):
    return {
        "images": [
            {"id": number, "file_name": name, "width": 100, "height": 50}
            for number, name in enumerate(names, 1)
        ],
        "annotations": [
            {"image_id": 1, "category_id": 3, "bbox": [10, 10, 40, 20], **more}
            for more in annotations
        ],
        "categories": [{"id": 3, "name": "car"}, {"id": 7, "name": "bus"}],
    }


@pytest.mark.parametrize("place", ["1.jpg", "images/1.jpg"])
def test_cocos_boxes_are_pixels_of_the_size_that_it_states(tmp_path, place):
    put(tmp_path, place)
    put_lines(tmp_path / "instances.json", coco_content({}, {"category_id": 7}))
    data_set = read_data_set(tmp_path)
    (example,) = data_set.examples
    assert rounded(example.boxes) == (CAR, LabeledBox("bus", CAR.box))
    assert (data_set.layout, example.labels) == ("COCO", ("car", "bus"))


def test_a_picture_of_coco_without_annotations_shows_nothing(tmp_path):
    put(tmp_path, "1.jpg", "2.jpg")
    put_lines(tmp_path / "x.json", coco_content({}, names=("1.jpg", "2.jpg")))
    assert boxes_by_name(tmp_path)["2.jpg"] == ()


def test_cocos_own_folders_are_splits(tmp_path):
    put(tmp_path, "train2017/1.jpg", "val2017/2.jpg")
    for name, picture in (("train2017", "1.jpg"), ("val2017", "2.jpg")):
        file = tmp_path / "annotations" / f"instances_{name}.json"
        put_lines(file, coco_content({}, names=(picture,)))
    put_lines(tmp_path / "annotations" / "captions_val2017.json", {})
    assert splits_by_name(tmp_path) == {"1.jpg": Split.TRAINING, "2.jpg": Split.VALIDATION}
    one = tmp_path / "annotations" / "instances_val2017.json"
    assert splits_by_name(one) == {"2.jpg": None}


def test_a_coco_file_in_each_folder_of_a_split_is_read(tmp_path):
    for split in ("train", "valid", "test"):
        put(tmp_path, f"{split}/{split}.jpg")
        content = coco_content({}, names=(f"{split}.jpg",))
        put_lines(tmp_path / split / "_annotations.coco.json", content)
    assert splits_by_name(tmp_path) == {
        "train.jpg": Split.TRAINING,
        "valid.jpg": Split.VALIDATION,
        "test.jpg": Split.TEST,
    }


def test_crowds_of_coco_are_left_out_and_told(tmp_path):
    put(tmp_path, "1.jpg")
    put_lines(tmp_path / "x.json", coco_content({}, {"iscrowd": 1}))
    reading = read_with_faults(tmp_path)
    assert rounded(reading.data_set.examples[0].boxes) == (CAR,)
    assert reading.notes == ("1 regions of x.json are crowds (iscrowd) and left out.",)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ({"image_id": 9}, "no image with the id 9"),
        ({"image_id": True}, "whole number as image_id"),
        ({"category_id": 9}, "no category with the id 9"),
        ({"bbox": [1, 2, 3]}, "must be [x, y, width, height]"),
        ({"bbox": [1, 2, 3, None]}, "must be a number"),
        ({"bbox": [10, 10, 0, 5]}, "has no area"),
        ({"bbox": [90, 10, 40, 5]}, "stands out of the picture"),
    ],
)
def test_a_wrong_annotation_of_coco_is_named(tmp_path, annotation, words):
    put(tmp_path, "1.jpg")
    put_lines(tmp_path / "x.json", coco_content({}, annotation))
    ((source, reason),) = faults_of(tmp_path)
    assert source == "x.json, annotation 2"
    assert words in reason


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "is no JSON"), ("[" * 100_000, "nested too deep"), ("[]", "is not COCO's")],
)
def test_a_file_that_is_not_cocos_is_refused(tmp_path, text, words):
    with pytest.raises(DataSetError, match=words):
        read_data_set(put_lines(tmp_path / "x.json", text))


def test_a_coco_file_over_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(coco, "MAX_JSON_BYTES", 100)
    with pytest.raises(DataSetError, match="has more than 100 bytes"):
        read_data_set(put_lines(tmp_path / "x.json", coco_content({})))


def test_json_of_other_contents_is_no_index(tmp_path):
    put(tmp_path, "daisy/1.jpg")
    put_lines(tmp_path / "names.json", {"1": "daisy"})
    put_lines(tmp_path / "settings.yaml", "epochs: 3")
    assert read_data_set(tmp_path).layout == "folder per label"


_value = st.sampled_from([None, True, 1, -1, 1e400, "", "1.jpg", [], {}, [1, 1, 5, 5], "car"])
_entry = _value | st.dictionaries(
    st.sampled_from(
        ["id", "image_id", "category_id", "bbox", "file_name", "width", "height", "name", "iscrowd"]
    ),
    _value,
)


@given(st.fixed_dictionaries(dict.fromkeys(coco._PARTS, st.lists(_entry, max_size=3))))
def test_any_lists_of_coco_give_examples_or_faults(tmp_path_factory, content):
    file = put_lines(tmp_path_factory.mktemp("any") / "x.json", content)
    log = FaultLog()
    examples, unlabeled = read_coco(file, None, log)
    assert (examples, unlabeled) == ([], [])  # no picture is there


def voc(*objects, size="<size><width>100</width><height>50</height></size>", name="1.jpg"):
    boxes = "".join(
        f"<object><name>{label}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax>"
        f"<ymax>{d}</ymax></bndbox></object>"
        for label, a, b, c, d in objects
    )
    return f"<annotation><filename>{name}</filename>{size}{boxes}</annotation>"


@pytest.mark.parametrize(
    "folders", [("Annotations", "JPEGImages"), ("annotations", "images"), ("x", "x"), ("", "")]
)
def test_vocs_pixels_count_from_1(tmp_path, folders):
    annotations, pictures = folders
    put(tmp_path / pictures, "1.jpg", "2.jpg")
    put_lines(tmp_path / annotations / "1.xml", voc(("car", 11, 11, 50, 30)))
    place = tmp_path / annotations if annotations == pictures else tmp_path
    data_set = read_data_set(place)
    (example,) = data_set.examples
    assert (data_set.layout, rounded(example.boxes)) == ("Pascal VOC", (CAR,))
    assert [one.image.name for one in data_set.unlabeled] == ["2.jpg"]


def test_vocs_lists_state_the_splits(tmp_path):
    put(tmp_path / "JPEGImages", "1.jpg", "2.jpg", "3.jpg")
    for number in (1, 2, 3):
        put_lines(tmp_path / "Annotations" / f"{number}.xml", voc())
    put_lines(tmp_path / "ImageSets/Main/train.txt", "1")
    put_lines(tmp_path / "ImageSets/Main/test.txt", "2  1")
    assert splits_by_name(tmp_path) == {
        "1.jpg": Split.TRAINING,
        "2.jpg": Split.TEST,
        "3.jpg": None,
    }


def test_the_picture_of_the_same_name_counts_not_the_one_that_the_file_states(tmp_path):
    put(tmp_path, "1.jpg", "2.jpg")
    put_lines(tmp_path / "1.xml", voc(("car", 11, 11, 50, 30), name="2.jpg"))
    assert list(boxes_by_name(tmp_path)) == ["1.jpg"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<annotation>", "no XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "declares a document type"),
        (voc(size=""), "width is missing"),
        (voc(size="<size><width>0</width><height>5</height></size>"), "more than 0"),
        (voc(("car", 11, 11, 250, 30)), "stands out of the picture"),
        (voc(("", 11, 11, 50, 30)), "label is empty"),
        (voc(("car", "x", 11, 50, 30)), "xmin must be a number"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_a_wrong_file_of_voc_is_named(tmp_path, text, words):
    put(tmp_path, "1.jpg", "2.jpg")
    put_lines(tmp_path / "2.xml", voc(("car", 11, 11, 50, 30)))
    (tmp_path / "1.xml").write_bytes(text.encode("utf-8", "surrogateescape"))
    ((source, reason),) = faults_of(tmp_path)
    assert source == "1.xml"
    assert words in reason


def test_a_file_of_voc_without_its_picture_is_named(tmp_path):
    put(tmp_path, "1.jpg")
    put_lines(tmp_path / "1.xml", voc())
    put_lines(tmp_path / "2.xml", voc())
    assert faults_of(tmp_path) == [("2.xml", "There is no picture of the same name.")]


LINE = "1 0.3 0.4 0.4 0.4"


def yolo(root, *lines, names="names: [bus, car]", labels="train/labels/1.txt", more=()):
    put(root, "train/images/1.jpg")
    put_lines(root / labels, *lines)
    put_lines(root / "data.yaml", names, "train: ../train/images", *more)
    return root


def test_a_line_of_yolo_is_class_centre_and_size(tmp_path):
    data_set = read_data_set(yolo(tmp_path, LINE))
    (example,) = data_set.examples
    assert (data_set.layout, rounded(example.boxes), example.split) == ("YOLO", (CAR,), None)


def test_folders_of_data_yaml_are_splits_and_found_below_its_own(tmp_path):
    put(tmp_path, "valid/images/2.jpg")
    yolo(tmp_path, LINE, more=("val: /elsewhere/set/valid/images # there", "nc: 2"))
    assert splits_by_name(tmp_path) == {"1.jpg": Split.TRAINING, "2.jpg": Split.VALIDATION}
    reading = read_with_faults(tmp_path)
    assert reading.notes == ("1 pictures have no label file: they count as showing nothing.",)


def test_yolo_without_data_yaml_needs_classes_txt(tmp_path):
    put(tmp_path, "images/val/1.jpg")
    put_lines(tmp_path / "labels/val/1.txt", LINE)
    with pytest.raises(DataSetError, match=r"put data\.yaml or classes\.txt there"):
        read_data_set(tmp_path)
    put_lines(tmp_path / "classes.txt", "bus", "car")
    assert rounded(boxes_by_name(tmp_path)["1.jpg"]) == (CAR,)
    assert splits_by_name(tmp_path) == {"1.jpg": Split.VALIDATION}


def test_labels_may_lie_next_to_the_pictures(tmp_path):
    put(tmp_path / "images", "set/pics/1.jpg")  # a folder around the set is not its own
    root = tmp_path / "images" / "set"
    put_lines(root / "pics/1.txt", LINE)
    put_lines(root / "data.yaml", "names: [bus, car]", "train: pics")
    assert rounded(boxes_by_name(root)["1.jpg"]) == (CAR,)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("2 0.3 0.4 0.4 0.4", "no class 2"),
        ("car 0.3 0.4 0.4 0.4", "no class car"),
        ("1 0.3 0.4 0.4", "this one 4"),
        ("1 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2", "Polygons are not read"),
        ("1 0.3 0.4 0.9 0.4", "stands out of the picture"),
        ("1 0.3 0.4 0.0 0.4", "has no area"),
        ("1 0.3 nan 0.4 0.4", "must be a number"),
    ],
)
def test_a_wrong_line_of_yolo_is_named_and_its_picture_left_out(tmp_path, line, words):
    yolo(tmp_path, LINE, line)
    ((source, reason),) = faults_of(tmp_path)
    assert source == "train/labels/1.txt, line 2"
    assert words in reason
    assert read_with_faults(tmp_path).data_set.examples == ()


def test_a_label_file_without_a_picture_is_named(tmp_path):
    yolo(tmp_path, LINE)
    put_lines(tmp_path / "train/labels/2.txt", LINE)
    assert [source for source, _ in faults_of(tmp_path)] == ["train/labels/2.txt"]


def test_no_label_file_at_all_is_refused(tmp_path):
    yolo(tmp_path, LINE, labels="labels/1.txt")
    with pytest.raises(DataSetError, match="None of 1 pictures has a label file"):
        read_data_set(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "names: [bus, \"it's, a\", 'don''t', x#y] # comment",
        "names:\n  - bus\n  - \"it's, a\"\n  - 'don''t'\n  - x#y",
        "names:\n  0: bus\n  1: \"it's, a\"\n  2: 'don''t' # no\n  3: x#y",
        "names: {0: bus, 1: \"it's, a\", 2: 'don''t', 3: x#y}",
    ],
)
def test_names_are_read_in_the_ways_of_yaml(tmp_path, text):
    file = put_lines(tmp_path / "data.yaml", "# YOLO", "path: ../set", text, "nc: 4")
    stated = YoloFile(file)
    assert stated.names == {0: "bus", 1: "it's, a", 2: "don't", 3: "x#y"}
    assert (stated.path, stated.splits) == ("../set", {})


@given(st.text(st.sampled_from("names: [],{}'\"#-\n0ab\\"), max_size=80))
def test_any_yaml_gives_names_or_an_error(tmp_path_factory, text):
    file = tmp_path_factory.mktemp("any") / "data.yaml"
    file.write_text("names:" + text)
    try:
        stated = YoloFile(file)
    except DataSetError:
        return
    assert stated.names


_pieces = st.sampled_from(
    [b"<annotation>", b"</annotation>", b"<object>", b"</object>", b"<size>", b"</size>", b"<name>",
     b"</name>", b"<width>9</width>", b"<height>9</height>", b"<bndbox>", b"</bndbox>",
     b"<xmin>1</xmin>", b"x", b"<?xml version='1.0' encoding='utf-16'?>", b"<!", b"\xff", b"\0"]
)  # fmt: skip


@given(st.lists(_pieces, max_size=10))
def test_any_pieces_of_xml_give_an_example_or_a_fault(tmp_path_factory, pieces):
    root = tmp_path_factory.mktemp("any")
    (root / "1.jpg").touch()
    (root / "1.xml").write_bytes(b"".join(pieces))
    log = FaultLog()
    examples, unlabeled = read_voc_pairs(root, None, log)
    assert (len(examples) + log.count, unlabeled) == (1, [])


_words = st.lists(st.sampled_from(["0", "1", "2", ".5", ".1", "-1", "nan", "9" * 400, "²", "x"]))


@given(st.lists(_words, min_size=1, max_size=4))
def test_any_lines_of_yolo_give_an_example_or_faults(tmp_path_factory, lines):
    root = tmp_path_factory.mktemp("any")
    (root / "images").mkdir()
    (root / "images/1.jpg").touch()
    put_lines(root / "labels/1.txt", *(" ".join(line) for line in lines))
    put_lines(root / "classes.txt", "bus", "car")
    log = FaultLog()
    assert (len(read_yolo_folder(root, log)) == 1) == (log.count == 0)
