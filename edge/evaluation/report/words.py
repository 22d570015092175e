"""Names and numbers of a report, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.counted import counted
from edge.evaluation.classification import wilson_interval
from edge.evaluation.evaluation import learners
from edge.evaluation.truth import UNSTATED
from edge.printable import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edge.evaluation.comparison import Comparison
    from edge.evaluation.evaluation import Evaluation, Mistake
    from edge.evaluation.roc import Roc
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
    "anomalies_found": "Anomalies that are found",
    "false_alarms": "Good parts that are called an anomaly",
    "ap": "AP, IoU .5 to .95",
    "ap50": "AP, IoU .5",
    "ap75": "AP, IoU .75",
    "pictures_right": "Pictures without any error",
}
"""Name of a figure to what it says."""

LESS_IS_BETTER: Final = (FIGURE_WORDS["calibration_error"], FIGURE_WORDS["false_alarms"])

HEADLINES: Final = ("accuracy", "ap50")
"""The figure that a report begins with, the first of these that the task has."""

_MAX_SAID: Final = 3
"""Answers that are named of one picture."""

NOTHING_WORDS: Final = "(nothing)"
_ALARM_RATES: Final = (0.01, 0.02, 0.05, 0.1)
"""Shares of good parts that may be called an anomaly, of which a line may bear one or the other."""

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
    data_set, pictures = evaluation.data_set, counted(evaluation.planned, "picture")
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
        pictures = counted(len(evaluation.failures), "picture")
        found.append(f"{pictures} could not be answered and do not count.")
    return found


def said_words(mistake: Mistake, name: Callable[[str], str] = escape) -> str:
    """What the model says of a picture: ``tulip 98 %``.

    Args:
        name: makes text, or HTML, of a label.
    """
    if not mistake.said:
        return "nothing shown"
    shown = mistake.said[:_MAX_SAID]
    words = [f"{name(item.label)} {item.score * 100:.0f} %" for item in shown]
    if len(mistake.said) > len(shown):
        words.append(f"+{len(mistake.said) - len(shown)}")
    return ", ".join(words)


def confused_pairs(counts: NDArray[np.intp], names: Sequence[str]) -> list[tuple[int, str, str]]:
    """Count, what is there and what was answered, the most frequent first.

    Args:
        counts: intp [rows, columns], what is there by what was answered.
        names: of both.
    """
    rows, columns = counts.nonzero()
    pairs = [
        (int(counts[row, column]), names[row], names[column])
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


def roc_words(roc: Roc) -> list[str]:
    """What the threshold in force makes of the pictures, and why there is no curve; sentences."""
    point = roc.in_force
    at = f"At the threshold in force ({point.threshold:g})"
    if point.anomalies:
        share, sure = _share_words(point.found, point.anomalies)
        found = f"{at}, {share} of the anomalies are found (true positive rate; {sure})."
    else:
        found = "There is no ROC curve: no picture shows an anomaly. How many are found is unknown."
    if point.good:
        share, sure = _share_words(point.alarms, point.good)
        alarms = f"{at}, {share} of the good parts are called one (false positive rate; {sure})."
    else:
        alarms = "There is no ROC curve: no picture shows a good part. False alarms are unknown."
    return [found, alarms]


def roc_rows(roc: Roc) -> list[tuple[str, str, str]]:
    """What share of the anomalies other thresholds find, by the false alarms that they cost.

    A bound on false alarms, share of the anomalies, and threshold; only bounds that the number of
    good parts can tell from none at all.
    """
    if not roc.has_curve:
        return []
    rows: list[tuple[str, str, str]] = []
    for rate in _ALARM_RATES:
        if rate * roc.in_force.good < 1:
            continue
        point = roc.most_found(rate)
        found = "0.0 %" if point is None else percent(point.true_positive_rate)
        threshold = "-" if point is None else f"{point.threshold:g}"
        if not rows or rows[-1][1:] != (found, threshold):
            rows.append((f"at most {rate * 100:g} %", found, threshold))
    return rows


def _share_words(part: int, whole: int) -> tuple[str, str]:
    """The share, and where the true one lies: ``2.5 %``, ``45 of 1,803, so 1.9 % to 3.3 % ...``."""
    low, high = wilson_interval(part, whole)
    sure = f"{part:,} of {whole:,}, so {percent(low)} to {percent(high)} with 95 % confidence"
    return percent(part / whole), sure


def p_words(p: float) -> str:
    """A probability with two digits."""
    return f"{p:.2g}" if p < 1 else "1"
