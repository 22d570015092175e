"""Division into training, validation and test."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.datasets.dataset import Example, Split
from edge.datasets.split import split_examples

TRAINING, VALIDATION, TEST = Split.TRAINING, Split.VALIDATION, Split.TEST


def example(number, *labels, split=None, folder="set"):
    return Example(Path(folder, f"{number}.jpg"), labels, None, split)


def counts(examples, splits):
    found = Counter(
        (label, split)
        for one, split in zip(examples, splits, strict=True)
        for label in one.labels or ("",)
    )
    return {
        label: tuple(found[label, split] for split in (TRAINING, VALIDATION, TEST))
        for label, _ in found
    }


@pytest.mark.parametrize(
    ("number", "expected"),
    [(1, (1, 0, 0)), (2, (2, 0, 0)), (3, (1, 1, 1)), (10, (8, 1, 1)), (100, (80, 10, 10))],
)
def test_each_label_is_divided_80_10_10_and_a_rare_one_is_trained(number, expected):
    examples = [example(index, label) for label in ("a", "b") for index in range(number)]
    assert counts(examples, split_examples(examples)) == {"a": expected, "b": expected}


def test_the_split_depends_on_neither_order_nor_place():
    examples = [example(index, "ab"[index % 2]) for index in range(60)]
    splits = dict(zip((e.image.name for e in examples), split_examples(examples), strict=True))
    moved = [example(index, "ab"[index % 2], folder="x/set") for index in reversed(range(60))]
    again = split_examples(moved)
    assert dict(zip((e.image.name for e in moved), again, strict=True)) == splits


def test_another_seed_gives_another_split():
    examples = [example(index, "a") for index in range(100)]
    first, second, third = (split_examples(examples, seed=seed) for seed in (1, 1, 2))
    assert first == second != third


def test_added_pictures_leave_nearly_all_others_where_they_were():
    old = [example(index, "a") for index in range(1_000)]
    new = [example(index, "a") for index in range(1_000, 1_100)]
    before, after = split_examples(old), split_examples(old + new)
    tested = [index for index, split in enumerate(before) if split is TEST]
    assert not [index for index in tested if after[index] is TRAINING]
    moved = sum(one is not other for one, other in zip(before, after[:1_000], strict=True))
    assert moved <= 60


def test_near_duplicates_stay_together():
    examples = [example(index, "a") for index in range(300)]
    groups = [index // 3 for index in range(300)]
    splits = split_examples(examples, groups)
    for start in range(0, 300, 3):
        assert len(set(splits[start : start + 3])) == 1
    assert counts(examples, splits) == {"a": (240, 30, 30)}


def test_a_large_group_does_not_take_the_test_over():
    examples = [example(index, "a") for index in range(100)]
    groups = [0 if index < 60 else index for index in range(100)]
    splits = split_examples(examples, groups)
    assert set(splits[:60]) == {TRAINING}
    assert counts(examples, splits) == {"a": (80, 10, 10)}


def test_three_bursts_still_give_a_test():
    examples = [example(index, "a") for index in range(90)]
    splits = split_examples(examples, [index // 30 for index in range(90)])
    assert counts(examples, splits) == {"a": (30, 30, 30)}


def test_splits_that_the_source_states_are_kept():
    stated = [TRAINING, VALIDATION, TEST, None] * 25
    examples = [example(index, "a", split=split) for index, split in enumerate(stated)]
    splits = split_examples(examples)
    assert [split for split, given in zip(splits, stated, strict=True) if given] == [
        given for given in stated if given
    ]
    # Validation and test have more than their share already.
    assert {split for split, given in zip(splits, stated, strict=True) if not given} == {TRAINING}


def test_what_belongs_to_the_group_of_a_stated_picture_follows_it():
    examples = [example(0, "a", split=TEST), example(1, "a"), example(2, "a")]
    assert split_examples(examples, [0, 0, 1])[:2] == [TEST, TEST]


def test_a_source_with_training_and_test_gives_some_of_its_training_for_validation():
    examples = [example(index, "a", split=TRAINING) for index in range(90)]
    examples += [example(index, "a", split=TEST) for index in range(90, 100)]
    splits = split_examples(examples)
    assert counts(examples, splits) == {"a": (80, 10, 10)}
    assert set(splits[90:]) == {TEST}


def test_a_source_with_training_alone_gives_no_test():
    examples = [example(index, "a", split=TRAINING) for index in range(100)]
    assert counts(examples, split_examples(examples)) == {"a": (90, 10, 0)}


def test_pictures_that_show_nothing_are_divided_as_well():
    examples = [example(index) for index in range(100)]
    assert counts(examples, split_examples(examples)) == {"": (80, 10, 10)}


def test_rare_labels_of_pictures_with_several_reach_each_split():
    examples = [example(index, *(["a", "rare"] if index < 10 else ["a"])) for index in range(200)]
    found = counts(examples, split_examples(examples))
    assert found["rare"] == (8, 1, 1)
    assert found["a"] == (160, 20, 20)


_example = st.tuples(
    st.sets(st.sampled_from("abc"), max_size=3), st.sampled_from([None, *Split]), st.integers(0, 9)
)


@given(st.lists(_example, max_size=60), st.integers())
def test_every_label_is_trained_and_no_stated_test_picture_is_trained(drawn, seed):
    examples = [
        example(index, *sorted(labels), split=split)
        for index, (labels, split, _) in enumerate(drawn)
    ]
    groups = [group for _, _, group in drawn]
    splits = split_examples(examples, groups, seed=seed)
    for one, split in zip(examples, splits, strict=True):
        assert one.split in {None, split} or (one.split, split) == (TRAINING, VALIDATION)
    if not any(one.split for one in examples):
        by_group = {}
        for group, split in zip(groups, splits, strict=True):
            assert by_group.setdefault(group, split) is split
