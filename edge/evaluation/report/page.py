"""An evaluation as one page that works from disk: no script, and nothing from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.evaluation.report.pictures import card, mistake_cards
from edge.evaluation.report.sections import (
    calibration_section,
    comparison_table,
    confusion_section,
    curves_section,
    label_section,
    roc_section,
    thresholds_section,
)
from edge.evaluation.report.words import (
    comparison_words,
    general_figures,
    headline,
    interval_words,
    model_words,
    notes,
    percent,
    set_words,
)
from edge.report_page import Section, lead, plain, text, tiles, whole_page
from edge.report_page import notes as note_box

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.evaluation.evaluation import Mistake, Report

MAX_MISTAKES: Final = 24
MAX_CHANGES: Final = 12
"""Pictures on the page, of the worst and of each side that changes: less than 1 MB in all."""

COMMAND: Final = "evaluate"


def make_page(report: Report, file: Path, max_pixels: int) -> str:
    """Make the page.

    Args:
        file: where it will be, for the links to pictures.
        max_pixels: of the largest picture that is shown.
    """
    evaluation = report.evaluation
    chosen = (
        {one.label: one.threshold for one in report.thresholds.thresholds}
        if (report.thresholds)
        else {}
    )
    sections = [
        Section("Labels", label_section(evaluation)),
        Section("Anomalies and false alarms", roc_section(evaluation, report.other)),
        Section("Confusion", confusion_section(evaluation)),
        Section("Against", _comparison(report, file, max_pixels)),
        Section("Thresholds", thresholds_section(report.thresholds) if report.thresholds else ""),
        Section("Precision and recall", curves_section(evaluation, chosen)),
        Section("Calibration", calibration_section(evaluation)),
        Section("Worst pictures", _mistakes(evaluation.judgement.mistakes, file, max_pixels)),
    ]
    return whole_page(COMMAND, model_words(evaluation), _header(report), sections)


def _header(report: Report) -> str:
    evaluation = report.evaluation
    words, value = headline(evaluation)
    sure = interval_words(evaluation)
    figures = [
        (name, percent(number)) for name, number in general_figures(evaluation) if name != words
    ]
    return (
        f"<h1>{plain(model_words(evaluation))}</h1><p>{plain(set_words(evaluation))}</p>"
        f"<p>Counting {plain(evaluation.judgement.threshold_words)}.</p>"
        f"{lead(percent(value), f'{words}. {sure}.' if sure else words)}"
        f"{note_box(notes(evaluation))}{_demands(report)}{tiles(figures)}"
    )


def _demands(report: Report) -> str:
    items = ""
    for verdict in report.verdicts:
        kind, word = ("passed", "reached") if verdict.passed else ("missed", "missed")
        name = text(verdict.demand.name)
        least = percent(verdict.demand.least)
        items += f'<li class="{kind}">{name} {percent(verdict.value)}: {word}, wanted {least}</li>'
    return f'<ul class="demands">{items}</ul>' if items else ""


def _mistakes(mistakes: Sequence[Mistake], file: Path, max_pixels: int) -> str:
    if not mistakes:
        return "<p>None: every answer is right.</p>"
    shown = mistakes[:MAX_MISTAKES]
    has_boxes = any(one.example.boxes is not None for one in shown)
    boxes = "Dashed: what is there. Coloured: what was found. " if has_boxes else ""
    words = f"The surest of the wrong answers first. {boxes}Look for wrong labels among them, too."
    if has_boxes:
        words = f"Most errors first. {boxes}Look for wrong labels among them, too."
    return f"<p>{words}</p>{mistake_cards(shown, file, max_pixels)}"


def _comparison(report: Report, file: Path, max_pixels: int) -> str:
    if report.other is None or report.comparison is None:
        return ""
    other = model_words(report.other)
    words = f"The other model is {other}. {comparison_words(report.comparison)}"
    body = f"<p>{plain(words)}</p>"
    body += comparison_table(report.evaluation, report.other)
    examples = report.evaluation.selected.examples
    for title, numbers in (
        ("Only this model is right", report.comparison.gained),
        ("Only the other is right", report.comparison.lost),
    ):
        if not numbers:
            continue
        cards = ""
        for number in numbers[:MAX_CHANGES]:
            example = examples[number]
            words = ", ".join(text(label) for label in example.labels) or "nothing"
            cards += card(example, (), words, "", file, max_pixels)
        body += f'<h3>{title}: {len(numbers):,}</h3><div class="cards">{cards}</div>'
    return body
