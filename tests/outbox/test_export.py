"""The outbox as Vertex AI's import files."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from builders.outbox import frame
from PIL import Image

from edge.errors import OutboxError, OutputError
from edge.model.tasks.classification import NONE_OF_THE_ABOVE as NOTHING
from edge.outbox.entry import Correction
from edge.outbox.export import Labels, Plan, export
from edge.outbox.store import Store

BOX = {"x_min": 0.1, "y_min": 0.2, "x_max": 0.6, "y_max": 0.8}


def picture(kind="JPEG", colour="red", exif=None):
    file = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(file, kind, **({"exif": exif} if exif else {}))
    return file.getvalue()


@pytest.fixture
def store(tmp_path):
    one = Store(tmp_path / "outbox")
    yield one
    one.close()


def lines(folder, name):
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


def write(store, folder, **how):
    plan = Plan(folder, how.pop("prefix", None), how.pop("labels", Labels.CLOUD), 0.5, 10_000_000)
    return export(store, plan)


def test_a_classification_carries_the_online_models_label(store, tmp_path):
    (receipt,) = store.put([replace(frame("a"), image=picture())])
    store.resolve(receipt.key, {"predictions": [{"label": "rose", "index": 1, "score": 0.9}]})
    done = write(store, tmp_path, prefix="gs://bucket/unsure/")
    assert (done.images, done.labelled) == (1, 1)
    assert lines(tmp_path, "classification") == [
        {
            "imageGcsUri": f"gs://bucket/unsure/images/{receipt.key}.jpg",
            "dataItemResourceLabels": {
                "edge-reason": "low_score",
                "edge-model": "m",
                "edge-camera": "cam-1",
            },
            "classificationAnnotation": {"displayName": "rose"},
        }
    ]
    assert (tmp_path / "images" / f"{receipt.key}.jpg").read_bytes() == picture()
    assert not (tmp_path / "detection.jsonl").exists()


@pytest.mark.parametrize(
    ("labels", "label", "multi_label", "written"),
    [
        (Labels.CLOUD, "tulip", False, {"classificationAnnotation": {"displayName": "tulip"}}),
        (Labels.EDGE, "tulip", False, {"classificationAnnotation": {"displayName": "tulip"}}),
        (Labels.CLOUD, "tulip", True, {"classificationAnnotations": [{"displayName": "tulip"}]}),
        (Labels.NONE, "tulip", False, {}),
        (Labels.CLOUD, "", False, {}),
        (Labels.EDGE, "", False, {}),
    ],
)
def test_a_persons_label_goes_before_the_clouds_and_the_edges(
    store, tmp_path, labels, label, multi_label, written
):
    entry = replace(frame("a"), image=picture(), multi_label=multi_label)
    (receipt,) = store.put([entry])
    store.resolve(receipt.key, {"predictions": [{"label": "rose", "index": 1, "score": 0.9}]})
    store.put([replace(entry, correction=Correction(label, "ann"))])
    done = write(store, tmp_path, labels=labels)
    assert (done.images, done.labelled) == (1, int(bool(written)))
    name = "classification_multi_label" if multi_label else "classification"
    (line,) = lines(tmp_path, name)
    assert {key: line[key] for key in line if key.startswith("classification")} == written
    assert line["dataItemResourceLabels"]["edge-correction"] == (label or "none-of-these")


@pytest.mark.parametrize(
    ("task", "multi_label", "written"),
    [
        ("classification", False, {"classificationAnnotation": {"displayName": NOTHING}}),
        ("classification", True, {"classificationAnnotations": []}),
        ("detection", False, {"boundingBoxAnnotations": []}),
        ("anomaly", False, {}),
    ],
)
def test_none_of_these_is_exported_as_such_if_the_owner_wants_it_learnt(
    store, tmp_path, task, multi_label, written
):
    entry = replace(frame("a"), image=picture(), task=task, multi_label=multi_label, items=[])
    store.put([replace(entry, correction=Correction("", "ann"))])
    name = (
        "classification_multi_label" if multi_label else task.replace("anomaly", "classification")
    )
    asked = Plan(tmp_path, None, Labels.CLOUD, 0.5, 10_000_000, none_of_the_above=True)
    for plan, expected in (
        (asked, written),
        (replace(asked, none_of_the_above=False), {}),
        (replace(asked, labels=Labels.NONE), {}),
    ):
        export(store, plan)
        (line,) = lines(tmp_path, name)
        assert {key: line[key] for key in line if "Annotation" in key} == expected


def test_a_corrected_detection_is_exported_without_the_boxes_that_are_wrong(store, tmp_path):
    item = {"label": "dog", "index": 0, "score": 0.9, "box": BOX}
    entry = replace(frame("a"), image=picture(), task="detection", items=[item])
    (receipt,) = store.put([entry])
    store.resolve(receipt.key, {"predictions": [item]})
    store.put([replace(entry, correction=Correction("Grey Wolf", "ann"))])
    done = write(store, tmp_path, labels=Labels.EDGE)
    assert (done.images, done.labelled) == (1, 0)
    (line,) = lines(tmp_path, "detection")
    assert "boundingBoxAnnotations" not in line
    assert line["dataItemResourceLabels"]["edge-correction"] == "grey-wolf"


def test_detections_carry_boxes(store, tmp_path):
    items = [
        {"label": "car", "index": 0, "score": 0.7, "box": BOX},
        {"label": "bus", "index": 1, "score": 0.4, "box": BOX},
    ]
    store.put([replace(frame("a"), image=picture("PNG"), task="detection", items=items)])
    write(store, tmp_path, labels=Labels.EDGE)
    (line,) = lines(tmp_path, "detection")
    assert line["boundingBoxAnnotations"] == [
        {"displayName": "car", "xMin": 0.1, "yMin": 0.2, "xMax": 0.6, "yMax": 0.8}
    ]


def test_several_labels_are_several_annotations(store, tmp_path):
    items = [{"label": "a", "index": 0, "score": 0.9}, {"label": "b", "index": 1, "score": 0.6}]
    store.put([replace(frame("a"), image=picture(), items=items, multi_label=True)])
    write(store, tmp_path, labels=Labels.EDGE)
    assert lines(tmp_path, "classification_multi_label")[0]["classificationAnnotations"] == [
        {"displayName": "a"},
        {"displayName": "b"},
    ]


def test_an_image_without_a_trusted_label_is_exported_unlabelled(store, tmp_path):
    store.put([replace(frame("a", confidence=0.9), image=picture())])
    done = write(store, tmp_path)
    assert (done.images, done.labelled) == (1, 0)
    assert set(lines(tmp_path, "classification")[0]) == {"imageGcsUri", "dataItemResourceLabels"}


def test_pictures_are_upright_and_of_a_format_that_vertex_takes(store, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    store.put(
        [
            replace(frame("a"), image=picture("WEBP")),
            replace(frame("b"), image=picture(exif=exif.tobytes())),
        ]
    )
    write(store, tmp_path)
    sizes = sorted(
        Image.open(io.BytesIO(file.read_bytes())).size for file in (tmp_path / "images").iterdir()
    )
    assert sizes == [(30, 40), (40, 30)]
    assert {file.suffix for file in (tmp_path / "images").iterdir()} == {".png"}


def test_an_image_that_cannot_be_read_is_left_out_and_counted(store, tmp_path):
    store.put([frame("a"), replace(frame("b"), image=picture())])
    done = write(store, tmp_path)
    assert (done.images, done.left_out) == (1, 1)


def test_each_kind_of_data_set_has_a_file_of_its_own_and_old_files_go(store, tmp_path):
    (tmp_path / "detection.jsonl").write_text("of an earlier export")
    store.put(
        [
            replace(frame("a"), image=picture()),
            replace(frame("b"), image=picture("PNG"), multi_label=True),
        ]
    )
    write(store, tmp_path)
    assert {file.name for file in tmp_path.glob("*.jsonl")} == {
        "classification.jsonl",
        "classification_multi_label.jsonl",
    }


def test_the_export_can_be_limited_to_one_model(store, tmp_path):
    store.put(
        [replace(frame("a"), image=picture()), replace(frame("a", model="other"), image=picture())]
    )
    done = export(store, Plan(tmp_path, None, Labels.NONE, 0.5, 10**7, "other"))
    assert done.images == 1
    assert lines(tmp_path, "classification")[0]["dataItemResourceLabels"]["edge-model"] == "other"


def test_a_database_error_ends_the_export_instead_of_leaving_an_image_out(store, tmp_path):
    store.put([replace(frame("a"), image=picture())])
    store._database.execute("ALTER TABLE image RENAME TO gone")
    with pytest.raises(OutboxError):
        write(store, tmp_path)


def test_only_scores_of_at_least_the_threshold_give_labels(store, tmp_path):
    at, under = ([{"label": "rose", "index": 1, "score": score}] for score in (0.5, 0.499))
    store.put([replace(frame("a"), image=picture(), items=at)])
    store.put([replace(frame("b"), image=picture(colour="blue"), items=under)])
    done = write(store, tmp_path, labels=Labels.EDGE)
    assert (done.images, done.labelled) == (2, 1)
    first, second = lines(tmp_path, "classification")
    assert first["classificationAnnotation"] == {"displayName": "rose"}
    assert "classificationAnnotation" not in second


@pytest.mark.parametrize(
    ("labels", "expected"), [("cloud", "tulip"), ("edge", "tulip"), ("none", None)]
)
def test_the_online_models_label_is_trusted_before_the_edges_unless_nobodys_is(
    store, tmp_path, labels, expected
):
    items = [{"label": "rose", "index": 1, "score": 0.9}]
    (receipt,) = store.put([replace(frame("a"), image=picture(), items=items)])
    store.resolve(receipt.key, {"predictions": [{"label": "tulip", "index": 2, "score": 0.8}]})
    write(store, tmp_path, labels=Labels(labels))
    (line,) = lines(tmp_path, "classification")
    assert line.get("classificationAnnotation") == (expected and {"displayName": expected})


def test_of_several_classes_those_under_a_half_are_no_annotation_whatever_the_threshold(
    store, tmp_path
):
    items = [
        {"label": label, "index": 0, "score": score} for label, score in [("a", 0.5), ("b", 0.49)]
    ]
    store.put([replace(frame("a"), image=picture(), items=items, multi_label=True)])
    export(store, Plan(tmp_path, None, Labels.EDGE, 0.0, 10**7))
    assert lines(tmp_path, "classification_multi_label")[0]["classificationAnnotations"] == [
        {"displayName": "a"}
    ]


def test_what_was_kept_without_its_image_is_not_exported(store, tmp_path):
    without = Store(store.folder, keep_images=False)
    without.put([replace(frame("a"), image=picture())])
    without.close()
    done = write(store, tmp_path)
    assert (done.images, done.left_out) == (0, 0)


def test_more_entries_than_are_read_at_once_are_all_exported_in_their_order(store, tmp_path):
    receipts = store.put(
        [replace(frame("a"), image=picture() + f"{n}".encode()) for n in range(205)]
    )
    counted = []
    done = export(
        store, Plan(tmp_path, None, Labels.CLOUD, 0.5, 10**7), advance=lambda: counted.append(1)
    )
    assert done.images == len(counted) == 205
    assert [line["imageGcsUri"] for line in lines(tmp_path, "classification")] == [
        f"images/{receipt.key}.jpg" for receipt in receipts
    ]


def test_resource_labels_are_such_as_google_takes(store, tmp_path):
    store.put([replace(frame("a"), image=picture(), camera="Line 3/" + "x" * 80, reason="")])
    write(store, tmp_path)
    labels = lines(tmp_path, "classification")[0]["dataItemResourceLabels"]
    assert labels == {"edge-model": "m", "edge-camera": ("line-3-" + "x" * 80)[:63]}


def test_a_picture_larger_than_what_is_decoded_is_left_out(store, tmp_path):
    store.put([replace(frame("a"), image=picture("WEBP"))])
    done = export(store, Plan(tmp_path, None, Labels.CLOUD, 0.5, 40 * 30 - 1))
    assert (done.images, done.left_out) == (0, 1)
    assert export(store, Plan(tmp_path, None, Labels.CLOUD, 0.5, 40 * 30)).images == 1


def test_a_folder_that_cannot_be_written_is_an_output_error(store, tmp_path):
    store.put([replace(frame("a"), image=picture())])
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        write(store, tmp_path / "file")
