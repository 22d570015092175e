"""Best training: the backbone's last layers are fine-tuned first, within a given time.

What comes out is another backbone in a file of the same form; what follows is quick training on it.
Needs TensorFlow; import this late.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from edge.datasets.dataset import Split
from edge.datasets.picture_file import read_picture
from edge.errors import InputError, RequestError
from edge.training.export_files import MODEL_FILE
from edge.training.fine_tune import TAIL, FineTuning
from edge.training.fine_tuning_time import TimeIsUp
from edge.training.float_network import FloatBackbone
from edge.training.gather import unreadable_again
from edge.training.requantize import requantize_tail, tail_outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.export.read import Export
    from edge.runtime.features import FeatureReader
    from edge.training.fine_tune import Batch
    from edge.training.head import Head
    from edge.training.training_set import TrainingSet

_BATCH: Final = 8
_MAX_JUDGED: Final = 200
"""Validation pictures of a round: judging them must not take the time for training."""

_CALIBRATION: Final = 64
"""Pictures by which the ranges of 8 bits are chosen."""

_REQUANTIZE_S: Final = 2.0
"""For running those pictures, and writing the file."""


class _Pictures:
    """Batches of pictures, read again each round: in memory are those of two batches."""

    def __init__(
        self, training_set: TrainingSet, numbers: NDArray[np.intp], reader: FeatureReader
    ) -> None:
        self._examples = training_set.examples
        self._targets = training_set.targets()
        self._numbers = numbers
        self._reader = reader
        self._rng = np.random.default_rng(0)

    def shuffled(self) -> Iterator[Batch]:
        """All of them in another order each time."""
        return self._batches(self._rng.permutation(self._numbers))

    def in_order(self) -> Iterator[Batch]:
        """All of them."""
        return self._batches(self._numbers)

    def images(self) -> Iterator[NDArray[np.uint8]]:
        """The pixels alone, of batches."""
        for images, _ in self.in_order():
            yield images

    def _batches(self, numbers: NDArray[np.intp]) -> Iterator[Batch]:
        with ThreadPoolExecutor(self._reader.workers, "edge-batches") as pool:
            waiting = None
            for start in range(0, len(numbers), _BATCH):
                chosen = numbers[start : start + _BATCH]
                following = chosen, [pool.submit(self._pixels, number) for number in chosen]
                if waiting is not None:
                    yield self._stacked(*waiting)
                waiting = following
            if waiting is not None:
                yield self._stacked(*waiting)

    def _stacked(
        self, numbers: NDArray[np.intp], futures: list[Future[NDArray[np.uint8]]]
    ) -> Batch:
        return np.stack([future.result() for future in futures]), self._targets[numbers]

    def _pixels(self, number: int) -> NDArray[np.uint8]:
        file = self._examples[number].image
        try:
            frame = self._reader.decode(read_picture(file))
        except (InputError, RequestError) as error:
            raise unreadable_again(file, error.message) from error
        return np.asarray(self._reader.tensor(frame), np.uint8)


def fine_tuned(
    backbone: Export,
    training_set: TrainingSet,
    head: Head,
    reader: FeatureReader,
    scratch: Path,
    seconds: float,
    advance: Callable[[int, int], None],
) -> Export | None:
    """Fine-tune the backbone.

    Args:
        head: fitted to the backbone's features.
        scratch: an empty folder for the file.
        seconds: for the training, and for the file.

    Returns:
        The new backbone; ``None`` if the old one does better in validation.

    Raises:
        TimeIsUp: too few seconds.
    """
    seconds -= _REQUANTIZE_S
    if seconds <= 0:
        raise TimeIsUp
    judged = training_set.indices(Split.VALIDATION)
    trained = _Pictures(training_set, training_set.indices(Split.TRAINING), reader)
    held_out = _Pictures(training_set, _spread(judged, _MAX_JUDGED), reader)
    data = backbone.model.read_bytes()
    network = FloatBackbone(data, backbone.model.name)
    tuning = FineTuning(network, head, _label_weights(training_set))
    if not tuning.run(trained.shuffled, held_out.in_order, seconds, advance):
        return None
    chosen = _spread(training_set.indices(Split.TRAINING), _CALIBRATION)
    samples = _Pictures(training_set, chosen, reader)
    ranges = tuning.ranges(samples.images(), tail_outputs(data, TAIL))
    content = requantize_tail(data, tuning.weights(), ranges)
    file = scratch / MODEL_FILE
    file.write_bytes(content)
    return replace(backbone, path=file, model=file, digest=hashlib.sha256(content).hexdigest())


def _spread(numbers: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """At most so many, evenly from the whole."""
    if len(numbers) <= most:
        return numbers
    return numbers[np.linspace(0, len(numbers) - 1, most).astype(np.intp)]


def _label_weights(training_set: TrainingSet) -> NDArray[np.float32]:
    """What a picture of each label counts, as in `head.class_weights`; all alike if multi-label."""
    labels = len(training_set.labels)
    if training_set.multi_label:
        return np.ones(labels, np.float32)
    counts = training_set.counts(Split.TRAINING)
    of_label = np.array([max(counts[label], 1) for label in training_set.labels])
    weights = np.sqrt(of_label.sum() / labels / of_label)
    mean = (weights * of_label).sum() / of_label.sum()
    normalised: NDArray[np.float32] = (weights / mean).astype(np.float32)
    return normalised
