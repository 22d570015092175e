"""Finds pictures that are there several times under different labels: nothing tells those apart."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from edge.errors import DataSetError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.training.training_set import TrainingSet


def contradiction_notes(training_set: TrainingSet, digests: Sequence[str]) -> tuple[str, ...]:
    """What the owner should know of the same pictures under different labels; a sentence, or none.

    Args:
        digests: of the bytes of each picture.

    Raises:
        DataSetError: this is so for every picture.
    """
    by_digest = defaultdict(list)
    for number, digest in enumerate(digests):
        by_digest[digest].append(number)
    groups = [numbers for numbers in by_digest.values() if _differ(training_set, numbers)]
    if not groups:
        return ()
    first, *others = (training_set.examples[number] for number in groups[0])
    second = next(one for one in others if set(one.labels) != set(first.labels))
    same = f"{first.image} and {second.image} are the same picture with different labels"
    if len(groups) == len(by_digest):
        raise DataSetError(
            f"Every picture is there under several labels, and nothing tells them apart: {same}. "
            "Keep each picture under one label; edge data inspect lists them."
        )
    count = sum(len(numbers) for numbers in groups)
    advice = "Keep each under one label; edge data inspect lists them."
    return (f"{count:,} pictures contradict each other: {same}. {advice}",)


def _differ(training_set: TrainingSet, numbers: Sequence[int]) -> bool:
    """Whether the pictures of these numbers have different labels."""
    labels = {frozenset(training_set.examples[number].labels) for number in numbers}
    return len(labels) > 1
