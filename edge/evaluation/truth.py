"""What of a data set a model is judged on: which split, which pictures, which labels. Pure.

Where names do not fit, figures would speak of the names and not of the model. What is surely a
mistake is refused; what is left out or cannot be right is said in a note.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.datasets.dataset import Split
from edge.errors import UsageError
from edge.printable import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge.datasets.dataset import DataSet, Example

ALL: Final = "all"
"""Instead of a split: every picture, whatever it is for."""

UNSTATED: Final = "all pictures: the set states no split"
"""What is taken of a set that states none."""

_SEED: Final = 17
_MAX_NAMED: Final = 8


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a model before its first picture.

    Attributes:
        labels: of its classes; ``None`` for a detector that names only what it sees.
        multi_label: its scores are independent of each other.
        has_boxes: it finds objects.
    """

    labels: tuple[str, ...] | None
    multi_label: bool
    has_boxes: bool


@dataclass(frozen=True, slots=True)
class Selected:
    """The pictures that a model is judged on.

    Attributes:
        examples: in a fixed random order, so that those seen before a Ctrl-C are a fair sample.
        split: in words: which of the set's pictures these are.
        labels: of the model, then those that only the set has.
        unknown: labels of these pictures that the model does not have, to number of pictures.
        notes: what a reader of the figures must know.
        leaves_out_learnt: pictures that the model itself says it has learnt from do not count.
    """

    examples: tuple[Example, ...]
    split: str
    labels: tuple[str, ...]
    unknown: dict[str, int]
    notes: tuple[str, ...]
    leaves_out_learnt: bool = True


def select(data_set: DataSet, model: Known, wanted_split: str | None) -> Selected:
    """Choose the pictures, and hold the labels of the set against those of the model.

    Args:
        wanted_split: name of a split, or `ALL`; ``None`` takes the test split if the set states
            one, and else all.

    Raises:
        UsageError: nothing is left, or the figures would mislead: no label in common, labels that
            differ in spelling only, or no boxes for a detector.
    """
    examples, split = _choose_split(data_set, wanted_split)
    notes = list(data_set.notes)
    _note_left_out(notes, len(data_set.unlabeled), "nobody has labelled them yet")
    examples = _fit_to_task(examples, model, notes)
    if not examples:
        raise UsageError(_nothing_left(data_set, split, notes))
    counts = Counter(label for example in examples for label in set(example.labels))
    unknown = {}
    if model.labels is not None:
        unknown = {label: n for label, n in sorted(counts.items()) if label not in model.labels}
        _check_labels(data_set, model.labels, counts, unknown)
        notes += _label_notes(model.labels, counts, unknown)
    labels = tuple(dict.fromkeys([*(model.labels or ()), *sorted(counts)]))
    shuffled = list(examples)
    random.Random(_SEED).shuffle(shuffled)  # noqa: S311 -- a sample, not a secret
    leaves_out = wanted_split in {None, Split.TEST}
    return Selected(tuple(shuffled), split, labels, unknown, tuple(notes), leaves_out)


def _choose_split(data_set: DataSet, wanted: str | None) -> tuple[list[Example], str]:
    counts = Counter(example.split for example in data_set.examples)
    stated = {split: counts[split] for split in Split if counts[split]}
    if wanted == ALL:
        words = "all pictures"
        if counts[Split.TRAINING]:
            words += ", those that a model may have learnt from included"
        return list(data_set.examples), words
    if wanted is None and Split.TEST not in stated:
        if not stated:
            return list(data_set.examples), UNSTATED
        raise UsageError(
            f"{data_set.path} states a split without test pictures ({_split_words(stated)}). "
            "Name the pictures to take: --split validation, training or all."
        )
    split = Split.TEST if wanted is None else Split(wanted)
    if split not in stated:
        there = _split_words(stated) if stated else "it states no split"
        raise UsageError(f"{data_set.path} has no {split} pictures: {there}. Leave --split out.")
    words = f"the {split} split"
    if split is Split.TRAINING:
        words += ", which a model may have learnt by heart"
    return [example for example in data_set.examples if example.split is split], words


def _split_words(stated: dict[Split, int]) -> str:
    return ", ".join(f"{count} {split}" for split, count in stated.items())


def _fit_to_task(examples: list[Example], model: Known, notes: list[str]) -> list[Example]:
    """Leave out what the model's task has no right answer for."""
    if model.has_boxes:
        fitting = [example for example in examples if example.boxes is not None]
        _note_left_out(notes, len(examples) - len(fitting), "the set knows no boxes of them")
        return fitting
    if model.multi_label:
        return examples
    without = sum(not example.labels for example in examples)
    several = sum(len(example.labels) > 1 for example in examples)
    one_label = "a single-label model has one right answer"
    _note_left_out(notes, without, f"they have no label, and {one_label}")
    _note_left_out(notes, several, f"they have several labels, and {one_label}")
    return [example for example in examples if len(example.labels) == 1]


def _note_left_out(notes: list[str], count: int, reason: str) -> None:
    if count:
        notes.append(f"{_pictures(count)} left out: {reason}.")


def _nothing_left(data_set: DataSet, split: str, notes: Sequence[str]) -> str:
    why = " ".join(notes)
    return f"{data_set.path} has no picture to judge this model by ({split}). {why}".rstrip()


def _check_labels(
    data_set: DataSet, known: Sequence[str], counts: Counter[str], unknown: dict[str, int]
) -> None:
    folded = {_fold(label): label for label in known}
    misspelt = []
    for label in unknown:
        near = folded.get(_fold(label))
        if near is not None and near not in counts:
            misspelt.append(f"{escape(label)} (the model's: {escape(near)})")
    if misspelt:
        raise UsageError(
            f"{data_set.path} spells labels in another way than the model: {_named(misspelt)}. "
            "Every such picture would count as wrong: rename them."
        )
    if counts and len(unknown) == len(counts):
        raise UsageError(
            f"{data_set.path} and the model have no label in common. The set's: "
            f"{_named(map(escape, counts))}. The model's: {_named(map(escape, known))}."
        )


def _label_notes(known: Sequence[str], counts: Counter[str], unknown: dict[str, int]) -> list[str]:
    notes = []
    if unknown:
        affected = _named(f"{escape(label)} ({count})" for label, count in unknown.items())
        notes.append(f"The model does not know {affected}: it cannot get these pictures right.")
    absent = [label for label in dict.fromkeys(known) if label not in counts]
    if absent:
        what = _named(map(escape, absent))
        notes.append(f"No picture shows {what}: nothing is known of how the model finds it.")
    return notes


def _fold(label: str) -> str:
    """The letters and digits of a label, whatever their case and accents, and what is between."""
    plain = unicodedata.normalize("NFKD", label).casefold()
    return re.sub(r"[\W_]+", "", plain)


def _named(words: Iterable[str]) -> str:
    """The first few, and how many more there are."""
    listed = list(words)
    shown = ", ".join(listed[:_MAX_NAMED])
    rest = len(listed) - _MAX_NAMED
    return f"{shown} and {rest} more" if rest > 0 else shown


def _pictures(count: int) -> str:
    return "1 picture is" if count == 1 else f"{count} pictures are"
