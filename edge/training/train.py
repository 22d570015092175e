"""Trains: the built-in classifier with another last layer, in seconds, without TensorFlow.

features -> split -> head -> int8 head in the TFLite file -> answers of that file -> thresholds,
report. If a time is given, `best.py` fine-tunes the backbone first. What is reported is what the
finished file answers, never what the float head would.
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from edge.datasets.dataset import Split
from edge.datasets.learnt import write_learnt
from edge.datasets.picture_cache import PictureCache
from edge.errors import DataSetError, UsageError
from edge.export.distribution_buffer import BUFFER_NAME, encode_distribution
from edge.export.tflite_metadata import METADATA_BUFFER
from edge.model.contract import PixelInput
from edge.runtime.features import FeatureReader, with_whole_picture
from edge.training.choice import fit_best_head
from edge.training.contradictions import contradiction_notes
from edge.training.distribution_fit import fit_distribution
from edge.training.embedded_labels import append_labels, metadata_buffer
from edge.training.export_files import MODEL_FILE, write_labels, write_metadata, write_settings
from edge.training.figures import multi_label_figures, single_label_figures
from edge.training.gather import gather, unreadable_again
from edge.training.golden import write_golden
from edge.training.int8_head import quantize_head
from edge.training.output_folder import refuse_foreign, written_whole
from edge.training.report import Measured, Report, write_report
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

_RESERVED_S: Final = 15.0
_RESERVED_SHARE: Final = 0.25
"""Of the time that is left after quick training, for what comes after fine-tuning: the conversion
to 8 bits, features once more, tests, and the SavedModel."""

_DESCRIPTION: Final = "Image classifier, uint8, trained by edge on features of EfficientNet-Lite0"


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
        saved_model: also write the SavedModel, if TensorFlow is installed.
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
    notes = tuple(note for one in (task.base, *task.added) for note in one.notes)
    notes += _unlabeled_note(task)
    with tempfile.TemporaryDirectory(prefix="edge-train-") as scratch:
        if task.seconds is not None:
            left = task.seconds - (time.monotonic() - began)
            learned, what_came = _fine_tuned(task, learned, Path(scratch), left, progress)
            notes += what_came
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


def _fine_tuned(
    task: Task, learned: Learned, scratch: Path, left: float, progress: Progress
) -> tuple[Learned, tuple[str, ...]]:
    """What is learned on a fine-tuned backbone, if that does better in validation."""
    from edge.training.best import fine_tuned  # noqa: PLC0415 -- 6 s and 500 MB

    unchanged = (
        "Fine-tuning did not do better in validation; the model is that of quick training.",
    )
    progress.stage("Fine-tuning")
    seconds = max(left - _RESERVED_S - _RESERVED_SHARE * left, left / 4, 1.0)
    backbone = fine_tuned(
        learned.backbone,
        learned.training_set,
        learned.chosen.head,
        learned.reader,
        scratch,
        seconds,
        progress.advance,
    )
    if backbone is None:
        return learned, unchanged
    tuned = _learn_again(task, learned, backbone, scratch, progress)
    before, after = learned.chosen.loss, tuned.chosen.loss
    if before is None or after is None or after >= before:
        return learned, unchanged
    return tuned, ("The last layers of the built-in classifier were fine-tuned.",)


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
        report = Report(
            name=task.out.name,
            training_set=training_set,
            penalty=learned.chosen.penalty,
            measured=measured,
            broken=learned.broken,
            notes=notes + _write_saved_model(task, folder, learned),
        )
        write_report(folder, report)
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
    notes = contradiction_notes(training_set, gathered.digests)
    return replace(training_set, notes=training_set.notes + notes), broken


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


def _write_saved_model(task: Task, folder: Path, learned: Learned) -> tuple[str, ...]:
    """Write `saved_model/0001`; returns a note if it is left out for want of TensorFlow."""
    image = learned.backbone.contract.input
    if not task.saved_model or not isinstance(image, PixelInput):
        return ()
    try:
        # 6 s and 500 MB, which only this needs
        from edge.training.float_network import FloatBackbone  # noqa: PLC0415
        from edge.training.saved_model import write_saved_model  # noqa: PLC0415
    except ModuleNotFoundError:
        return ("TensorFlow is not installed, so there is no SavedModel; edge needs none.",)
    backbone = FloatBackbone(learned.backbone.model.read_bytes(), learned.backbone.model.name)
    target, size = folder / "saved_model" / "0001", (image.height, image.width)
    labels = learned.training_set.labels
    write_saved_model(target, backbone, learned.chosen.head, labels, size)
    return ()


def _measure(task: Task, folder: Path, training_set: TrainingSet, progress: Progress) -> Measured:
    """Thresholds from the validation pictures, and figures from those of the test."""
    trial = Trial(folder, max_pixels=task.max_pixels, workers=task.workers)
    scores, targets, _ = _answers(trial, training_set, Split.VALIDATION, progress)
    if training_set.multi_label:
        of_labels = label_thresholds(scores, targets)
        named = dict(zip(training_set.labels, of_labels, strict=True))
        write_settings(folder, thresholds=named)
        scores, targets, known = _answers(trial, training_set, Split.TEST, progress)
        figures = multi_label_figures(training_set.labels, scores, targets, of_labels)
        return Measured(figures, known, label_thresholds=tuple(of_labels))
    certain = certain_threshold(scores, targets)
    write_settings(folder, certain_threshold=certain)
    scores, targets, known = _answers(trial, training_set, Split.TEST, progress)
    figures = single_label_figures(training_set.labels, scores, targets)
    return Measured(figures, known, certain_threshold=certain)


def _answers(
    trial: Trial, training_set: TrainingSet, split: Split, progress: Progress
) -> tuple[Floats, Floats, float | None]:
    """What the finished file answers, the truth, and the share of pictures like the training.

    Both arrays are float32 [pictures, labels].
    """
    numbers = training_set.indices(split)
    pictures: Sequence[Path] = [training_set.examples[number].image for number in numbers]
    answers = trial.answer_all(pictures, progress.advance)
    kept = [row for row, answer in enumerate(answers) if answer is not None]
    rows = [answer.scores for answer in answers if answer is not None]
    targets = training_set.targets()[numbers[kept]]
    scores = np.stack(rows) if rows else np.zeros_like(targets)
    told = [answer for answer in answers if answer and answer.unlike_training is not None]
    like = sum(1 for answer in told if not answer.unlike_training)
    return scores, targets, like / len(told) if told else None
