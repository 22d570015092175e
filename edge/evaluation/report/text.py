"""An evaluation as lines of text, for a terminal and for a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, set_cell_size

from edge.evaluation.report.words import (
    NOTHING_WORDS,
    comparison_words,
    confused_pairs,
    general_figures,
    interval_words,
    model_words,
    notes,
    percent,
    roc_rows,
    roc_words,
    said_words,
    set_words,
    threshold_words,
)
from edge.printable import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge.evaluation.comparison import Comparison
    from edge.evaluation.evaluation import Evaluation, Report, ThresholdReport
    from edge.evaluation.roc import Roc

MAX_PAIRS: Final = 10
MAX_MISTAKES: Final = 10
MAX_CHANGES: Final = 20
MAX_FAILURES: Final = 5
"""Lines of each kind; the JSON has all of them."""


def text_lines(report: Report) -> list[str]:
    """The whole report; what comes from outside is escaped."""
    lines = _evaluation_lines(report.evaluation)
    if report.other is not None and report.comparison is not None:
        lines += ["", *_comparison_lines(report.evaluation, report.other, report.comparison)]
    if report.thresholds is not None:
        lines += ["", *_threshold_lines(report.thresholds)]
    if report.verdicts:
        lines.append("")
    for verdict in report.verdicts:
        word = "passed" if verdict.passed else "FAILED"
        name = escape(verdict.demand.name)
        wanted = percent(verdict.demand.least)
        lines.append(f"{word}: {name} is {percent(verdict.value)}, wanted {wanted}")
    return lines


def _evaluation_lines(evaluation: Evaluation) -> list[str]:
    judgement = evaluation.judgement
    rate = evaluation.done / evaluation.seconds if evaluation.seconds else 0.0
    lines = [
        model_words(evaluation),
        f"on {set_words(evaluation)}",
        f"counting {judgement.threshold_words}; {evaluation.seconds:.1f} s, {rate:.0f} pictures/s",
        *(f"note: {note}" for note in notes(evaluation)),
        "",
        *_table([(words, percent(value)) for words, value in general_figures(evaluation)]),
    ]
    if sure := interval_words(evaluation):
        lines.append(sure)
    lines += ["", *_label_lines(evaluation)]
    if judgement.roc is not None:
        lines += ["", *_roc_lines(judgement.roc)]
    pairs = []
    if judgement.confusion is not None:
        names = [*judgement.confusion_labels, NOTHING_WORDS]
        pairs = confused_pairs(judgement.confusion, names)
    if pairs:
        lines += ["", "Taken for another, most often first:"]
        shown = [
            (f"{count} x", escape(true), f"as {escape(answered)}")
            for count, true, answered in pairs[:MAX_PAIRS]
        ]
        lines += _table(shown, right_from=9)
    if judgement.mistakes:
        lines += ["", "The worst pictures:"]
        lines += [
            f"  {escape(str(one.example.image))}: {said_words(one)}; {escape(one.why)}"
            for one in judgement.mistakes[:MAX_MISTAKES]
        ]
    if evaluation.failures:
        lines += ["", "Not answered:"]
        lines += [
            f"  {escape(str(one.example.image))}: {escape(one.message)}"
            for one in evaluation.failures[:MAX_FAILURES]
        ]
        rest = len(evaluation.failures) - MAX_FAILURES
        if rest > 0:
            lines.append(f"  ... and {rest:,} more")
    return lines


def _label_lines(evaluation: Evaluation) -> list[str]:
    header = ("label", "there", "answered", "precision", "recall", "F1", "AP")
    rows = [
        (
            escape(one.label),
            str(one.positives),
            str(one.answered),
            percent(one.precision),
            percent(one.recall),
            percent(one.f1),
            percent(one.average_precision),
        )
        for one in evaluation.judgement.labels
    ]
    return _table([header, *rows])


def _roc_lines(roc: Roc) -> list[str]:
    lines = roc_words(roc)
    rows = roc_rows(roc)
    if rows:
        lines += _table([("false alarms", "found", "threshold"), *rows])
    return lines


def _comparison_lines(first: Evaluation, other: Evaluation, found: Comparison) -> list[str]:
    others = other.judgement.figures
    lines = [f"Against {model_words(other)}, {found.pictures:,} pictures:"]
    rows = [
        (words, percent(value), percent(old))
        for (words, value), (_, old) in zip(
            general_figures(first), general_figures(other), strict=False
        )
        if others
    ]
    if rows:
        lines += _table([("", "this model", "the other"), *rows])
    lines.append(comparison_words(found))
    for title, numbers in (("only this right", found.gained), ("only the other right", found.lost)):
        for number in numbers[:MAX_CHANGES]:
            lines.append(f"  {title}: {escape(str(first.selected.examples[number].image))}")
        if len(numbers) > MAX_CHANGES:
            lines.append(f"  {title}: {len(numbers) - MAX_CHANGES:,} more")
    return lines


def _threshold_lines(report: ThresholdReport) -> list[str]:
    lines = [f"Thresholds for a precision of {percent(report.wanted)}:"]
    lines += _table(
        [
            (
                escape(one.label),
                "-" if one.threshold is None else f"{one.threshold:g}",
                threshold_words(one),
            )
            for one in report.thresholds
        ],
        right_from=9,
    )
    if report.diff:
        lines += ["", *(escape(line) for line in report.diff.splitlines())]
    if report.note:
        lines += ["", *(escape(line) for line in report.note.splitlines())]
    return lines


def _table(rows: Sequence[Iterable[str]], right_from: int = 1) -> list[str]:
    """Lines of columns, two blanks apart and indented; from one column on set to the right."""
    cells = [list(row) for row in rows]
    if not cells:
        return []
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        fields = []
        for number, (cell, width) in enumerate(zip(row, widths, strict=True)):
            blanks = " " * (width - cell_len(cell))
            is_right = number >= right_from
            fields.append(blanks + cell if is_right else set_cell_size(cell, width))
        lines.append(("  " + "  ".join(fields)).rstrip())
    return lines
