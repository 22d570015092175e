"""What is trained: pictures, the labels in the model's order, and the split of each picture."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from edge.datasets.dataset import Split
from edge.datasets.split import split_examples
from edge.errors import DataSetError, ExportError
from edge.export.labels import parse_labels
from edge.model.tasks.classification import NONE_OF_THE_ABOVE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.datasets.dataset import DataSet, Example

_MIN_LABELS: Final = 2
_MIN_TRAINED: Final = 2
"""Pictures of a label in training: fewer say nothing about what varies."""

ADVISED_PER_LABEL: Final = 10
"""AutoML's least number of pictures of a label."""

ADVISED_RATIO: Final = 100
"""AutoML's most pictures of one label for each picture of another."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Pictures with labels.

    Attributes:
        labels: in the model's order: sorted, `NONE_OF_THE_ABOVE` last.
        multi_label: a picture may have several labels, or none.
        examples: one per picture.
        splits: of each picture.
        notes: what its owner should know; a sentence each.
    """

    labels: tuple[str, ...]
    multi_label: bool
    examples: tuple[Example, ...]
    splits: tuple[Split, ...]
    notes: tuple[str, ...] = ()

    def targets(self) -> NDArray[np.float32]:
        """1 where a picture has a label: float32 [pictures, labels]."""
        columns = {label: column for column, label in enumerate(self.labels)}
        targets = np.zeros((len(self.examples), len(self.labels)), np.float32)
        for row, example in enumerate(self.examples):
            for label in example.labels:
                targets[row, columns[label]] = 1
        return targets

    def indices(self, split: Split) -> NDArray[np.intp]:
        """The numbers of the pictures in a split."""
        return np.array([row for row, one in enumerate(self.splits) if one is split], np.intp)

    def counts(self, split: Split) -> Counter[str]:
        """Pictures of each label in a split."""
        counts: Counter[str] = Counter()
        for example, one in zip(self.examples, self.splits, strict=True):
            if one is split:
                counts.update(example.labels)
        return counts


def make_training_set(
    base: DataSet,
    added: Sequence[DataSet] = (),
    *,
    groups: Sequence[int] | None = None,
    left_out: frozenset[int] = frozenset(),
) -> TrainingSet:
    """Choose the splits and the order of labels.

    What is added does not move the pictures of the first set to other splits: the test pictures of
    the model before are not trained now, and both models can be compared on them.

    Args:
        base: the data set that the model is about.
        added: further ones.
        groups: of every picture, those of the first set first; pictures of one group get one split.
        left_out: numbers of pictures that cannot be read.

    Raises:
        DataSetError: nothing can be learned from it; says what is missing.
    """
    examples = all_examples(base, added)
    multi_label = any(len(example.labels) > 1 for example in examples)
    numbers = [number for number in range(len(examples)) if number not in left_out]
    kept = [_with_label(examples[number], multi_label=multi_label) for number in numbers]
    groups = None if groups is None else [groups[number] for number in numbers]
    of_base = sum(1 for number in numbers if number < len(base.examples))
    base_groups = None if groups is None else groups[:of_base]
    first = split_examples(kept[:of_base], base_groups)
    stated = [replace(one, split=split) for one, split in zip(kept, first, strict=False)]
    # The stated splits hold: only what was added is divided now.
    splits = first + split_examples(stated + kept[of_base:], groups)[of_base:]
    labels = _ordered_labels(kept)
    training_set = TrainingSet(labels, multi_label, tuple(kept), tuple(splits))
    _refuse_hopeless(training_set, base)
    return replace(training_set, notes=_notes(training_set))


def all_examples(base: DataSet, added: Sequence[DataSet]) -> list[Example]:
    """The pictures of several data sets in the order in which they are numbered."""
    return [example for one in (base, *added) for example in one.examples]


def _with_label(example: Example, *, multi_label: bool) -> Example:
    if multi_label or example.labels:
        return example
    return replace(example, labels=(NONE_OF_THE_ABOVE,))


def _ordered_labels(examples: Sequence[Example]) -> tuple[str, ...]:
    labels = {label for example in examples for label in example.labels}
    last = [NONE_OF_THE_ABOVE] if NONE_OF_THE_ABOVE in labels else []
    return (*sorted(labels - {NONE_OF_THE_ABOVE}), *last)


def _refuse_hopeless(training_set: TrainingSet, base: DataSet) -> None:
    labels = training_set.labels
    if not labels:
        raise DataSetError(f"{base.path} has no picture with a label that can be read.")
    if len(labels) < _MIN_LABELS and not training_set.multi_label:
        raise DataSetError(
            f"{base.path} has one label only, {labels[0]!r}: there is nothing to tell it from. "
            f"Add pictures of something else, or of nothing in particular as {NONE_OF_THE_ABOVE}."
        )
    trained = training_set.counts(Split.TRAINING)
    rare = [label for label in labels if trained[label] < _MIN_TRAINED]
    if rare:
        shown = ", ".join(f"{label!r} ({trained[label]})" for label in rare[:10])
        more = f" and {len(rare) - 10} more" if len(rare) > 10 else ""  # noqa: PLR2004 -- as shown
        raise DataSetError(
            f"{base.path} has too few pictures to train on: {shown}{more}. A label needs at least "
            f"{_MIN_TRAINED} in training, AutoML advises {ADVISED_PER_LABEL} in all and better "
            "1,000. Add pictures, or remove the label."
        )
    _refuse_unwritable(labels)


def _refuse_unwritable(labels: tuple[str, ...]) -> None:
    """Refuse labels that a label file, one a line, would not give back."""
    text = "".join(f"{label}\n" for label in labels)
    try:
        found = parse_labels(text, "dict.txt")
    except ExportError as error:
        raise DataSetError(
            f"These labels cannot be written to an export's dict.txt: {error.reason}. Rename them."
        ) from error
    if found != labels:
        wrong = next(
            (label for label, read in zip(labels, found, strict=False) if label != read), labels[-1]
        )
        raise DataSetError(
            f"The label {wrong!r} would be read from an export's dict.txt as something else. "
            "Rename it: one line, without spaces around it."
        )


def _notes(training_set: TrainingSet) -> tuple[str, ...]:
    notes = []
    total = Counter[str]()
    for split in Split:
        total += training_set.counts(split)
    few = [label for label in training_set.labels if total[label] < ADVISED_PER_LABEL]
    if few:
        shown = ", ".join(f"{label} ({total[label]})" for label in few[:10])
        notes.append(f"Fewer than {ADVISED_PER_LABEL} pictures: {shown}. The result is a guess.")
    most, least = max(total.values()), min(total.values())
    if most > ADVISED_RATIO * least:
        rare = min(total, key=lambda label: total[label])
        often = max(total, key=lambda label: total[label])
        notes.append(
            f"{often} has {most // least:,} times as many pictures as {rare}; AutoML advises at "
            f"most {ADVISED_RATIO} times. Collect more of {rare}."
        )
    untested = set(training_set.labels) - set(training_set.counts(Split.TEST))
    if untested:
        shown = ", ".join(sorted(untested)[:10])
        notes.append(f"No test picture of {shown}: how well it is known was not measured.")
    return tuple(notes)
