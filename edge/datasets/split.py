"""Divides examples into training, validation and test: 80, 10 and 10 in a hundred.

Each label is divided in these shares (stratified). Pictures of one group, near duplicates of each
other, stay together: otherwise the test would ask for what was learnt by heart. Splits that the
source states are kept, and what belongs to the group of such a picture follows it. A source that
states splits but no validation gives a tenth of its training pictures for it: thresholds must come
from pictures that were neither trained nor are asked in the test.

The order of the groups is a hash of the pictures' names and the seed, not a shuffle. So the split
depends neither on the order of the files nor on where they lie, and when pictures are added most of
the others stay where they were: two models that were trained in turn can be compared.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from edge.datasets.dataset import Split

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge.datasets.dataset import Example

TEST_SHARE: Final = 0.1
VALIDATION_SHARE: Final = 0.1

_MIN_GROUPS: Final = 3
"""Groups of a label from which each split gets one. All pictures of a rarer label are trained."""

_NOTHING: Final = ""
"""Stands for the label of examples that show nothing."""


@dataclass(slots=True)
class _Group:
    """Examples that stay together.

    Attributes:
        order: by which groups of one label are divided; unlike any other's.
        counts: number of examples for each label.
        split: ``None`` until it is chosen.
        may_be_tested: the source does not state that it is for training.
    """

    order: str
    members: list[int] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    split: Split | None = None
    may_be_tested: bool = True


def split_examples(
    examples: Sequence[Example], groups: Sequence[int] | None = None, *, seed: int = 0
) -> list[Split]:
    """Return the split of each example, in their order.

    Args:
        examples: of one data set.
        groups: number of the group of each example; examples with the same number stay together.
            ``None`` if each is a group of its own.
        seed: another one gives another division; the same one always gives the same.
    """
    numbers = range(len(examples)) if groups is None else groups
    grouped = _grouped(examples, numbers, seed)
    stated = {example.split for example in examples}
    lends = Split.TRAINING in stated and Split.VALIDATION not in stated
    for group in grouped:
        if lends and group.split is Split.TRAINING:
            group.split, group.may_be_tested = None, False
    by_label: defaultdict[str, list[_Group]] = defaultdict(list)
    for group in sorted(grouped, key=lambda group: group.order):
        for label in group.counts:
            by_label[label].append(group)
    # Rare labels first: for them it matters most which split they get.
    for label in sorted(by_label, key=lambda label: (len(by_label[label]), label)):
        _divide(label, by_label[label])
    chosen = [Split.TRAINING] * len(examples)
    for group in grouped:
        for member in group.members:
            split = examples[member].split
            is_open = split is None or (lends and split is Split.TRAINING)
            chosen[member] = (group.split if is_open else split) or Split.TRAINING
    return chosen


def _grouped(examples: Sequence[Example], numbers: Iterable[int], seed: int) -> list[_Group]:
    groups: dict[int, _Group] = {}
    for index, (example, number) in enumerate(zip(examples, numbers, strict=True)):
        key = f"{seed}/{example.image.name}"
        order = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
        order += f"/{'/'.join(example.image.parts[-2:])}"  # 1.jpg of several folders
        group = groups.get(number)
        if group is None:
            group = groups[number] = _Group(order)
        group.order = min(group.order, order)
        group.members.append(index)
        group.counts.update(example.labels or (_NOTHING,))
    for group in groups.values():
        group.split = _stated_split(examples[member].split for member in group.members)
    return list(groups.values())


def _stated_split(splits: Iterable[Split | None]) -> Split | None:
    """The split that the source states for a group's pictures; training, if it states several."""
    stated = {split for split in splits if split is not None}
    if len(stated) > 1:
        return Split.TRAINING
    return next(iter(stated), None)


def _divide(label: str, groups: Sequence[_Group]) -> None:
    """Choose the split of those of a label's groups that have none yet."""
    total = sum(group.counts[label] for group in groups)
    open_groups = [group for group in groups if group.split is None]
    for split, share in ((Split.TEST, TEST_SHARE), (Split.VALIDATION, VALIDATION_SHARE)):
        wanted = total * share
        given = sum(group.counts[label] for group in groups if group.split is split)
        for group in _candidates(open_groups, split):
            # A group is taken if that leads nearer to what is wanted.
            if group.counts[label] < 2 * (wanted - given):
                group.split = split
                given += group.counts[label]
        rest = _candidates(open_groups, split)
        is_trained = len(rest) > 1 or any(group.split is Split.TRAINING for group in groups)
        if not given and rest and is_trained and len(groups) >= _MIN_GROUPS:
            min(rest, key=lambda group: group.counts[label]).split = split
    for group in open_groups:
        group.split = group.split or Split.TRAINING


def _candidates(groups: Iterable[_Group], split: Split) -> list[_Group]:
    """The groups without a split that may get this one."""
    return [
        group
        for group in groups
        if group.split is None and (group.may_be_tested or split is not Split.TEST)
    ]
