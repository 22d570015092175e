"""Writes what was learnt as an export in the layout of AutoML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from edge.datasets.dataset import Split
from edge.datasets.learnt import write_learnt
from edge.export.distribution_buffer import BUFFER_NAME, encode_distribution
from edge.export.tflite_metadata import METADATA_BUFFER
from edge.model.contract import PixelInput
from edge.training.distribution_fit import fit_distribution
from edge.training.embedded_labels import append_labels, metadata_buffer
from edge.training.export_files import MODEL_FILE, write_labels, write_metadata, write_settings
from edge.training.float_layers import read_float_layers
from edge.training.golden import write_golden
from edge.training.int8_head import quantize_head
from edge.training.measure import measure
from edge.training.output_folder import written_whole
from edge.training.report import Report, write_report
from edge.training.saved_model import write_saved_model
from edge.training.tflite_file import ClassifierFile
from edge.training.trial import Trial

if TYPE_CHECKING:
    from pathlib import Path

    from edge.model.training_distribution import TrainingDistribution
    from edge.training.learn import Learned
    from edge.training.task import Progress, Task


_DESCRIPTION: Final = "Image classifier, uint8, trained by edge on features of EfficientNet-Lite0"


def write_export(
    task: Task, learned: Learned, notes: tuple[str, ...], progress: Progress
) -> Report:
    """Write the folder that the task names, measure the file in it, and report.

    Args:
        notes: what its owner should know.

    Raises:
        OutputError: it cannot be written, or something else is there.
    """
    training_set, image = learned.training_set, learned.backbone.contract.input
    assert isinstance(image, PixelInput)
    with written_whole(task.out) as folder:
        _write_model(folder, learned)
        write_labels(folder, training_set.labels)
        write_metadata(folder, image, learned.backbone.contract.outputs["scores"].name)
        write_settings(folder)
        write_learnt(folder, zip(learned.digests, training_set.splits, strict=True))
        progress.stage("Testing the finished file")
        measured = measure(task, folder, training_set, progress)
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


def _distribution(learned: Learned) -> TrainingDistribution | None:
    """Of the training and the validation pictures; those of the test show whether it holds."""
    training_set = learned.training_set
    known = np.array([split is not Split.TEST for split in training_set.splits])
    labels = training_set.targets().argmax(axis=1)[known]
    if training_set.multi_label:
        labels = np.zeros_like(labels)
    return fit_distribution(learned.table.subset(np.flatnonzero(known)), labels)


def _write_saved_model(folder: Path, learned: Learned, size: tuple[int, int]) -> None:
    """Write `saved_model/0001`, with the weights in float."""
    model, head = learned.backbone.model, learned.chosen.head
    layers = read_float_layers(model.read_bytes(), model.name)
    target = folder / "saved_model" / "0001"
    write_saved_model(target, layers, head, learned.training_set.labels, size)
