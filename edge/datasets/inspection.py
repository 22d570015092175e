"""Looks a data set over: counts, broken and tiny pictures, duplicates, labels that seem wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from edge.datasets.cross_validation import FOLDS
from edge.datasets.dataset import Split
from edge.datasets.duplicates import exact_groups, groups_to_split, members, near_groups
from edge.datasets.mislabels import find_suspects
from edge.datasets.picture_pass import read_pictures
from edge.datasets.split import split_examples

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from edge.datasets.dataset import DataSet, Example
    from edge.datasets.mislabels import Suspect
    from edge.datasets.picture_cache import PictureCache
    from edge.datasets.picture_pass import PassResult, PictureReader
    from edge.datasets.reading import Reading

TINY_SIDE: Final = 64
"""Pixels of the shorter side. Below it a picture has less than a tenth of the 224 x 224 pixels that
a model sees."""


@dataclass(frozen=True, slots=True)
class LabelCount:
    """How often a label is there.

    Attributes:
        pictures: that carry it.
        boxes: with that label; 0 for a classification.
        splits: pictures in each split, those of an open one as it would be divided.
    """

    label: str
    pictures: int
    boxes: int
    splits: Mapping[Split, int]


@dataclass(frozen=True, slots=True)
class Group:
    """Pictures that are the same, or nearly.

    Attributes:
        indices: of the examples, at least two.
        same_bytes: the files are equal.
        labels: sets of labels that the pictures have; more than one is a contradiction.
        splits: that the source states; more than one is leakage.
    """

    indices: tuple[int, ...]
    same_bytes: bool
    labels: tuple[tuple[str, ...], ...]
    splits: tuple[Split, ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found.

    Attributes:
        counts: of each label, the most frequent first.
        nothing: examples that show nothing.
        broken: index of an example to what is wrong with its picture.
        tiny: indices of pictures with a side below `TINY_SIDE`, and their sizes.
        same: groups of the same bytes.
        near: groups of near duplicates that are not all the same.
        suspects: pictures that are probably mislabelled; ``None`` if that was not looked for.
        resumed: pictures that were known from an earlier run.
    """

    reading: Reading
    counts: tuple[LabelCount, ...]
    nothing: int
    broken: Mapping[int, str]
    tiny: Mapping[int, tuple[int, int]]
    same: tuple[Group, ...]
    near: tuple[Group, ...]
    suspects: tuple[Suspect, ...] | None
    resumed: int

    @property
    def data_set(self) -> DataSet:
        """The data set as far as it could be read."""
        return self.reading.data_set

    @property
    def is_detection(self) -> bool:
        """Whether the examples have boxes."""
        return any(example.boxes is not None for example in self.data_set.examples)


@dataclass(frozen=True, slots=True)
class Progress:
    """Is told how far the work is.

    Attributes:
        start: called with a name and the number of steps of what begins.
        advance: called after each step.
    """

    start: Callable[[str, int], None]
    advance: Callable[[], None]


def inspect_data_set(
    reading: Reading, reader: PictureReader, cache: PictureCache, progress: Progress
) -> Inspection:
    """Look over all examples of a data set; the memory does not grow with their pictures.

    Raises:
        OutputError: the cache cannot be written.
        KeyboardInterrupt: after Ctrl-C; pictures that were read are in the cache.
    """
    examples = reading.data_set.examples
    progress.start("Reading pictures", len(examples))
    known = read_pictures(examples, reading.data_set.path, reader, cache, progress.advance)
    readable = np.flatnonzero(known.rows >= 0)
    records = cache.pictures.values()
    rows = known.rows[readable]
    exact = exact_groups([digest.tobytes() for digest in records["digest"][rows]])
    progress.start("Comparing pictures", len(np.unique(exact)))
    near = near_groups(records["sketch"], rows, exact, progress.advance)
    kept = [examples[index] for index in readable]
    same = [_group(indices, readable, kept, same_bytes=True) for indices in members(exact)]
    alike = [
        _group(indices, readable, kept, same_bytes=False)
        for indices in members(near)
        if len(np.unique(exact[indices])) > 1
    ]
    groups = groups_to_split(exact, near, kept)
    # One field at a time: of two, numpy would copy whole records, sketches included.
    sizes = zip(records["width"][rows].tolist(), records["height"][rows].tolist(), strict=True)
    tiny = {
        int(index): size
        for index, size in zip(readable, sizes, strict=True)
        if min(size) < TINY_SIDE
    }
    return Inspection(
        reading,
        _counts(kept, split_examples(kept, groups.tolist())),
        sum(not example.labels for example in examples),
        known.broken,
        tiny,
        tuple(same),
        tuple(alike),
        _suspects(kept, readable, known, near, cache, progress),
        cache.reused,
    )


def _suspects(
    kept: Sequence[Example],
    readable: NDArray[np.int64],
    known: PassResult,
    near: NDArray[np.int64],
    cache: PictureCache,
    progress: Progress,
) -> tuple[Suspect, ...] | None:
    if cache.features is None or not kept:
        return None
    progress.start("Checking labels", FOLDS)
    rows = known.feature_rows[readable]
    found = find_suspects(kept, cache.features.values(), rows, near, progress.advance)
    if found is None:
        return None
    return tuple(suspect.moved_to(int(readable[suspect.index])) for suspect in found)


def _group(
    indices: NDArray[np.int64],
    readable: NDArray[np.int64],
    kept: Sequence[Example],
    *,
    same_bytes: bool,
) -> Group:
    own = [kept[index] for index in indices]
    labels = sorted({tuple(sorted(example.labels)) for example in own})
    splits = sorted({example.split for example in own if example.split is not None})
    return Group(tuple(readable[indices].tolist()), same_bytes, tuple(labels), tuple(splits))


def _counts(examples: Sequence[Example], splits: Sequence[Split]) -> tuple[LabelCount, ...]:
    pictures: Counter[str] = Counter()
    boxes: Counter[str] = Counter()
    by_split: Counter[tuple[str, Split]] = Counter()
    for example, split in zip(examples, splits, strict=True):
        boxes.update(box.label for box in example.boxes or ())
        pictures.update(example.labels)
        by_split.update((label, split) for label in example.labels)
    found = [
        LabelCount(
            label,
            count,
            boxes[label],
            {split: by_split[label, split] for split in Split},
        )
        for label, count in pictures.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.pictures, one.label)))
