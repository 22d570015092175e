"""Names and numbers of a report, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.evaluation.classification import wilson_interval
from edge.evaluation.evaluation import learners
from edge.evaluation.truth import UNSTATED
from edge.printable import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.evaluation.comparison import Comparison
    from edge.evaluation.evaluation import Evaluation, Mistake
    from edge.evaluation.thresholds import LabelThreshold

FIGURE_WORDS: Final[Mapping[str, str]] = {
    "accuracy": "Right answers",
    "accuracy_known": "Right, of labels that the model knows",
    "balanced_accuracy": "Recall, mean over labels",
    "accuracy_top_5": "Right label among the best 5",
    "answered": "Pictures with an answer",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "macro_precision": "Precision, mean over labels",
    "macro_f1": "F1, mean over labels",
    "mean_average_precision": "Average precision, mean over labels",
    "calibration_error": "Scores are off by, on average",
    "certain": "Answers marked certain",
    "accuracy_certain": "Right, of those marked certain",
    "area_under_roc": "Anomalies that score higher than good parts (area under ROC)",
    "false_alarms": "Good parts that are called an anomaly",
    "ap": "AP, IoU .5 to .95",
    "ap50": "AP, IoU .5",
    "ap75": "AP, IoU .75",
    "pictures_right": "Pictures without any error",
}
"""Name of a figure to what it says."""

HEADLINES: Final = ("accuracy", "ap50")
"""The figure that a report begins with, the first of these that the task has."""

NOTHING_WORDS: Final = "(nothing)"
_P_CLEAR: Final = 0.05


def percent(share: float | None) -> str:
    """Write a share of 0..1 as ``96.3 %``; a dash if it is not known."""
    return "-" if share is None else f"{share * 100:.1f} %"


def general_figures(evaluation: Evaluation) -> list[tuple[str, float | None]]:
    """The figures that are not of a single label, by their words."""
    figures = evaluation.judgement.figures
    return [(words, figures[name]) for name, words in FIGURE_WORDS.items() if name in figures]


def headline(evaluation: Evaluation) -> tuple[str, float | None]:
    """The figure to begin with, by its words."""
    figures = evaluation.judgement.figures
    name = next(name for name in HEADLINES if name in figures)
    return FIGURE_WORDS[name], figures[name]


def interval_words(evaluation: Evaluation) -> str:
    """How sure the share of right answers is; empty for a detector or without pictures."""
    right = list(evaluation.judgement.right.values())
    if "accuracy" not in evaluation.judgement.figures or not right:
        return ""
    low, high = wilson_interval(sum(right), len(right))
    return (
        f"{sum(right)} of {len(right)}; from so many pictures the true share is known to be "
        f"{percent(low)} to {percent(high)}, with 95 % confidence"
    )


def model_words(evaluation: Evaluation) -> str:
    """Name and family of the model."""
    model = evaluation.model
    return f"{escape(model['name'])} ({escape(model['family'])})"


def set_words(evaluation: Evaluation) -> str:
    """Which pictures of which set."""
    data_set, count = evaluation.data_set, evaluation.planned
    pictures = "1 picture" if count == 1 else f"{count:,} pictures"
    path = escape(str(data_set["path"]))
    return f"{path} ({data_set['layout']}): {pictures}, {evaluation.selected.split}"


def notes(evaluation: Evaluation) -> list[str]:
    """What a reader must know, each a sentence."""
    found = list(evaluation.selected.notes)
    if evaluation.done < evaluation.planned:
        found.insert(
            0,
            f"Stopped after {evaluation.done:,} of {evaluation.planned:,} pictures, "
            "a random sample of them.",
        )
    if evaluation.learnt:
        count = evaluation.learnt
        are = "1 picture is" if count == 1 else f"{count:,} pictures are"
        who = learners(compared=evaluation.compared)
        found.insert(0, f"{are} left out: {who} has learnt from them.")
    elif evaluation.selected.split == UNSTATED:
        found.insert(0, "If the model has learnt from some of these pictures, it looks too good.")
    if evaluation.failures:
        count = len(evaluation.failures)
        were = "1 picture" if count == 1 else f"{count:,} pictures"
        found.append(f"{were} could not be answered and do not count.")
    return found


def said_words(mistake: Mistake) -> str:
    """What the model says of a picture: ``tulip 98 %``."""
    if not mistake.said:
        return "nothing shown"
    words = [f"{escape(item.label)} {item.score * 100:.0f} %" for item in mistake.said[:3]]
    if len(mistake.said) > len(words):
        words.append(f"+{len(mistake.said) - len(words)}")
    return ", ".join(words)


def confused_pairs(evaluation: Evaluation) -> list[tuple[int, str, str]]:
    """Count, what is there and what was answered, the most frequent first."""
    judgement = evaluation.judgement
    if judgement.confusion is None:
        return []
    names = [*judgement.confusion_labels, NOTHING_WORDS]
    rows, columns = judgement.confusion.nonzero()
    pairs = [
        (int(judgement.confusion[row, column]), names[row], names[column])
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if row != column
    ]
    return sorted(pairs, key=lambda pair: -pair[0])


def threshold_words(one: LabelThreshold) -> str:
    """What is known of a label at its threshold."""
    if one.precision is None:
        return "never scored"
    found = f"{percent(one.precision)} of {one.shown} right, recall {percent(one.recall)}"
    if one.threshold is None:
        return f"not reached; at best {found}"
    thin = "; too few to be sure of it" if one.is_thin else ""
    return f"{found}{thin}"


def comparison_words(comparison: Comparison) -> str:
    """Who is better, and whether that could be chance."""
    gained, lost = len(comparison.gained), len(comparison.lost)
    changes = f"{gained} pictures right that the other has wrong, {lost} the other way round"
    if comparison.p < _P_CLEAR:
        side = "better" if gained > lost else "worse"
        verdict = f"This model is {side}: that is hardly chance"
    elif gained == lost:
        verdict = "Neither model is better"
    else:
        verdict = "That can be chance: too few pictures change sides to tell"
    return f"{changes}. {verdict} (McNemar's exact p = {p_words(comparison.p)})."


def p_words(p: float) -> str:
    """A probability with two digits."""
    return f"{p:.2g}" if p < 1 else "1"
