"""Trains: the built-in classifier with another last layer, in seconds, without TensorFlow.

features -> split -> head -> int8 head in the TFLite file -> answers of that file -> thresholds,
report. If a time is given, `best.py` fine-tunes the backbone first. What is reported is what the
finished file answers, never what the float head would.
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from edge.datasets.dataset import Split
from edge.datasets.learnt import write_learnt
from edge.datasets.picture_cache import PictureCache
from edge.errors import DataSetError, UsageError
from edge.evaluation.classification import Scored
from edge.evaluation.mistakes import worst_mistakes
from edge.export.distribution_buffer import BUFFER_NAME, encode_distribution
from edge.export.tflite_metadata import METADATA_BUFFER
from edge.model.contract import PixelInput
from edge.runtime.features import FeatureReader, with_whole_picture
from edge.training.choice import MIN_VALIDATION, fit_best_head
from edge.training.distribution_fit import fit_distribution
from edge.training.embedded_labels import append_labels, metadata_buffer
from edge.training.export_files import MODEL_FILE, write_labels, write_metadata, write_settings
from edge.training.figures import multi_label_figures, single_label_figures
from edge.training.fine_tuning_time import FineTuningTime, TimeIsUp
from edge.training.float_layers import read_float_layers
from edge.training.gather import gather, unreadable_again
from edge.training.golden import write_golden
from edge.training.int8_head import quantize_head
from edge.training.output_folder import refuse_foreign, written_whole
from edge.training.report import Measured, Report, write_report
from edge.training.saved_model import write_saved_model
from edge.training.tflite_file import ClassifierFile
from edge.training.thresholds import certain_threshold, label_thresholds
from edge.training.training_set import all_examples, make_training_set
from edge.training.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.datasets.dataset import DataSet, Example
    from edge.export.read import Export
    from edge.model.training_distribution import TrainingDistribution
    from edge.training.choice import ChosenHead
    from edge.training.feature_table import FeatureTable
    from edge.training.gather import Gathered
    from edge.training.training_set import TrainingSet

    Floats = NDArray[np.float32]

_DESCRIPTION: Final = "Image classifier, uint8, trained by edge on features of EfficientNet-Lite0"


_SAMPLE: Final = 32
"""Pictures by which the time of reading all is estimated."""


class Progress(Protocol):
    """Shows how far the training is."""

    def stage(self, words: str) -> None:
        """A step begins: a few words, such as ``reading pictures``."""

    def advance(self, done: int, total: int) -> None:
        """So many of all pictures, or tries, of this step are done."""


@dataclass(frozen=True, slots=True)
class Task:
    """What to train, and how.

    Attributes:
        base: the data set.
        added: further data sets, which do not change the splits of the first.
        out: the folder to write.
        backbone: the built-in classifier.
        max_pixels: of a picture.
        workers: pictures at a time.
        saved_model: also write the SavedModel.
        seconds: in which all should be done, with the last layers of the backbone fine-tuned;
            ``None`` for quick training.
    """

    base: DataSet
    added: tuple[DataSet, ...]
    out: Path
    backbone: Export
    max_pixels: int
    workers: int
    saved_model: bool = True
    seconds: float | None = None


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


def train(task: Task, cache: PictureCache, progress: Progress) -> Report:
    """Train, and write the export.

    Args:
        cache: of the first data set; what is read of all pictures is kept there.

    Raises:
        DataSetError: nothing can be learned from the set.
        OutputError: the folder or the cache cannot be written, or the folder holds something else.
        UsageError: a time is given, and TensorFlow is not installed.
    """
    began = time.monotonic()
    refuse_foreign(task.out)
    if task.seconds is not None:
        _need_tensorflow()
    learned = learn(task, cache, progress)
    notes = _unlabeled_note(task)
    with tempfile.TemporaryDirectory(prefix="edge-train-") as scratch:
        if task.seconds is not None:
            quick_s = time.monotonic() - began + _seconds_to_read(learned, cache.reused)
            times = FineTuningTime(task.seconds, began, quick_s)
            learned, what_came = _fine_tuned(task, learned, Path(scratch), times, progress)
            notes += (what_came,)
        return _write(task, learned, notes, progress)


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


def _unlabeled_note(task: Task) -> tuple[str, ...]:
    """Says that pictures wait for a label, if some do."""
    count = sum(len(one.unlabeled) for one in (task.base, *task.added))
    if not count:
        return ()
    if count == 1:
        return ("1 picture has no label yet, and nothing was learnt from it.",)
    return (f"{count:,} pictures have no label yet, and nothing was learnt from them.",)


def _need_tensorflow() -> None:
    if importlib.util.find_spec("tensorflow") is None:
        raise UsageError(
            "--minutes needs TensorFlow, which is not installed. Install it (pip install "
            "tensorflow), or leave --minutes out: quick training needs none."
        )


def _seconds_to_read(learned: Learned, count: int) -> float:
    """What reading so many pictures takes, which this run found in the cache, by a sample."""
    if not count:
        return 0.0
    examples = learned.training_set.examples
    sample = examples[:: max(len(examples) // _SAMPLE, 1)]
    began = time.monotonic()
    pictures = ((example, example.image.read_bytes) for example in sample)
    deque(learned.reader.read_all(pictures), maxlen=0)
    return (time.monotonic() - began) * count / len(sample)


def _fine_tuned(
    task: Task, learned: Learned, scratch: Path, times: FineTuningTime, progress: Progress
) -> tuple[Learned, str]:
    """What is learned on a fine-tuned backbone, if that does better in validation; and a note."""
    before = learned.chosen.loss
    if before is None:
        return learned, (
            f"Fine-tuning needs at least {MIN_VALIDATION} validation pictures, to tell whether it "
            "helps; the model is that of quick training."
        )
    if not times.suffices():
        return learned, times.too_short()
    progress.stage("Starting TensorFlow")
    from edge.training.best import fine_tuned  # noqa: PLC0415 -- 6 s and 500 MB

    progress.stage("Fine-tuning")
    try:
        backbone = fine_tuned(
            learned.backbone,
            learned.training_set,
            learned.chosen.head,
            learned.reader,
            scratch,
            times.tuning_s(),
            progress.advance,
        )
        tuned = None
        if backbone is not None:
            tuned = _learn_again(task, learned, backbone, scratch, times.limit(progress))
    except TimeIsUp:
        return learned, times.too_short()
    if tuned is None or tuned.chosen.loss is None or tuned.chosen.loss >= before:
        return learned, (
            "Fine-tuning did not do better in validation; the model is that of quick training."
        )
    return tuned, "The last layers of the built-in classifier were fine-tuned."


def _learn_again(
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


def _write(task: Task, learned: Learned, notes: tuple[str, ...], progress: Progress) -> Report:
    training_set, image = learned.training_set, learned.backbone.contract.input
    assert isinstance(image, PixelInput)
    with written_whole(task.out) as folder:
        _write_model(folder, learned)
        write_labels(folder, training_set.labels)
        write_metadata(folder, image, learned.backbone.contract.outputs["scores"].name)
        write_settings(folder)
        write_learnt(folder, zip(learned.digests, training_set.splits, strict=True))
        progress.stage("Testing the finished file")
        measured = _measure(task, folder, training_set, progress)
        progress.stage("Writing")
        trial = Trial(folder, max_pixels=task.max_pixels, workers=task.workers)
        write_golden(folder, training_set, trial)
        if task.saved_model:
            _write_saved_model(folder, learned, (image.height, image.width))
        report = Report(
            name=task.out.name,
            training_set=training_set,
            penalty=learned.chosen.penalty,
            measured=measured,
            broken=learned.broken,
            notes=notes,
        )
        write_report(folder, report, task.out, task.max_pixels)
    return report


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
    return training_set, broken


def _distribution(learned: Learned) -> TrainingDistribution | None:
    """Of the training and the validation pictures; those of the test show whether it holds."""
    training_set = learned.training_set
    known = np.array([split is not Split.TEST for split in training_set.splits])
    labels = training_set.targets().argmax(axis=1)[known]
    if training_set.multi_label:
        labels = np.zeros_like(labels)
    return fit_distribution(learned.table.subset(np.flatnonzero(known)), labels)


def _write_model(folder: Path, learned: Learned) -> None:
    training_set = learned.training_set
    file = ClassifierFile(learned.backbone.model.read_bytes(), learned.backbone.model.name)
    trained = learned.table.subset(training_set.indices(Split.TRAINING))
    int8_head = quantize_head(learned.chosen.head, file.features, trained)
    file.replace_head(int8_head, multi_label=training_set.multi_label)
    entries = {METADATA_BUFFER: metadata_buffer(_DESCRIPTION, 127.0, 128.0)}
    distribution = _distribution(learned)
    if distribution is not None:
        entries[BUFFER_NAME] = encode_distribution(distribution)
    file.add_metadata(entries)
    content = append_labels(file.pack(_DESCRIPTION), training_set.labels)
    (folder / MODEL_FILE).write_bytes(content)


def _write_saved_model(folder: Path, learned: Learned, size: tuple[int, int]) -> None:
    """Write `saved_model/0001`, with the weights in float."""
    model, head = learned.backbone.model, learned.chosen.head
    layers = read_float_layers(model.read_bytes(), model.name)
    target = folder / "saved_model" / "0001"
    write_saved_model(target, layers, head, learned.training_set.labels, size)


def _measure(task: Task, folder: Path, training_set: TrainingSet, progress: Progress) -> Measured:
    """Thresholds from the validation pictures, and figures from those of the test."""
    trial = Trial(folder, max_pixels=task.max_pixels, workers=task.workers)
    labels, multi_label = training_set.labels, training_set.multi_label
    chosen = _answers(trial, training_set, Split.VALIDATION, progress)
    thresholds, certain = None, None
    if multi_label:
        thresholds = label_thresholds(chosen.scores, chosen.targets)
        write_settings(folder, thresholds=dict(zip(labels, thresholds, strict=True)))
    else:
        certain = certain_threshold(chosen.scores, chosen.targets)
        write_settings(folder, certain_threshold=certain)
    tested = _answers(trial, training_set, Split.TEST, progress)
    if thresholds is None:
        figures = single_label_figures(labels, tested.scores, tested.targets)
    else:
        figures = multi_label_figures(labels, tested.scores, tested.targets, thresholds)
    limits = np.array(thresholds or [0.0], np.float32)
    scored = Scored(labels, tested.scores, tested.targets > 0, tested.scores >= limits)
    mistakes = worst_mistakes(scored, tested.examples, multi_label=multi_label)
    return Measured(
        figures,
        tested.unlike,
        mistakes,
        certain_threshold=certain,
        label_thresholds=None if thresholds is None else tuple(thresholds),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Answers:
    """What the finished file answers.

    Attributes:
        examples: the pictures that can be read.
        scores: float32 [pictures, labels].
        targets: float32 [pictures, labels], the truth.
        unlike: number of pictures unlike the training; ``None`` if the model cannot say.
    """

    examples: Sequence[Example]
    scores: Floats
    targets: Floats
    unlike: int | None


def _answers(trial: Trial, training_set: TrainingSet, split: Split, progress: Progress) -> _Answers:
    numbers = training_set.indices(split)
    examples = [training_set.examples[number] for number in numbers]
    answers = trial.answer_all([one.image for one in examples], progress.advance)
    kept = [row for row, answer in enumerate(answers) if answer is not None]
    rows = [answer.scores for answer in answers if answer is not None]
    targets = training_set.targets()[numbers[kept]]
    scores = np.stack(rows) if rows else np.zeros_like(targets)
    told = [answer for answer in answers if answer and answer.unlike_training is not None]
    unlike = sum(1 for answer in told if answer.unlike_training)
    return _Answers([examples[row] for row in kept], scores, targets, unlike if told else None)
