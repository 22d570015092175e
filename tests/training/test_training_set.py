"""Which pictures are trained, in which order labels come, and what adding pictures changes."""

from pathlib import Path

import numpy as np
import pytest

from edge.datasets.dataset import DataSet, Example, Split
from edge.errors import DataSetError
from edge.training.training_set import make_training_set


def data_set(labels, count, name="base"):
    examples = [
        Example(Path(f"/{name}/{label}/{label}{number}.jpg"), (label,))
        for label in labels
        for number in range(count)
    ]
    return DataSet(Path(f"/{name}"), "folder per label", tuple(sorted(labels)), tuple(examples))


def splits_by_file(training_set):
    rows = zip(training_set.examples, training_set.splits, strict=True)
    return {example.image: split for example, split in rows}


def test_none_of_the_above_is_always_last():
    base = data_set(["Zebra", "None_of_the_above", "apple", "Zoo"], 10)
    assert make_training_set(base).labels == ("Zebra", "Zoo", "apple", "None_of_the_above")


def test_in_a_single_label_set_a_picture_of_nothing_is_none_of_the_above():
    base = data_set(["a", "b"], 10)
    empty = tuple(Example(Path(f"/base/{number}.jpg"), ()) for number in range(10))
    base = DataSet(base.path, base.layout, base.labels, base.examples + empty)
    training_set = make_training_set(base)
    assert training_set.labels == ("a", "b", "None_of_the_above")
    assert training_set.targets()[-1].tolist() == [0, 0, 1]


def test_in_a_multi_label_set_a_picture_of_nothing_has_no_label():
    base = data_set(["a", "b"], 10)
    more = (Example(Path("/base/ab.jpg"), ("a", "b")), Example(Path("/base/none.jpg"), ()))
    training_set = make_training_set(
        DataSet(base.path, base.layout, base.labels, base.examples + more)
    )
    assert training_set.multi_label
    assert training_set.targets()[-2:].tolist() == [[1, 1], [0, 0]]


@pytest.mark.parametrize("count", [4, 25, 200])
def test_added_pictures_move_no_picture_of_the_first_set(count):
    base = data_set(["a", "b", "c"], 40)
    before = splits_by_file(make_training_set(base))
    after = splits_by_file(make_training_set(base, [data_set(["a", "b", "d"], count, "more")]))
    assert {file: after[file] for file in before} == before
    assert len(after) == len(before) + 3 * count


def test_what_was_added_is_trained_and_tested_too():
    base = data_set(["a", "b"], 40)
    training_set = make_training_set(base, [data_set(["a", "b"], 40, "more")])
    added = [
        split for file, split in splits_by_file(training_set).items() if file.parts[1] == "more"
    ]
    assert {split: added.count(split) for split in Split} == {
        Split.TRAINING: 64,
        Split.VALIDATION: 8,
        Split.TEST: 8,
    }


def test_the_same_bytes_are_never_trained_and_tested():
    base = data_set(["a", "b"], 40)
    added = data_set(["a", "b"], 40, "more")
    training_set = make_training_set(base, [added], groups=[*range(80), *range(80)])
    splits = splits_by_file(training_set)
    for label in ("a", "b"):
        for number in range(40):
            name = f"{label}/{label}{number}.jpg"
            assert splits[Path("/base") / name] is splits[Path("/more") / name]


def test_pictures_that_cannot_be_read_are_left_out():
    training_set = make_training_set(data_set(["a", "b"], 10), left_out=frozenset({0, 15}))
    assert len(training_set.examples) == 18
    assert np.array_equal(training_set.targets().sum(axis=0), [9, 9])


def test_a_label_whose_pictures_are_all_left_out_is_no_label():
    with pytest.raises(DataSetError, match="one label only, 'b'"):
        make_training_set(data_set(["a", "b"], 5), left_out=frozenset(range(5)))


def test_an_uneven_set_has_notes_that_say_what_to_collect():
    often, rare = data_set(["often"], 505), data_set(["rare"], 5)
    examples = often.examples + rare.examples
    base = DataSet(often.path, often.layout, ("often", "rare"), examples)
    notes = " ".join(make_training_set(base).notes)
    assert "often has 101 times as many pictures as rare" in notes
    assert "Fewer than 10 pictures: rare (5)" in notes
