"""Label files of every kind, the rule for background, and labels inside against labels beside."""

import pytest
from builders.tflite import AXIS_LABELS, VALUE_LABELS, classifier, detector, metadata, with_files

from edge.errors import ExportError
from edge.export.labels import match_classes, parse_labels, read_label_file
from edge.export.read import read_export

NAMES = ("Bär", "black_and_tan coonhound", "猫")
LABELS = tuple(f"label {i}" for i in range(12))


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\r\n", " \n \n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_label_file_is_read_with_any_line_ends_and_byte_order_mark(newline, end, mark, tmp_path):
    file = tmp_path / "dict.txt"
    file.write_bytes((mark + newline.join(NAMES) + end).encode())
    assert read_label_file(file) == NAMES


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a\n\nb", "line 2 is empty"),
        (b"", "line 1 is empty"),
        (b"a\nb'cat'\n", "the label b'cat' is a Python literal"),
        ("Bär".encode("latin-1"), "not UTF-8"),
        ("cat\ndog".encode("utf-16"), "not UTF-8"),
    ],
)
def test_a_label_file_that_would_be_read_wrong_is_refused(content, reason, tmp_path):
    file = tmp_path / "dict.txt"
    file.write_bytes(content)
    with pytest.raises(ExportError, match=reason):
        read_label_file(file)


MAPS = {
    "ids from 1": ('item { name: "a" id: 1 }\nitem { name: "b" id: 2 }', ("a", "b")),
    "ids from 0": ('item { name: "a" id: 0 }\nitem { name: "b" id: 1 }', ("a", "b")),
    "in any order": ('item { id: 2 name: "b" }\nitem { id: 1 name: "a" }', ("a", "b")),
    "over lines, single quotes": ("item {\n  name: 'a'\n  id: 1\n}\n", ("a",)),
    "a display name goes first": ('item { name: "/m/01" id: 1 display_name: "cat" }', ("cat",)),
    "quotes in a name": (r'item { name: "12\" disc" id: 1 }', ('12" disc',)),
    "letters written as bytes": (r'item { name: "B\303\244r" id: 1 }', ("Bär",)),
    "a backslash": (r'item { name: "a\\b" id: 1 }', (r"a\b",)),
    "a brace in a name": ('item { name: "a}b{" id: 1 }\nitem { name: "c" id: 2 }', ("a}b{", "c")),
}


@pytest.mark.parametrize("case", MAPS)
def test_a_label_map_is_read(case):
    text, expected = MAPS[case]
    assert parse_labels(text, "map.pbtxt") == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('item { name: "a" id: 1 } item { name: "b" id: 3 }', "gaps"),
        ('item { name: "a" id: 2 }', "gaps"),
        ('item { name: "a" id: -1 }', "gaps"),
        ('item { name: "a" id: 1 } item { name: "b" id: 1 }', "id 1 appears twice"),
        ("item { id: 1 }", "no name or no id"),
        ('item { name: "a" }', "no name or no id"),
    ],
)
def test_a_label_map_that_leaves_something_open_is_refused(text, reason):
    with pytest.raises(ExportError, match=reason) as caught:
        parse_labels(text, "map.pbtxt")
    assert caught.value.file == "map.pbtxt"


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        ("abc", 3, "abc"),
        (["background", "a", "b"], 2, "ab"),
        (["Background", "a", "b"], 2, "ab"),
        (["background", "a", "b"], 3, ["background", "a", "b"]),
        (["background", "a", "b"], None, "ab"),
        ("ab", None, "ab"),
        (["background"], 0, ""),
        (["a", "background", "b"], 2, None),
        (["background", "a", "b"], 1, None),
        (["background", "a", "b"], 4, None),
        ("abc", 2, None),
        ("ab", 3, None),
    ],
)
def test_background_is_dropped_where_it_leads_and_is_one_too_many_and_any_other_mismatch_is_refused(
    labels, classes, expected
):
    if expected is None:
        with pytest.raises(ExportError, match=f"it has {len(labels)} labels, but the model has {classes} classes"):
            match_classes(tuple(labels), classes, "dict.txt")
    else:
        assert match_classes(tuple(labels), classes, "dict.txt") == tuple(expected)


def write(folder, model, beside=None):
    (folder / "model.tflite").write_bytes(model)
    if beside is not None:
        (folder / "dict.txt").write_text("\n".join(beside))
    return folder


