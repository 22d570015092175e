"""Writes a few pictures and the answers to them, by which a copy of the model can be checked."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Final

from edge.datasets.dataset import Split
from edge.datasets.picture_file import read_picture
from edge.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from edge.datasets.dataset import Example
    from edge.training.training_set import TrainingSet
    from edge.training.trial import Trial

FOLDER: Final = "golden"
ANSWERS: Final = "answers.json"
_PER_LABEL: Final = 2
_MAX_PICTURES: Final = 12
_MAX_BYTES: Final = 4 << 20  # of one picture: an export is copied and kept for years
_PREFERRED: Final = (Split.TEST, Split.VALIDATION, Split.TRAINING)


def write_golden(folder: Path, training_set: TrainingSet, trial: Trial) -> None:
    """Write `golden/`: up to two pictures of each label, and `answers.json`.

    An answer is what serving gives, so that the same file on another machine gives the same, up to
    a hundredth of a score, which kernels of another processor may differ by.
    """
    target = folder / FOLDER
    target.mkdir()
    copies: list[tuple[str, Example]] = []
    for example in _choose(training_set):
        name = f"{len(copies) + 1:02}{example.image.suffix.lower()}"
        try:
            content = read_picture(example.image)
        except InputError:  # gone since its features were read
            continue
        if len(content) <= _MAX_BYTES:
            (target / name).write_bytes(content)
            copies.append((name, example))
    answers = trial.answer_all([target / name for name, _ in copies], lambda *_: None)
    described = []
    for (name, example), answer in zip(copies, answers, strict=True):
        if answer is not None:
            described.append(
                {
                    "file": name,
                    "labels": list(example.labels),
                    "predictions": [item.as_json() for item in answer.items],
                    "certain": answer.certain,
                    "unlike_training": answer.unlike_training,
                }
            )
    text = json.dumps({"pictures": described}, indent=2, ensure_ascii=False)
    (target / ANSWERS).write_text(f"{text}\n", "utf-8")


def _choose(training_set: TrainingSet) -> list[Example]:
    """Test pictures before others, so that what was not trained is checked."""
    chosen: list[Example] = []
    counts: Counter[tuple[str, ...]] = Counter()
    for split in _PREFERRED:
        for number in training_set.indices(split).tolist():
            example = training_set.examples[number]
            if len(chosen) < _MAX_PICTURES and counts[example.labels] < _PER_LABEL:
                counts[example.labels] += 1
                chosen.append(example)
    return chosen
