"""Reads the features of the pictures and fits a head to them."""

from __future__ import annotations

import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from edge.datasets.picture_cache import PictureCache
from edge.errors import DataSetError
from edge.runtime.features import FeatureReader, with_whole_picture
from edge.training.choice import fit_best_head
from edge.training.contradictions import contradiction_notes
from edge.training.gather import gather, unreadable_again
from edge.training.training_set import all_examples, make_training_set

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.datasets.dataset import Example
    from edge.export.read import Export
    from edge.training.choice import ChosenHead
    from edge.training.feature_table import FeatureTable
    from edge.training.gather import Gathered
    from edge.training.task import Progress, Task
    from edge.training.training_set import TrainingSet


_SAMPLE: Final = 32
"""Pictures by which the time of reading all is estimated."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learned on one backbone.

    Attributes:
        backbone: the file whose last layer is replaced.
        table: features of the pictures of the training set.
        digests: hex, of the bytes of each of these pictures.
        chosen: the head that does best in validation.
    """

    backbone: Export
    reader: FeatureReader
    training_set: TrainingSet
    table: FeatureTable
    digests: tuple[str, ...]
    chosen: ChosenHead
    broken: tuple[tuple[Path, str], ...]


def learn(task: Task, cache: PictureCache, progress: Progress) -> Learned:
    """Read the features of all pictures and fit a head to them; raises ``DataSetError``."""
    examples = all_examples(task.base, task.added)
    reader, gathered = _read_features(task, task.backbone, examples, cache, progress)
    training_set, broken = _without_broken(task, examples, gathered)
    progress.stage("Fitting")
    chosen = fit_best_head(training_set, gathered.table, progress.advance)
    return Learned(
        task.backbone,
        reader,
        training_set,
        gathered.table,
        gathered.digests,
        chosen,
        broken,
    )


def learn_again(
    task: Task, learned: Learned, backbone: Export, scratch: Path, progress: Progress
) -> Learned:
    """Fit a head to the same pictures' features by another backbone.

    Only features are new: groups, splits and digests do not depend on the backbone. No later run
    has use for them, so they are kept in the scratch folder, as long as the process lives.
    """
    training_set = learned.training_set
    with closing(PictureCache(scratch / "pictures", task.base.path, keep=False)) as cache:
        reader, gathered = _read_features(task, backbone, training_set.examples, cache, progress)
    if gathered.broken:
        number, reason = next(iter(gathered.broken.items()))
        file = training_set.examples[number].image
        raise unreadable_again(file, reason)
    progress.stage("Fitting")
    chosen = fit_best_head(training_set, gathered.table, progress.advance)
    return replace(learned, backbone=backbone, reader=reader, table=gathered.table, chosen=chosen)


def seconds_to_read(learned: Learned, count: int) -> float:
    """What reading so many pictures takes, which this run found in the cache, by a sample."""
    if not count:
        return 0.0
    examples = learned.training_set.examples
    sample = examples[:: max(len(examples) // _SAMPLE, 1)]
    began = time.monotonic()
    pictures = ((example, example.image.read_bytes) for example in sample)
    deque(learned.reader.read_all(pictures), maxlen=0)
    return (time.monotonic() - began) * count / len(sample)


def _read_features(
    task: Task,
    backbone: Export,
    examples: Sequence[Example],
    cache: PictureCache,
    progress: Progress,
) -> tuple[FeatureReader, Gathered]:
    """Features of pictures by a backbone, which become those that the cache keeps."""
    reader = FeatureReader(
        backbone.model,
        with_whole_picture(backbone.contract),
        max_pixels=task.max_pixels,
        workers=task.workers,
    )
    cache.open_features(reader.size, backbone.digest)
    progress.stage("Reading pictures")
    gathered = gather(examples, task.base.path, reader, cache, task.max_pixels, progress.advance)
    return reader, gathered


def _without_broken(
    task: Task, examples: Sequence[Example], gathered: Gathered
) -> tuple[TrainingSet, tuple[tuple[Path, str], ...]]:
    """The training set of the pictures that can be read, and the others."""
    broken = tuple((examples[number].image, gathered.broken[number]) for number in gathered.broken)
    if len(broken) == len(examples):
        file, reason = broken[0]
        raise DataSetError(f"No picture of {task.base.path} can be read. {file}: {reason}")
    left_out = frozenset(gathered.broken)
    groups = gathered.find_groups(examples)
    training_set = make_training_set(task.base, task.added, groups=groups, left_out=left_out)
    notes = contradiction_notes(training_set, gathered.digests)
    return replace(training_set, notes=training_set.notes + notes), broken
