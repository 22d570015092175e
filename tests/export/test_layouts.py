"""Layouts of exports: folders, zips, single files, renamed files; and what `model.toml` adds."""

import json
import shutil
import zipfile

import pytest
from builders.saved_model import IMAGE, SCORES, saved_model
from builders.tflite import AXIS_LABELS, classifier, detector, metadata, with_files

from edge.errors import ExportError
from edge.export.read import read_export

LABELS = tuple(f"label {i}" for i in range(12))
LABEL_TEXT = "\n".join(LABELS)
EMBEDDED = with_files(
    classifier(metadata=metadata([{"name": "scores", "files": {"inside.txt": AXIS_LABELS}}])),
    {"inside.txt": LABEL_TEXT},
)


def fill(folder, files):
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def zip_of(folder, path, top=""):
    with zipfile.ZipFile(path, "w") as zipped:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                zipped.write(file, f"{top}{file.relative_to(folder)}")
    return path


NAMED = json.dumps(
    {"modelType": "IMAGE_LABELING", "modelFile": "model.tflite", "labelsFile": "dict.txt"}
)
CLOUD_STORAGE_FOLDER = "model-export/icn/tflite-flowers_20200101-2020-01-01T00:00:00.000Z"

LAYOUTS = {
    "as exported": {
        "model.tflite": classifier(),
        "dict.txt": LABEL_TEXT,
        "tflite_metadata.json": "{}",
    },
    "from Firebase": {"model.tflite": classifier(), "dict.txt": LABEL_TEXT, "manifest.json": NAMED},
    "renamed": {"detect.tflite": classifier(), "AutoML_Labels.txt": LABEL_TEXT},
    "labels.txt and metadata.json": {
        "x.tflite": classifier(),
        "labels.txt": LABEL_TEXT,
        "metadata.json": "[]",
    },
    "named like nothing": {
        "flower": classifier(),
        "flower classes.txt": LABEL_TEXT,
        "README.txt": "hello",
    },
    "renamed with another suffix": {"model.bin": classifier(), "dict.txt": LABEL_TEXT},
    "labels in a pbtxt": {
        "m.tflite": classifier(),
        "map.pbtxt": "".join(
            f'item {{ name: "{label}" id: {i + 1} }}\n' for i, label in enumerate(LABELS)
        ),
    },
    "manifest names both": {
        "a.tflite": detector(classes=9),
        "b.tflite": classifier(),
        "one.txt": "x",
        "two.txt": LABEL_TEXT,
        "manifest.json": json.dumps({"modelFile": "b.tflite", "labelsFile": "two.txt"}),
    },
    "manifest of something else": {
        "m.tflite": classifier(),
        "dict.txt": LABEL_TEXT,
        "manifest.json": "[1, 2]",
    },
    "a photo beside it": {
        "m.tflite": classifier(),
        "dict.txt": LABEL_TEXT,
        "photos/a.jpg": b"\xff\xd8\xff",
    },
    "an Edge TPU build beside it": {
        "model.tflite": classifier(),
        "edgetpu_model.tflite": detector(operator="edgetpu-custom-op"),
        "dict.txt": LABEL_TEXT,
    },
    "labels inside alone": {"any.tflite": EMBEDDED},
    "in the folders of Cloud Storage": {
        f"{CLOUD_STORAGE_FOLDER}/model.tflite": classifier(),
        f"{CLOUD_STORAGE_FOLDER}/dict.txt": LABEL_TEXT,
    },
    "what a Mac leaves": {
        "export/model.tflite": classifier(),
        "export/dict.txt": LABEL_TEXT,
        "export/.DS_Store": b"\0",
        "__MACOSX/export/._model.tflite": b"\0\5\26\7",
        "__MACOSX/export/._dict.txt": b"\0\5\26\7",
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_model_and_labels_are_found_in_a_folder_whatever_they_are_called(layout, tmp_path):
    export = read_export(fill(tmp_path, LAYOUTS[layout]))
    assert export.contract.labels == LABELS
    assert export.path == tmp_path


MACS_OWN = "what a Mac leaves"  # has its __MACOSX at the top already
BELOW = [(name, top) for name in LAYOUTS if name != MACS_OWN for top in ("", "flowers/", "a/b/c/")]


@pytest.mark.parametrize(("layout", "top"), [*BELOW, (MACS_OWN, "")])
def test_model_and_labels_are_found_in_a_zip_with_or_without_a_top_folder(layout, top, tmp_path):
    archive = zip_of(fill(tmp_path / "export", LAYOUTS[layout]), tmp_path / "export.zip", top)
    export = read_export(archive)
    assert export.contract.labels == LABELS
    assert export.path == archive
    assert export.model.exists()


def test_a_zip_under_any_name_is_known_by_its_bytes(tmp_path):
    zip_of(fill(tmp_path / "export", LAYOUTS["as exported"]), tmp_path / "download")
    assert read_export(tmp_path / "download").contract.labels == LABELS


def test_what_a_zip_was_unpacked_to_goes_with_the_export(tmp_path):
    export = read_export(
        zip_of(fill(tmp_path / "export", LAYOUTS["as exported"]), tmp_path / "export.zip")
    )
    folder = export.model.parent
    assert folder.is_dir()
    export.unpacked.cleanup()
    assert not folder.exists()


def test_a_refused_zip_names_the_file_inside_and_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    files = {"model.tflite": classifier(), "dict.txt": "too\nfew"}
    archive = zip_of(fill(tmp_path / "export", files), tmp_path / "e.zip", "top/")
    with pytest.raises(ExportError) as caught:
        read_export(archive)
    assert caught.value.file == f"{archive}!top/dict.txt"
    assert not list((tmp_path / "tmp").iterdir())


def test_a_single_file_with_its_siblings(tmp_path):
    fill(tmp_path, LAYOUTS["as exported"])
    assert read_export(tmp_path / "model.tflite").contract.labels == LABELS


def test_a_single_file_alone_with_its_labels_inside(tmp_path):
    fill(tmp_path, {"flower.model": EMBEDDED})
    assert (
        read_export(tmp_path / "flower.model").contract.origins["labels"]
        == "inside.txt inside flower.model"
    )


def test_a_single_file_among_several_models_takes_no_labels_that_may_be_anothers(tmp_path):
    fill(tmp_path, {"a.tflite": EMBEDDED, "b.tflite": classifier(), "dict.txt": "one\ntwo"})
    assert read_export(tmp_path / "a.tflite").contract.labels == LABELS
    with pytest.raises(ExportError, match="no labels for its 12 classes"):
        read_export(tmp_path / "b.tflite")


def test_model_toml_beside_it_counts_in_a_zip_too(tmp_path):
    files = {**LAYOUTS["as exported"], "model.toml": 'display_name = "Flowers"'}
    export = read_export(zip_of(fill(tmp_path / "export", files), tmp_path / "export.zip"))
    assert export.contract.tuning.display_name == "Flowers"


@pytest.mark.parametrize("name", ["", "saved_model.pb"])
def test_a_saved_model_is_named_by_its_folder_or_its_file(name, tmp_path):
    fill(tmp_path, {"saved_model.pb": saved_model({"serving_default": (IMAGE, SCORES)})})
    assert read_export(tmp_path / name).model == tmp_path


def test_the_files_of_a_real_export_in_a_zip_are_read_as_in_their_folder(shared_exports, tmp_path):
    for folder in ("flowers", "drugs-detection"):
        archive = zip_of(shared_exports / folder, tmp_path / f"{folder}.zip", f"{folder}/")
        packed, plain = read_export(archive), read_export(shared_exports / folder)
        assert packed.contract == plain.contract
        assert packed.digest == plain.digest


def test_a_real_export_without_its_suffix_is_read_as_before(shared_exports, tmp_path):
    shutil.copy(
        shared_exports / "flowers-embedded-labels/automl_labeler_model.tflite", tmp_path / "labeler"
    )
    assert read_export(tmp_path).contract.labels[0] == "daisy"
    assert read_export(tmp_path / "labeler").contract.labels[0] == "daisy"
