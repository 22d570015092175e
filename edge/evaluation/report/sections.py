"""The parts of an evaluation's page: tables, the confusion matrix, plots."""

from __future__ import annotations

from html import escape as escape_html
from typing import TYPE_CHECKING, Final

from edge.evaluation.report.plots import (
    calibration_plot,
    recall_plot,
    roc_plot,
    threshold_plot,
)
from edge.evaluation.report.words import (
    NOTHING_WORDS,
    confused_pairs,
    general_figures,
    percent,
    roc_rows,
    roc_words,
    threshold_words,
)
from edge.printable import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.evaluation.evaluation import Evaluation, ThresholdReport

MAX_MATRIX: Final = 26
"""Labels of a confusion matrix; above that the most frequent pairs are listed instead."""

MAX_PAIRS: Final = 40
MAX_PLOTS: Final = 24
MAX_LABELS: Final = 200
"""Rows, pairs and plots on the page: a model may know a thousand labels. The JSON has all."""


def label_section(evaluation: Evaluation) -> str:
    """A row for each label, the worst first if not all are shown."""
    labels = list(evaluation.judgement.labels)
    words = ""
    if len(labels) > MAX_LABELS:
        labels = sorted(labels, key=lambda one: one.f1 or 0.0)[:MAX_LABELS]
        words = f"<p>The {MAX_LABELS} worst of {len(evaluation.judgement.labels)} labels.</p>"
    rows = "".join(
        f"<tr><th>{_text(one.label)}</th><td>{one.positives}</td><td>{one.answered}</td>"
        f"<td>{_bar(one.precision)}</td><td>{_bar(one.recall)}</td><td>{percent(one.f1)}</td>"
        f"<td>{percent(one.average_precision)}</td></tr>"
        for one in labels
    )
    return (
        f'{words}<div class="scroll"><table><thead><tr><th>label</th><th>there</th>'
        "<th>answered</th><th>precision</th><th>recall</th><th>F1</th>"
        f'<th title="average precision">AP</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def confusion_section(evaluation: Evaluation) -> str:
    """The matrix of those labels that occur, or the most frequent pairs of many."""
    confusion = evaluation.judgement.confusion
    if confusion is None:
        return ""
    names = [*evaluation.judgement.confusion_labels, NOTHING_WORDS]
    height = confusion.shape[0]
    rows = [row for row in range(height) if confusion[row].any()]
    columns = [
        column
        for column in range(len(names))
        if confusion[:, column].any() or (column in rows and column < len(names) - 1)
    ]
    if max(len(rows), len(columns)) > MAX_MATRIX:
        return _pairs(evaluation)
    head = "".join(f'<th title="{_text(names[c])}">{_text(names[c])}</th>' for c in columns)
    body = ""
    for row in rows:
        total = int(confusion[row].sum())
        cells = "".join(
            _cell(int(confusion[row, column]), total, is_own=row == column) for column in columns
        )
        body += f'<tr><th title="{_text(names[row])}">{_text(names[row])}</th>{cells}</tr>'
    return (
        "<p>Rows: what is there. Columns: what the model answered.</p>"
        '<div class="scroll"><table class="matrix"><thead><tr><th></th>'
        f"{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(count: int, total: int, *, is_own: bool) -> str:
    if not count:
        return "<td>·</td>"
    kind = "own" if is_own else "other"
    return f'<td class="some {kind}" style="--share:{count / total:.3f}">{count}</td>'


def _pairs(evaluation: Evaluation) -> str:
    pairs = confused_pairs(evaluation)
    rows = "".join(
        f"<tr><th>{_text(true)}</th><th>{_text(answered)}</th><td>{count}</td></tr>"
        for count, true, answered in pairs[:MAX_PAIRS]
    )
    more = (
        f" The {MAX_PAIRS} most frequent of {len(pairs)} pairs." if len(pairs) > MAX_PAIRS else ""
    )
    return (
        f"<p>What was taken for another, most often first.{more}</p>"
        '<div class="scroll"><table><thead><tr><th>there</th><th>answered</th><th>times</th></tr>'
        f"</thead><tbody>{rows}</tbody></table></div>"
    )


def curves_section(evaluation: Evaluation, chosen: Mapping[str, float | None]) -> str:
    """Two plots for each label that is there, the lowest average precision first."""
    curves = evaluation.judgement.curves
    precisions = {one.label: one.average_precision for one in evaluation.judgement.labels}
    order = sorted(curves, key=lambda label: precisions.get(label) or 0.0)
    plots = ""
    for label in order[:MAX_PLOTS]:
        curve, words = curves[label], _text(label)
        average = percent(precisions.get(label))
        plots += (
            f'<div class="plot"><h3>{words} <small>AP {average}</small></h3><div>'
            f"{recall_plot(curve, words)}{threshold_plot(curve, words, chosen.get(label))}"
            "</div></div>"
        )
    if not plots:
        return ""
    more = f" The {MAX_PLOTS} lowest of {len(order)} labels." if len(order) > MAX_PLOTS else ""
    key = (
        '<p class="key"><span><i></i>precision</span><span><i class="second"></i>recall</span></p>'
    )
    words = (
        "Left: what precision each recall costs. Right: both over the threshold, above which an "
        f"answer is shown.{more}"
    )
    return f'<p>{words}</p><div class="plots">{plots}</div>{key}'


def roc_section(evaluation: Evaluation, other: Evaluation | None) -> str:
    """Anomalies found over false alarms, of a model of good parts and the one next to it."""
    roc = evaluation.judgement.roc
    if roc is None:
        return ""
    body = "".join(f"<p>{escape_html(sentence)}</p>" for sentence in roc_words(roc))
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
    rows = "".join(
        f'<tr><th scope="row">{bound}</th><td>{found}</td><td>{threshold}</td></tr>'
        for bound, found, threshold in roc_rows(roc)
    )
    if rows:
        body += (
            "<p>What other thresholds would give; <code>score_threshold</code> in model.toml sets "
            'one.</p><div class="scroll"><table><thead><tr><th>false alarms</th><th>found</th>'
            f"<th>threshold</th></tr></thead><tbody>{rows}</tbody></table></div>"
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
    rows = "".join(
        f"<tr><th>{_text(one.label)}</th>"
        f"<td>{'-' if one.threshold is None else f'{one.threshold:g}'}</td>"
        f'<td class="remark">{escape_html(threshold_words(one))}</td></tr>'
        for one in report.thresholds
    )
    body = (
        f"<p>For a precision of {percent(report.wanted)}.</p>"
        '<div class="scroll"><table><thead><tr><th>label</th><th>threshold</th><th></th></tr>'
        f"</thead><tbody>{rows}</tbody></table></div>"
    )
    if report.note:
        body += f"<pre>{escape_html(_lines(report.note))}</pre>"
    if report.diff:
        body += f"<pre>{_colour(report.diff.splitlines())}</pre>"
    return body


def comparison_table(first: Evaluation, other: Evaluation) -> str:
    """The figures of two models next to each other."""
    others = dict(general_figures(other))
    rows = ""
    for words, value in general_figures(first):
        old = others.get(words)
        change = ""
        if value is not None and old is not None and round(value - old, 4):
            is_better = (value > old) != words.startswith("Scores are off")
            kind = "better" if is_better else "worse"
            change = f'<span class="{kind}">{(value - old) * 100:+.1f}</span>'
        rows += (
            f"<tr><th>{escape_html(words)}</th><td>{percent(value)}</td><td>{percent(old)}</td>"
            f"<td>{change}</td></tr>"
        )
    return (
        '<div class="scroll"><table><thead><tr><th></th><th>this</th><th>other</th>'
        f"<th>points</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _bar(share: float | None) -> str:
    if share is None:
        return '-<span class="bar"></span>'
    return f'{percent(share)}<span class="bar"><i style="width:{share * 100:.1f}%"></i></span>'


def _colour(lines: Sequence[str]) -> str:
    coloured = []
    for line in lines:
        words = escape_html(escape(line))
        is_header = line.startswith(("--- ", "+++ "))
        kind = None if is_header else {"+": "plus", "-": "minus"}.get(line[:1])
        coloured.append(f'<span class="{kind}">{words}</span>' if kind else words)
    return "\n".join(coloured)


def _lines(text: str) -> str:
    return "\n".join(escape(line) for line in text.splitlines())


def _text(label: str) -> str:
    return escape_html(escape(label))
