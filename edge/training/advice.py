"""What to do after a training, by what the test pictures say. Pure."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import TYPE_CHECKING, Final

from edge.datasets.advice import WANTED_PICTURES
from edge.datasets.dataset import Split
from edge.evaluation.report.words import confused_pairs

if TYPE_CHECKING:
    from edge.training.figures import Figures
    from edge.training.training_set import TrainingSet

_MAX_NAMED: Final = 3
"""Labels, or pairs of them, that a sentence names."""

_GOOD_RECALL: Final = 0.9
_MANY_UNLIKE: Final = 0.1
"""Validation aims at 5 %: twice as many are no chance of a few pictures."""

_FEW: Final = 100
"""Pictures of a label from which on more of them help less than better ones."""


def next_steps(training_set: TrainingSet, figures: Figures, unlike: int | None) -> list[str]:
    """Sentences, what helps most first.

    Args:
        figures: of the test pictures.
        unlike: number of these that are taken for unlike the training; ``None`` if the model cannot
            say.
    """
    steps = []
    confused = _confused(training_set, figures)
    if confused:
        steps.append(
            f"Most often confused: {confused}. Look at these labels first: are there wrong ones "
            "among the pictures, or pictures that nobody could tell apart?"
        )
    weak = [one for one in figures.labels if one.recall is not None and one.recall < _GOOD_RECALL]
    weak.sort(key=lambda one: (one.recall, one.pictures))
    if weak:
        named = ", ".join(
            f"{one.label} (found {one.recall:.0%} of {one.pictures})" for one in weak[:_MAX_NAMED]
        )
        steps.append(f"Collect more pictures of what is found least: {named}.".replace("%", " %"))
    rare = _rarest(training_set)
    if rare:
        steps.append(
            f"Fewest pictures: {rare}. About {WANTED_PICTURES:,} of each label serve a model best."
        )
    if unlike is not None and figures.pictures and unlike > _MANY_UNLIKE * figures.pictures:
        steps.append(
            "Many test pictures are taken for unlike all training: it has too few pictures, or "
            "others than the camera takes. Add some that the camera took."
        )
    if not steps:
        steps.append("Nothing stands out. Try it on pictures that the set does not have.")
    return steps


def commands(name: str) -> list[str]:
    """Lines for a shell in the folder that holds the model, with what they are for."""
    model = shlex.quote(name)
    return [
        f"edge serve --models {model}",
        f"edge evaluate {model} SET --html evaluation.html    # precision, calibration, thresholds",
        "edge data inspect SET --html set.html    # wrong labels, duplicates, what to collect",
        f"edge train SET --add MORE --out {shlex.quote(name + '-2')}    # with more pictures",
        f"edge evaluate {shlex.quote(name + '-2')} SET --against {model}    # which is better?",
    ]


def _confused(training_set: TrainingSet, figures: Figures) -> str:
    if figures.confusion is None:
        return ""
    pairs = confused_pairs(figures.confusion, training_set.labels)
    return ", ".join(
        f"{true} taken for {answered} ({count}x)" for count, true, answered in pairs[:_MAX_NAMED]
    )


def _rarest(training_set: TrainingSet) -> str:
    total: Counter[str] = Counter()
    for split in Split:
        total += training_set.counts(split)
    rare = sorted((total[label], label) for label in training_set.labels if total[label] < _FEW)
    return ", ".join(f"{label} ({count})" for count, label in rare[:_MAX_NAMED])
