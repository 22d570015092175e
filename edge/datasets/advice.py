"""What to do about a data set, in AutoML's terms: what to repair, and what to collect next.

AutoML's own advice (Vertex AI, "Best practices for image data"): about 1,000 pictures for each
label, at least 10, and at most 100 times more of the most common label than of the rarest.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from edge.counted import counted, plural
from edge.datasets.dataset import Split
from edge.datasets.inspection import TINY_SIDE, Inspection
from edge.printable import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge.datasets.inspection import LabelCount

MIN_PICTURES: Final = 10
WANTED_PICTURES: Final = 1_000
MAX_RATIO: Final = 100

_MAX_NAMED: Final = 8
"""Labels that a sentence names."""


class Weight(StrEnum):
    """How much a piece of advice matters."""

    REPAIR = "repair"
    """Something is wrong: a model that is trained on it learns or is tested wrongly."""
    COLLECT = "collect"
    """More pictures would make the model better."""


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to do: a sentence or two."""

    weight: Weight
    text: str


def advise(found: Inspection) -> list[Advice]:
    """What to do next, the most important first."""
    texts = [(Weight.REPAIR, text) for text in _repairs(found)]
    texts += [(Weight.COLLECT, text) for text in _collections(found)]
    return [Advice(weight, text) for weight, text in texts]


def _repairs(found: Inspection) -> Iterable[str]:
    if found.reading.fault_count:
        yield (
            f"{counted(found.reading.fault_count, 'place')} of the data set cannot be read: fix or "
            "remove them, since a set with faults is not trained on."
        )
    if found.broken:
        count = counted(len(found.broken), "picture")
        yield f"{count} cannot be opened: replace or remove them."
    yield from _duplicates(found)
    if found.suspects:
        count = counted(len(found.suspects), "picture")
        yield f"{count} with a label that is probably wrong: look at the first ones first."
    similar = _similar_labels(found.data_set.labels)
    if similar:
        yield f"Labels differ only in case or blanks: {similar}. Are they the same?"
    if found.tiny:
        yield (
            f"{counted(len(found.tiny), 'picture')} with a side below {TINY_SIDE} pixels, which a "
            "model sees enlarged and blurred. Take larger ones."
        )


def _duplicates(found: Inspection) -> Iterable[str]:
    for groups, words in ((found.same, "the same"), (found.near, "nearly the same")):
        torn = [group for group in groups if len(group.labels) > 1]
        leaks = [group for group in groups if len(group.splits) > 1]
        if torn:
            yield (
                f"{counted(len(torn), 'group')} of pictures that are {words}, with different "
                "labels: a label is wrong, or the difference is small. Look at them."
            )
        if leaks:
            yield (
                f"{counted(len(leaks), 'group')} of pictures that are {words}, in several "
                "splits: a test asks for what was learnt by heart. Move each group into one split."
            )
    repeats = sum(len(group.indices) - 1 for group in found.same)
    if repeats:
        yield f"Repeated pictures add nothing: remove {counted(repeats, 'file')}."


def _collections(found: Inspection) -> Iterable[str]:
    counts = found.counts
    if not counts:
        if not found.broken:
            yield "No picture has a label yet."
        return
    unit = "box" if found.is_detection else "picture"
    number = {one.label: one.boxes if found.is_detection else one.pictures for one in counts}
    if len(counts) == 1 and not found.is_detection:
        yield (
            f"All pictures carry one label, {escape(counts[0].label)}: a classifier needs a second "
            "one to tell it from. Collect pictures of what else the camera sees, as "
            "None_of_the_above for instance."
        )
    rare = [label for label, count in number.items() if count < MIN_PICTURES]
    if rare:
        yield (
            f"Fewer than {MIN_PICTURES} {plural(unit)}, the least that a label needs: "
            f"{_named(rare, number)}."
        )
    some = [label for label, count in number.items() if MIN_PICTURES <= count < WANTED_PICTURES]
    if some:
        rarest = sorted(some, key=lambda label: (number[label], label))
        yield (
            f"About {WANTED_PICTURES:,} {plural(unit)} for each label serve a model best. The "
            f"next ones help most where there are fewest: {_named(rarest, number)}."
        )
    most, least = max(number.values()), min(number.values())
    if least and most > MAX_RATIO * least:
        yield (
            f"The most common label has {most // least:,} times more {plural(unit)} than the "
            f"rarest; more than {MAX_RATIO} times makes a model guess the common one."
        )
    untested = [one.label for one in counts if not one.splits[Split.TEST]]
    if untested:
        yield f"No picture to test with: {_named(untested, number)}."
    if found.data_set.unlabeled:
        count = counted(len(found.data_set.unlabeled), "picture")
        yield f"{count} without a label: label them, or take them out."


def imbalance(counts: Sequence[LabelCount]) -> float:
    """How many times more pictures the most common label has than the rarest; 1 for none."""
    numbers = [one.pictures for one in counts]
    return max(numbers) / min(numbers) if numbers else 1.0


def _similar_labels(labels: Iterable[str]) -> str:
    by_form: defaultdict[str, list[str]] = defaultdict(list)
    for label in labels:
        by_form["".join(label.casefold().split())].append(label)
    similar = [group for group in by_form.values() if len(group) > 1]
    return "; ".join(" and ".join(map(escape, group)) for group in similar[:_MAX_NAMED])


def _named(labels: Sequence[str], number: dict[str, int]) -> str:
    named = [f"{escape(label)} ({number[label]:,})" for label in labels[:_MAX_NAMED]]
    if len(labels) > _MAX_NAMED:
        named.append(f"and {len(labels) - _MAX_NAMED:,} more")
    return ", ".join(named)
