"""Measures the finished file: thresholds by validation, and figures by the test pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.datasets.dataset import Split
from edge.evaluation.classification import Scored
from edge.evaluation.mistakes import worst_mistakes
from edge.training.export_files import write_settings
from edge.training.figures import multi_label_figures, single_label_figures
from edge.training.report import Measured
from edge.training.thresholds import certain_threshold, label_thresholds
from edge.training.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.datasets.dataset import Example
    from edge.training.task import Progress, Task
    from edge.training.training_set import TrainingSet

    Floats = NDArray[np.float32]


def measure(task: Task, folder: Path, training_set: TrainingSet, progress: Progress) -> Measured:
    """Choose thresholds by the validation pictures, and judge by those of the test.

    Args:
        folder: of the export; the thresholds are written to its settings.
    """
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
