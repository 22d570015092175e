"""The parts of an evaluation's page: tables, the confusion matrix, plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.evaluation.report.matrix import confusion_matrix
from edge.evaluation.report.plots import (
    calibration_plot,
    recall_plot,
    roc_plot,
    threshold_plot,
)
from edge.evaluation.report.words import (
    LESS_IS_BETTER,
    NOTHING_WORDS,
    general_figures,
    percent,
    roc_rows,
    roc_words,
    threshold_words,
)
from edge.report_page import cell, listing, plain, table, text, titled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.evaluation.evaluation import Evaluation, ThresholdReport

MAX_PLOTS: Final = 24
MAX_LABELS: Final = 200
"""Rows and plots on the page: a model may know a thousand labels. The JSON has all."""


def label_section(evaluation: Evaluation) -> str:
    """A row for each label, the worst first if not all are shown."""
    labels = list(evaluation.judgement.labels)
    words = ""
    if len(labels) > MAX_LABELS:
        labels = sorted(labels, key=lambda one: one.f1 or 0.0)[:MAX_LABELS]
        words = f"<p>The {MAX_LABELS} worst of {len(evaluation.judgement.labels)} labels.</p>"
    rows = [
        [
            titled(one.label),
            f"{one.positives:,}",
            f"{one.answered:,}",
            _bar(one.precision),
            _bar(one.recall),
            percent(one.f1),
            percent(one.average_precision),
        ]
        for one in labels
    ]
    average = '<abbr title="average precision">AP</abbr>'
    head = ("label", "there", "answered", "precision", "recall", "F1", average)
    return words + table("Figures of each label", head, rows)


def confusion_section(evaluation: Evaluation) -> str:
    """The matrix of those labels that occur, or the most frequent pairs of many."""
    judgement = evaluation.judgement
    if judgement.confusion is None:
        return ""
    return confusion_matrix(judgement.confusion, [*judgement.confusion_labels, NOTHING_WORDS])


def curves_section(evaluation: Evaluation, chosen: Mapping[str, float | None]) -> str:
    """Two plots for each label that is there, the lowest average precision first."""
    curves = evaluation.judgement.curves
    precisions = {one.label: one.average_precision for one in evaluation.judgement.labels}
    order = sorted(curves, key=lambda label: precisions.get(label) or 0.0)
    plots = ""
    unscored = [label for label in order if not len(curves[label].thresholds)]
    scored = [label for label in order if len(curves[label].thresholds)]
    for label in scored[:MAX_PLOTS]:
        curve, words = curves[label], plain(label)
        average = percent(precisions.get(label))
        plots += (
            f'<div class="plot"><h3>{text(label)} <small>AP {average}</small></h3><div>'
            f"{recall_plot(curve, words)}{threshold_plot(curve, words, chosen.get(label))}"
            "</div></div>"
        )
    never = f"Never answered: {', '.join(map(text, unscored[:MAX_PLOTS]))}." if unscored else ""
    if not plots:
        return f"<p>{never}</p>" if never else ""
    more = f" The {MAX_PLOTS} lowest of {len(scored)} labels." if len(scored) > MAX_PLOTS else ""
    keys = ["<span><i></i>precision</span>", '<span><i class="second"></i>recall</span>']
    if any(threshold is not None for threshold in chosen.values()):
        keys.append('<span><i class="mark"></i>chosen threshold</span>')
    words = (
        "Left: what precision each recall costs. Right: both over the threshold, above which an "
        f"answer is shown.{more} {never}"
    )
    return f'<p>{words}</p><div class="plots">{plots}</div><p class="key">{"".join(keys)}</p>'


def roc_section(evaluation: Evaluation, other: Evaluation | None) -> str:
    """Anomalies found over false alarms, of a model of good parts and the one next to it."""
    roc = evaluation.judgement.roc
    if roc is None:
        return ""
    body = "".join(f"<p>{plain(sentence)}</p>" for sentence in roc_words(roc))
    if not roc.has_curve:
        return body
    other_roc = None if other is None else other.judgement.roc
    keys = ["<span><i></i>this model</span>", '<span><i class="dot"></i>in force</span>']
    if other_roc is not None:
        keys.insert(1, '<span><i class="second"></i>the other</span>')
    keys.append('<span><i class="ideal"></i>guessing</span>')
    area = f"<h3>ROC curve <small>area {percent(roc.area)}</small></h3>"
    body += (
        f'<div class="plot wide-plot">{area}{roc_plot(roc, other_roc)}'
        f'<p class="key">{"".join(keys)}</p></div>'
    )
    rows = roc_rows(roc)
    if rows:
        body += (
            "<p>What other thresholds would give; <code>score_threshold</code> in model.toml sets "
            f"one.</p>{table('Other thresholds', ('false alarms', 'found', 'threshold'), rows)}"
        )
    return body


def calibration_section(evaluation: Evaluation) -> str:
    """Whether scores mean what they say."""
    bins = evaluation.judgement.calibration
    if not any(one.answers for one in bins):
        return ""
    error = evaluation.judgement.figures.get("calibration_error")
    return (
        "<p>Of answers with a score of 0.9, nine in ten should be right: bars should end at the "
        f"dotted line. They are off by {percent(error)} on average. Pale bars have few answers.</p>"
        f'<div class="plot wide-plot">{calibration_plot(bins)}</div>'
    )


def thresholds_section(report: ThresholdReport) -> str:
    """The threshold of each label, and what changes in `model.toml`."""
    rows = [
        [
            titled(one.label),
            "-" if one.threshold is None else f"{one.threshold:g}",
            cell(plain(threshold_words(one)), "remark"),
        ]
        for one in report.thresholds
    ]
    body = f"<p>For a precision of {percent(report.wanted)}.</p>"
    body += table("Threshold of each label", ("label", "threshold", ""), rows)
    if report.note:
        body += listing("What to do", "\n".join(map(plain, report.note.splitlines())))
    if report.diff:
        body += listing("Changes of model.toml", _colour(report.diff.splitlines()))
    return body


def comparison_table(first: Evaluation, other: Evaluation) -> str:
    """The figures of two models next to each other."""
    others = dict(general_figures(other))
    rows = []
    for words, value in general_figures(first):
        old = others.get(words)
        change = ""
        if value is not None and old is not None and round(value - old, 4):
            is_better = (value > old) != (words in LESS_IS_BETTER)
            kind = "better" if is_better else "worse"
            change = f'<span class="{kind}">{(value - old) * 100:+.1f}</span>'
        rows.append([plain(words), percent(value), percent(old), change])
    return table("Both models", ("", "this", "other", "points"), rows, "figures")


def _bar(share: float | None) -> str:
    if share is None:
        return '-<span class="bar"></span>'
    return f'{percent(share)}<span class="bar"><i style="width:{share * 100:.1f}%"></i></span>'


def _colour(lines: Sequence[str]) -> str:
    coloured = []
    for line in lines:
        words = plain(line)
        is_header = line.startswith(("--- ", "+++ "))
        kind = None if is_header else {"+": "plus", "-": "minus"}.get(line[:1])
        coloured.append(f'<span class="{kind}">{words}</span>' if kind else words)
    return "\n".join(coloured)
