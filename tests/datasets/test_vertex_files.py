"""CSV and JSON lines, as Vertex AI imports them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from builders.datasets import labels_by_name, put, put_lines
from builders.outbox import frame
from hypothesis import given
from hypothesis import strategies as st

from edge.datasets import index_rows, text_lines
from edge.datasets.dataset import LabeledBox, Split
from edge.datasets.read import read_data_set, read_with_faults
from edge.datasets.reading import MAX_FAULTS, FaultLog
from edge.datasets.vertex_csv import read_csv
from edge.datasets.vertex_jsonl import read_jsonl
from edge.errors import DataSetError
from edge.outbox.export import Labels, Plan, export
from edge.outbox.store import Store

DAISY = {"classificationAnnotation": {"displayName": "daisy"}}


@pytest.fixture
def pictures(tmp_path):
    return put(tmp_path, "images/1.jpg", "images/2.jpg", "images/3.jpg")


def read(folder, *lines, kind="csv"):
    return read_data_set(put_lines(folder / f"index.{kind}", *lines))


def faults(folder, *lines, kind="csv"):
    reading = read_with_faults(put_lines(folder / f"index.{kind}", *lines))
    return {fault.source.removeprefix(f"index.{kind}, "): fault.reason for fault in reading.faults}


def row(name="images/1.jpg", **more):
    return {"imageGcsUri": name, **more}


def test_a_line_of_csv_has_a_split_a_path_and_labels(pictures):
    data_set = read(
        pictures,
        "training,images/1.jpg,daisy",
        "TEST,images/2.jpg,daisy,tulip",
        "images/3.jpg,tulip",
    )
    assert (data_set.layout, data_set.labels) == ("Vertex AI CSV", ("daisy", "tulip"))
    assert [(e.labels, e.split, e.boxes, e.source) for e in data_set.examples] == [
        (("daisy",), Split.TRAINING, None, "index.csv, line 1"),
        (("daisy", "tulip"), Split.TEST, None, "index.csv, line 2"),
        (("tulip",), None, None, "index.csv, line 3"),
    ]


@pytest.mark.parametrize("use", ["UNASSIGNED,", ",", ""])
def test_a_line_may_leave_the_split_open(pictures, use):
    assert read(pictures, f"{use}images/1.jpg,daisy").examples[0].split is None


def test_lines_without_a_label_wait_for_one(pictures):
    data_set = read(pictures, "images/1.jpg,daisy", "images/2.jpg", "test,images/3.jpg,")
    assert [e.image.name for e in data_set.examples] == ["1.jpg"]
    assert [e.image.name for e in data_set.unlabeled] == ["2.jpg", "3.jpg"]


def test_a_line_of_csv_for_each_box_makes_one_example(pictures):
    data_set = read(
        pictures,
        "TRAIN,images/1.jpg,car,0.1,0.1,,,0.3,0.3,,",
        "TRAIN,images/1.jpg,bike,.7,.6,,,.8,.9,,",
        "images/2.jpg,car,0.1,0.1,0.2,0.1,0.2,0.3,0.1,0.3",
        "TEST,images/3.jpg,,,,,,,,,",
    )
    first, second, third = data_set.examples
    assert first.boxes == (
        LabeledBox("car", (0.1, 0.1, 0.3, 0.3)),
        LabeledBox("bike", (0.7, 0.6, 0.8, 0.9)),
    )
    assert (first.labels, first.split) == (("car", "bike"), Split.TRAINING)
    assert second.boxes == (LabeledBox("car", (0.1, 0.1, 0.2, 0.3)),)
    assert (third.boxes, third.labels, third.split) == ((), (), Split.TEST)


def test_labels_that_are_numbers_are_no_box(pictures):
    line = "images/1.jpg,0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8"
    assert read(pictures, line).examples[0].labels == tuple(line.split(",")[1:])


def test_marks_line_ends_quotes_and_blank_lines_of_other_systems_do_not_matter(pictures):
    file = pictures / "index.csv"
    file.write_bytes(b'\xef\xbb\xbf"images/1.jpg", "ox-eye, daisy"\r\n\r\nimages/2.jpg,tulip\r\n')
    data_set = read_data_set(file)
    assert labels_by_name(data_set) == {"1.jpg": ("ox-eye, daisy",), "2.jpg": ("tulip",)}
    assert data_set.examples[1].source == "index.csv, line 3"


def test_all_faults_are_listed_with_their_lines(pictures):
    found = faults(
        pictures,
        "images/1.jpg,daisy",
        'images/2.jpg,"daisy',
        "images/9.jpg,daisy",
        "gs://bucket/x/8.jpg,daisy",
        "https://example.org/1.jpg,daisy",
        "/etc/passwd,daisy",
        "images/../../1.jpg,daisy",
        "images/1.jpg,tulip",
        "training,images/1.jpg,daisy",
        "images/3.jpg,,tulip",
        "./images/1.jpg,daisy",
        "images,daisy",
        "images/2.jpg," + "x" * 300,
    )
    wanted = {
        2: "Close its quotes",
        3: "No picture images/9.jpg",
        4: r"gcloud storage cp -r gs://bucket",
        5: "not on this machine",
        6: "absolute path",
        7: "leads out of the folder",
        8: "other labels in index.csv, line 1: daisy",
        9: "another split in index.csv, line 1",
        10: "The label is empty",
        11: "the same picture as index.csv, line 1",
        12: "is not a file",
        13: "more than 256 characters",
    }
    assert set(found) == {f"line {number}" for number in wanted}
    for number, words in wanted.items():
        assert words in found[f"line {number}"], number


@pytest.mark.parametrize("line", ["images/1.jpg{}daisy", "test{}images/1.jpg{}daisy"])
@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_another_separator_than_the_comma_is_named(pictures, line, separator, name):
    found = faults(pictures, "images/2.jpg,daisy", line.replace("{}", separator))
    assert found == {
        "line 2": f"Its fields are separated by {name}. Save it with commas.",
    }


def test_a_semicolon_in_a_name_or_a_label_is_no_separator(pictures):
    put(pictures, "images/a;b.jpg")
    read(pictures, "images/a;b.jpg", "images/1.jpg,red;green", "images/a;b.jpg")


def test_a_line_of_column_names_is_guessed_to_be_one(pictures):
    found = faults(pictures, "filename,label", "images/1.jpg,daisy")
    assert found["line 1"].endswith(" If the line names columns, remove it.")


def test_bytes_that_are_no_text_are_faults_of_their_line(pictures):
    file = pictures / "index.csv"
    file.write_bytes(b"images/1.jpg,da\xffisy\nimages/2.jpg,da\0isy\nimages/3.jpg,daisy\n")
    reading = read_with_faults(file)
    assert list(labels_by_name(reading.data_set)) == ["3.jpg"]
    assert ["UTF-8" in fault.reason for fault in reading.faults] == [True, True]


def test_a_file_in_utf16_is_refused_as_a_whole(pictures):
    (pictures / "index.csv").write_text("images/1.jpg,daisy\n", encoding="utf-16")
    with pytest.raises(DataSetError, match="Save the file as UTF-8"):
        read_data_set(pictures / "index.csv")


def test_only_the_first_faults_are_listed_and_all_counted(pictures):
    put_lines(pictures / "index.csv", *(f"images/no{number}.jpg,daisy" for number in range(50)))
    reading = read_with_faults(pictures / "index.csv")
    assert (len(reading.faults), reading.fault_count) == (MAX_FAULTS, 50)
    with pytest.raises(DataSetError, match=r"50 faults:$") as refused:
        read_data_set(pictures / "index.csv")
    assert len(refused.value.faults) == MAX_FAULTS + 1
    assert refused.value.faults[-1] == "... and 30 more."


def test_a_line_that_is_too_long_is_a_fault_and_the_next_one_is_read(pictures, monkeypatch):
    monkeypatch.setattr(text_lines, "MAX_LINE_BYTES", 1 << 20)
    found = faults(pictures, "images/1.jpg," + "x" * (1 << 20), "images/2.jpg,daisy,")
    assert list(found) == ["line 1"]


@pytest.mark.parametrize(
    ("module", "limit", "words"),
    [(text_lines, "MAX_LINES", "more than 2 lines"), (index_rows, "MAX_EXAMPLES", "2 pictures")],
)
def test_more_lines_or_pictures_than_the_limit_are_refused(
    pictures, monkeypatch, module, limit, words
):
    monkeypatch.setattr(module, limit, 2)
    with pytest.raises(DataSetError, match=words):
        read(pictures, *(f"images/{number}.jpg,daisy" for number in (1, 2, 3)))


def test_repeated_lines_count_once_and_are_told(pictures):
    put_lines(pictures / "index.csv", *["images/1.jpg,daisy"] * 3)
    reading = read_with_faults(pictures / "index.csv")
    assert (len(reading.data_set.examples), reading.fault_count) == (1, 0)
    assert reading.notes == ("2 lines repeat earlier ones and count once.",)


def test_places_in_the_cloud_are_looked_for_below_the_folder_of_the_file(tmp_path):
    put(tmp_path, "cats/1.jpg", "dogs/1.jpg")
    data_set = read(tmp_path, "gs://bucket/set/cats/1.jpg,cat", "gs://bucket/set/dogs/1.jpg,dog")
    assert [(e.image.relative_to(tmp_path).as_posix(), e.labels) for e in data_set.examples] == [
        ("cats/1.jpg", ("cat",)),
        ("dogs/1.jpg", ("dog",)),
    ]


def test_two_places_in_the_cloud_never_become_one_picture(tmp_path):
    put(tmp_path, "1.jpg", "cats/1.jpg")
    found = faults(tmp_path, "gs://b/cats/1.jpg,cat", "gs://b/dogs/1.jpg,dog")
    assert list(found) == ["line 2"]
    assert "gcloud storage cp -r gs://b " in found["line 2"]


def test_the_bucket_itself_may_be_a_folder_here(tmp_path):
    put(tmp_path, "bucket/a/1.jpg")
    assert len(read(tmp_path, "gs://bucket/a/1.jpg,cat").examples) == 1


def test_a_line_of_json_has_a_picture_annotations_and_perhaps_a_split(pictures):
    labels = {"aiplatform.googleapis.com/ml_use": "validation"}
    both = [{"displayName": "daisy"}, {"displayName": "tulip"}, {"displayName": "daisy"}]
    data_set = read(
        pictures,
        row(**DAISY, dataItemResourceLabels=labels),
        row("images/2.jpg", classificationAnnotations=both),
        row("images/3.jpg", dataItemResourceLabels={"edge-model": "m"}),
        kind="jsonl",
    )
    assert [(e.labels, e.split) for e in data_set.examples] == [
        (("daisy",), Split.VALIDATION),
        (("daisy", "tulip"), None),
    ]
    assert [e.image.name for e in data_set.unlabeled] == ["3.jpg"]


def test_boxes_of_json_are_read_and_an_empty_list_shows_nothing(pictures):
    box = {"displayName": "car", "xMin": 0.1, "yMin": "0.2", "xMax": 1.004, "yMax": 0.8}
    data_set = read(
        pictures,
        row(boundingBoxAnnotations=[box]),
        row("images/2.jpg", boundingBoxAnnotations=[]),
        kind="jsonl",
    )
    assert [e.boxes for e in data_set.examples] == [
        (LabeledBox("car", (0.1, 0.2, 1.0, 0.8)),),
        (),
    ]


BOX = {"displayName": "car", "xMin": 0.1, "yMin": 0.2, "xMax": 0.5, "yMax": 0.8}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "must be a JSON object"),
        ({}, "imageGcsUri is missing"),
        (row("") | DAISY, "is empty"),
        (row("a\0b") | DAISY, "do not print"),
        (row(classificationAnnotation={"displayName": 7}), "must be text, not int"),
        (row(classificationAnnotation="daisy"), "object with displayName"),
        (row(classificationAnnotations={}), "must be a list"),
        (row(**DAISY, boundingBoxAnnotations=[]), "give one of them"),
        (row(polygonAnnotations=[]), "polygonAnnotations is not read"),
        (row(**DAISY, dataItemResourceLabels={"ml_use": "exam"}), "ml_use is exam"),
        (row(**DAISY, dataItemResourceLabels={"ml_use": 7}), "ml_use is 7"),
        (row(**DAISY, dataItemResourceLabels={"ml_use": []}), "ml_use is []"),
        (row(**DAISY, dataItemResourceLabels=[]), "must be an object"),
        (row(boundingBoxAnnotations=[BOX | {"xMax": 1.2}]), "stands out of the picture"),
        (row(boundingBoxAnnotations=[BOX | {"xMax": 0.1}]), "has no area"),
        (row(boundingBoxAnnotations=[BOX | {"xMax": None}]), "xMax must be a number"),
        (row(boundingBoxAnnotations=[BOX | {"xMax": True}]), "xMax must be a number"),
        (row(boundingBoxAnnotations=[BOX | {"xMax": "NaN"}]), "xMax must be a number"),
        ('{"imageGcsUri": "images/1.jpg", "boundingBoxAnnotations": [{"displayName": "a", '
         '"xMin": 1' + "0" * 400 + "}]}", "must be a number"),
    ],
)  # fmt: skip
def test_a_wrong_line_of_json_says_what_is_wrong(pictures, line, words):
    assert words in faults(pictures, line, kind="jsonl")["line 1"]


@pytest.mark.parametrize("prefix", [None, "gs://bucket/unsure"])
@pytest.mark.parametrize(
    ("entry", "prediction", "labels", "boxes"),
    [
        ({}, {"label": "rose", "index": 1, "score": 0.9}, ("rose",), None),
        (
            {"multi_label": True},
            {"label": "rose", "index": 1, "score": 0.9},
            ("rose",),
            None,
        ),
        (
            {"task": "detection", "items": ()},
            {"label": "rose", "index": 1, "score": 0.9,
             "box": {"x_min": 0.1, "y_min": 0.2, "x_max": 0.6, "y_max": 0.8}},
            ("rose",),
            (LabeledBox("rose", (0.1, 0.2, 0.6, 0.8)),),
        ),
    ],
)  # fmt: skip
def test_what_the_outbox_exports_is_a_data_set(
    tmp_path, pictures, prefix, entry, prediction, labels, boxes
):
    image = (pictures / "images/1.jpg").read_bytes()
    store = Store(tmp_path / "outbox")
    try:
        (receipt,) = store.put([replace(frame("a"), image=image, **entry)])
        store.resolve(receipt.key, {"predictions": [prediction]})
        export(store, Plan(tmp_path / "out", prefix, Labels.CLOUD, 0.5, 10_000_000))
    finally:
        store.close()
    (example,) = read_data_set(tmp_path / "out").examples
    assert (example.labels, example.boxes) == (labels, boxes)
    assert example.image.is_file()


def test_several_index_files_in_a_folder_are_not_guessed_between(pictures):
    put_lines(pictures / "a.csv", "images/1.jpg,daisy")
    put_lines(pictures / "b.jsonl", row())
    with pytest.raises(DataSetError, match=r"a\.csv, b\.jsonl.*name the one to read"):
        read_data_set(pictures)


@given(st.lists(st.binary(max_size=60), max_size=8), st.sampled_from([read_csv, read_jsonl]))
def test_any_bytes_give_rows_or_faults(tmp_path_factory, lines, reader):
    file = tmp_path_factory.mktemp("any") / "index"
    file.write_bytes(b"\n".join(lines))
    log = FaultLog()
    try:
        rows = list(reader(file, log))
    except DataSetError:  # UTF-16
        assert lines[0][:2] in {b"\xff\xfe", b"\xfe\xff"}
        return
    filled = [line for line in file.read_bytes().split(b"\n") if line.strip()]
    assert len(rows) + log.count <= len(filled)


_odd = st.sampled_from([None, True, 7, 1e400, "", "x", "\n", [], {}, [None], [[]], {"x": 1}])
_inner = st.dictionaries(
    st.sampled_from(["displayName", "xMin", "yMin", "xMax", "yMax", "ml_use"]), _odd, max_size=5
)
_json = _odd | _inner | st.lists(_odd | _inner, max_size=2)
_keys = st.sampled_from(
    [
        "imageGcsUri",
        "classificationAnnotation",
        "classificationAnnotations",
        "boundingBoxAnnotations",
        "dataItemResourceLabels",
    ]
)


@given(st.dictionaries(_keys, _json))
def test_any_json_gives_a_row_or_a_fault(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("any") / "index.jsonl"
    file.write_text(json.dumps({"imageGcsUri": "a.jpg", **content}))
    log = FaultLog()
    assert len(list(read_jsonl(file, log))) + log.count == 1


_label = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=12)


@given(st.lists(_label, min_size=1, max_size=5, unique=True))
def test_labels_survive_quotes_and_commas(tmp_path_factory, labels):
    quoted = ",".join('"' + label.replace('"', '""') + '"' for label in labels)
    file = put_lines(tmp_path_factory.mktemp("any") / "index.csv", f"a.jpg,{quoted}")
    log = FaultLog()
    (found,) = list(read_csv(file, log))
    assert found.labels is not None
    assert len(found.labels) <= len(labels)
    assert log.count == 0