def embedded(labels=LABELS, name="labels.txt", kind=AXIS_LABELS):
    model = classifier(metadata=metadata([{"name": "scores", "files": {name: kind}}]))
    return with_files(model, {name: "\n".join(labels), "other.txt": "x"})


def test_labels_inside_win_over_differing_ones_beside_and_it_is_noted(tmp_path):
    contract = read_export(write(tmp_path, embedded(), [label.upper() for label in LABELS])).contract
    assert contract.labels == LABELS
    assert contract.notes == ("dict.txt differs from the labels inside model.tflite, which are used",)


def test_equal_labels_inside_and_beside_need_no_note(tmp_path):
    contract = read_export(write(tmp_path, embedded(), LABELS)).contract
    assert (contract.labels, contract.notes) == (LABELS, ())


def test_labels_beside_that_do_not_fit_are_refused_though_those_inside_do(tmp_path):
    with pytest.raises(ExportError, match="3 labels, but the model has 12 classes") as caught:
        read_export(write(tmp_path, embedded(), "abc"))
    assert caught.value.file.endswith("dict.txt")


def test_labels_inside_that_do_not_fit_are_refused_though_those_beside_do(tmp_path):
    with pytest.raises(ExportError, match="2 labels, but the model has 12 classes") as caught:
        read_export(write(tmp_path, embedded(("a", "b")), LABELS))
    assert caught.value.file == "model.tflite!labels.txt"


def test_no_labels_at_all_are_refused_with_where_to_put_them(tmp_path):
    with pytest.raises(ExportError, match=r"no labels for its 12 classes.*dict\.txt, one label a line"):
        read_export(write(tmp_path, classifier()))


@pytest.mark.parametrize("name", ["dict.txt", "labels.txt", "labelmap.txt"])
def test_a_usual_name_inside_is_enough_without_metadata(name, tmp_path):
    model = with_files(classifier(), {name: "\n".join(LABELS)})
    assert read_export(write(tmp_path, model)).contract.labels == LABELS


def test_metadata_names_the_label_file_of_a_detector(tmp_path):
    named = metadata([{"name": "location"}, {"name": "category", "files": {"kinds.txt": VALUE_LABELS}}])
    data = with_files(_with_metadata(named), {"kinds.txt": "a\nb"})
    assert read_export(write(tmp_path, data)).contract.labels == ("a", "b")


def _with_metadata(blob):
    from builders.tflite import OperatorSpec, TensorSpec
    from builders.tflite import write as tflite

    shapes = {"boxes": [1, 10, 4], "classes": [1, 10], "scores": [1, 10], "count": [1]}
    tensors = [TensorSpec("image", [1, 8, 8, 3], 3), *(TensorSpec(name, shape) for name, shape in shapes.items())]
    operator = OperatorSpec("TFLite_Detection_PostProcess", [0], [1, 2, 3, 4], {"num_classes": 2})
    return tflite(tensors, [operator], [0], [1, 2, 3, 4], metadata=blob)


@pytest.mark.parametrize("beside", [["background", "a", "b"], ["a", "b"]])
def test_a_detectors_side_file_may_have_background_or_not(beside, tmp_path):
    assert read_export(write(tmp_path, detector(classes=2), beside)).contract.labels == ("a", "b")


@pytest.mark.parametrize("beside", [["a", "background", "b"], ["a", "b", "c"], ["a"]])
def test_a_detectors_side_file_that_does_not_fit_is_refused(beside, tmp_path):
    with pytest.raises(ExportError, match="but the model has 2 classes"):
        read_export(write(tmp_path, detector(classes=2), beside))


def test_several_candidates_are_refused_by_name(tmp_path):
    write(tmp_path, classifier())
    for name in ("my_labels.txt", "old_labels.txt"):
        (tmp_path / name).write_text("\n".join(LABELS))
    with pytest.raises(ExportError, match=r"my_labels\.txt, old_labels\.txt"):
        read_export(tmp_path)


@pytest.mark.parametrize("name", ["gone.txt", "../outside.txt"])
def test_a_manifest_that_names_labels_that_are_not_beside_it_is_refused(name, tmp_path):
    (tmp_path / "outside.txt").write_text("\n".join(LABELS))
    folder = tmp_path / "export"
    folder.mkdir()
    write(folder, classifier(), LABELS)
    (folder / "manifest.json").write_text(f'{{"labelsFile": "{name}"}}')
    with pytest.raises(ExportError, match="which is not next to it"):
        read_export(folder)
