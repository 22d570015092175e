"""Which pictures of a set a model is judged on, what is said, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.datasets.dataset import DataSet, Example, LabeledBox, Split
from edge.errors import UsageError
from edge.evaluation.truth import Known, select

FLOWERS = Known(("rose", "tulip"), multi_label=False, has_boxes=False)
TAGS = Known(("rose", "tulip"), multi_label=True, has_boxes=False)
FINDER = Known(("rose",), multi_label=False, has_boxes=True)
BOX = (0.0, 0.0, 1.0, 1.0)


def data_set(*rows, unlabeled=0):
    """Rows of labels and a split."""
    examples = tuple(
        Example(Path(f"{number}.jpg"), labels, split=split)
        for number, (labels, split) in enumerate(rows)
    )
    labels = tuple(sorted({label for example in examples for label in example.labels}))
    waiting = tuple(Example(Path(f"u{number}.jpg"), ()) for number in range(unlabeled))
    return DataSet(Path("set"), "folder per label", labels, examples, waiting)


def names(selected):
    return sorted(example.image.stem for example in selected.examples)


ROSE, TULIP = ("rose",), ("tulip",)
SPLIT = (
    (ROSE, Split.TRAINING),
    (TULIP, Split.TRAINING),
    (ROSE, Split.VALIDATION),
    (TULIP, Split.TEST),
)


@pytest.mark.parametrize(
    ("wanted", "taken", "words"),
    [
        (None, ["3"], "the test split"),
        ("test", ["3"], "the test split"),
        ("validation", ["2"], "the validation split"),
        ("training", ["0", "1"], "the training split, which a model may have learnt by heart"),
        ("all", ["0", "1", "2", "3"], "all pictures, those that a model may have learnt from"),
    ],
)
def test_the_split_that_is_taken_and_said(wanted, taken, words):
    selected = select(data_set(*SPLIT), FLOWERS, wanted)
    assert names(selected) == taken
    assert selected.split.startswith(words)


def test_without_a_stated_split_all_pictures_are_taken_and_that_is_said():
    selected = select(data_set((ROSE, None), (TULIP, None)), FLOWERS, None)
    assert names(selected) == ["0", "1"]
    assert "states no split" in selected.split


@pytest.mark.parametrize("wanted", ["test", "validation"])
def test_a_split_that_is_not_there_is_refused(wanted):
    with pytest.raises(UsageError, match=f"no {wanted} pictures"):
        select(data_set((ROSE, None)), FLOWERS, wanted)


def test_training_pictures_are_never_taken_for_want_of_others():
    with pytest.raises(UsageError, match="1 training"):
        select(data_set((ROSE, Split.TRAINING)), FLOWERS, None)


def test_the_order_is_mixed_and_always_the_same():
    rows = [(ROSE, None)] * 50 + [(TULIP, None)] * 50
    first, again = (select(data_set(*rows), FLOWERS, None) for _ in range(2))
    assert first.examples == again.examples
    assert 10 < sum(example.labels == ROSE for example in first.examples[:50]) < 40


def test_a_single_label_model_is_not_asked_about_pictures_without_one_answer():
    selected = select(
        data_set((ROSE, None), ((), None), (("rose", "tulip"), None), unlabeled=2), FLOWERS, None
    )
    assert names(selected) == ["0"]
    words = " ".join(selected.notes)
    assert "no label" in words
    assert "several labels" in words
    assert "2 pictures are left out: nobody has labelled them yet" in words


def test_a_multi_label_model_is_asked_about_all():
    selected = select(data_set((ROSE, None), ((), None), (("rose", "tulip"), None)), TAGS, None)
    assert names(selected) == ["0", "1", "2"]


def test_a_detector_is_asked_about_pictures_whose_boxes_are_known():
    examples = (
        Example(Path("a.jpg"), ROSE, (LabeledBox("rose", BOX),)),
        Example(Path("b.jpg"), (), ()),
        Example(Path("c.jpg"), ROSE),
    )
    selected = select(DataSet(Path("set"), "COCO", ROSE, examples), FINDER, None)
    assert names(selected) == ["a", "b"]
    assert "1 picture is left out: the set knows no boxes of them." in selected.notes


def test_a_detector_without_boxes_to_find_is_refused():
    with pytest.raises(UsageError, match="knows no boxes"):
        select(data_set((ROSE, None)), FINDER, None)


def test_labels_that_the_model_or_the_set_lacks_are_said():
    selected = select(data_set((ROSE, None), (("weed",), None)), FLOWERS, None)
    assert selected.unknown == {"weed": 1}
    assert selected.labels == ("rose", "tulip", "weed")
    assert "The model does not know weed (1): it cannot get these pictures right." in selected.notes
    assert any(note.startswith("No picture shows tulip") for note in selected.notes)


def test_no_label_in_common_is_refused():
    with pytest.raises(UsageError, match=r"no label in common.*weed.*rose, tulip"):
        select(data_set((("weed",), None)), FLOWERS, None)


@pytest.mark.parametrize("spelling", ["Rose", "rose ", "ROSE", "ro-se", "rosé"])
def test_another_spelling_of_a_label_is_refused_rather_than_counted_as_wrong(spelling):
    with pytest.raises(UsageError, match="another way than the model"):
        select(data_set(((spelling,), None), (TULIP, None)), FLOWERS, None)


def test_similar_labels_that_both_occur_are_two_labels():
    selected = select(data_set((("Rose",), None), (ROSE, None), (TULIP, None)), FLOWERS, None)
    assert selected.unknown == {"Rose": 1}


def test_a_model_that_names_only_what_it_sees_knows_no_unknown_labels():
    seer = Known(None, multi_label=False, has_boxes=True)
    examples = (Example(Path("a.jpg"), ROSE, (LabeledBox("rose", BOX),)),)
    selected = select(DataSet(Path("set"), "COCO", ROSE, examples), seer, None)
    assert (selected.labels, selected.unknown) == (("rose",), {})
