"""What is on disk as names and versions."""

import pytest
from builders.saved_model import IMAGE, SCORES, saved_model
from builders.tflite import classifier

from edge.errors import ExportError
from edge.repository.source import scan

MODEL, GRAPH = classifier(), saved_model({"serving_default": (IMAGE, SCORES)})

TREES = {  # files; then name, version and path of what is found
    "an export": ({"model.tflite": MODEL, "dict.txt": b"a"}, [("root", 1, "")]),
    "an export with photos beside it": (
        {"model.tflite": MODEL, "photos/a.jpg": b"x"},
        [("root", 1, "")],
    ),
    "a SavedModel": ({"saved_model.pb": GRAPH}, [("root", 1, "")]),
    "versions as Google's container wants them": (
        {"0001/saved_model.pb": GRAPH, "0002/saved_model.pb": GRAPH},
        [("root", 2, "0002")],
    ),
    "versions are numbers": ({"9/m.tflite": MODEL, "10/m.tflite": MODEL}, [("root", 10, "10")]),
    "a version without a model does not count": (
        {"1/m.tflite": MODEL, "2/notes.txt": b""},
        [("root", 1, "1")],
    ),
    "a repository of several": (
        {
            "b/m.tflite": MODEL,
            "a/saved_model.pb": GRAPH,
            "c/1/m.tflite": MODEL,
            "c/3/m.tflite": MODEL,
        },
        [("a", 1, "a"), ("b", 1, "b"), ("c", 3, "c/3")],
    ),
    "files in a repository": (
        {"one.tflite": MODEL, "two.lite": MODEL, "three.zip": b"PK", "notes.txt": b""},
        [("one", 1, "one.tflite"), ("three", 1, "three.zip"), ("two", 1, "two.lite")],
    ),
    "a folder that is no model is none": (
        {"a/m.tflite": MODEL, "docs/readme.txt": b""},
        [("a", 1, "a")],
    ),
    "nested as gsutil leaves it": (
        {
            "flowers/model-export/icn/tflite-flowers-2020-01-01T00%3A00/model.tflite": MODEL,
            "b/m.tflite": MODEL,
        },
        [("b", 1, "b"), ("flowers", 1, "flowers")],
    ),
    "hidden and left behind": (
        {"a/m.tflite": MODEL, ".b/m.tflite": MODEL, "__MACOSX/m.tflite": MODEL},
        [("a", 1, "a")],
    ),
    "of another format, to be refused by name": (
        {"a/m.tflite": MODEL, "web/model.json": b"{}"},
        [("a", 1, "a"), ("web", 1, "web")],
    ),
    "empty": ({}, []),
}


def plant(root, files):
    root.mkdir()
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


@pytest.mark.parametrize("tree", TREES)
def test_a_path_is_names_and_newest_versions(tree, tmp_path):
    files, expected = TREES[tree]
    root = plant(tmp_path / "root", files)
    assert [(s.name, s.version, s.path) for s in scan(root).sources] == [
        (name, version, root / below) for name, version, below in expected
    ]


@pytest.mark.parametrize("name", ["model.tflite", "export.zip", "renamed"])
def test_a_file_is_an_export_by_the_name_of_its_stem(name, tmp_path):
    (tmp_path / name).write_bytes(MODEL)
    (source,) = scan(tmp_path / name).sources
    assert (source.name, source.version, source.path) == (
        name.partition(".")[0],
        1,
        tmp_path / name,
    )


def test_a_relative_path_has_the_folders_own_name(tmp_path, monkeypatch):
    from pathlib import Path

    root = plant(tmp_path / "flowers", {"m.tflite": MODEL})
    monkeypatch.chdir(root)
    assert [source.name for source in scan(Path()).sources] == ["flowers"]


def test_two_entries_of_one_name_are_both_refused_and_the_others_found(tmp_path):
    root = plant(tmp_path / "root", {"a/m.tflite": MODEL, "a.zip": b"PK", "b/m.tflite": MODEL})
    found = scan(root)
    assert [source.name for source in found.sources] == ["b"]
    assert "has the same name" in found.refused["a"].reason
    assert "Rename" in found.refused["a"].remedy


def test_a_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ExportError, match="no such file or folder"):
        scan(tmp_path / "gone")


def test_the_embedded_models_are_a_repository_of_two(embedded_models):
    assert {"imagenet", "objects"} <= {source.name for source in scan(embedded_models).sources}
