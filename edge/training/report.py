"""The page that goes with a trained model: what it learned from, and how well it does."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from edge.datasets.dataset import Split
from edge.training.output_folder import MARK
from edge.training.report_style import PAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edge.training.figures import Figures
    from edge.training.training_set import TrainingSet

_MAX_MATRIX: Final = 30  # labels of a confusion matrix that one can still read
_MAX_BROKEN: Final = 50


@dataclass(frozen=True, slots=True)
class Measured:
    """What the finished file answered.

    Attributes:
        figures: on the test pictures.
        known: share of them that are not taken for unlike the training; ``None`` if the model
            cannot say.
        certain_threshold: from which on an answer is certain; ``None`` for a multi-label model.
        label_thresholds: of each label of a multi-label model.
    """

    figures: Figures
    known: float | None
    certain_threshold: float | None = None
    label_thresholds: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a training did.

    Attributes:
        penalty: that validation chose.
        broken: pictures that cannot be read, and why.
        notes: what its owner should know besides the notes of the set.
    """

    name: str
    training_set: TrainingSet
    penalty: float
    measured: Measured
    broken: tuple[tuple[Path, str], ...]
    notes: tuple[str, ...] = ()

    @property
    def all_notes(self) -> tuple[str, ...]:
        """Notes of the set, of the pictures and of the training."""
        notes = [*self.training_set.notes, *self.notes]
        if self.broken:
            count = len(self.broken)
            pictures = "1 picture" if count == 1 else f"{count:,} pictures"
            notes.append(f"{pictures} cannot be read and were left out.")
        return tuple(notes)


def percent(share: float | None) -> str:
    """A share as people read it: ``97.5 %``."""
    return "not measured" if share is None else f"{share:.1%}".replace("%", " %")


def write_report(folder: Path, report: Report) -> None:
    """Write `report.html`: one file, without scripts, which works from disk."""
    body = "\n".join(_sections(report))
    page = PAGE.format(title=escape(report.name), body=body)
    (folder / MARK).write_text(page, "utf-8")


def _sections(report: Report) -> Iterator[str]:
    figures, training_set = report.measured.figures, report.training_set
    yield f"<h1>{escape(report.name)}</h1>"
    what = "all labels right" if training_set.multi_label else "right"
    yield (
        f'<p class="figure"><b>{percent(figures.accuracy)}</b> {what} on {figures.pictures:,} test '
        "pictures that it was not trained on, answered by the finished 8-bit file.</p>"
    )
    for note in report.all_notes:
        yield f'<p class="note">{escape(note)}</p>'
    yield _labels_table(report)
    if figures.confusion is not None and len(training_set.labels) <= _MAX_MATRIX:
        yield _matrix(training_set.labels, figures.confusion)
    yield "<h2>How it was made</h2>"
    yield _facts(report)
    if report.broken:
        yield "<h2>Pictures left out</h2>"
        shown = [f"{file}: {reason}" for file, reason in report.broken[:_MAX_BROKEN]]
        if len(report.broken) > _MAX_BROKEN:
            shown.append(f"... and {len(report.broken) - _MAX_BROKEN:,} more")
        yield _list(shown)


def _labels_table(report: Report) -> str:
    counts = {split: report.training_set.counts(split) for split in Split}
    thresholds = report.measured.label_thresholds
    head = ["label", "training", "validation", "test", "found (recall)", "right (precision)"]
    if thresholds is not None:
        head.append("threshold")
    rows = []
    for index, figures in enumerate(report.measured.figures.labels):
        cells = [escape(figures.label)]
        cells += [f"{counts[split][figures.label]:,}" for split in Split]
        cells += [percent(figures.recall), percent(figures.precision)]
        if thresholds is not None:
            cells.append(f"{thresholds[index]:.2f}")
        rows.append(cells)
    return f"<h2>Labels</h2>\n{_table(head, rows)}"


def _matrix(labels: tuple[str, ...], confusion: NDArray[np.int64]) -> str:
    head = ["shown / answered", *map(escape, labels)]
    rows = []
    for row, label in enumerate(labels):
        total = max(int(confusion[row].sum()), 1)
        cells = [escape(label)]
        for column, count in enumerate(confusion[row].tolist()):
            kind = "right" if row == column else "wrong"
            shade = f' class="{kind}" style="--share:{count / total:.2f}"' if count else ""
            cells.append(f"<span{shade}>{count or ''}</span>")
        rows.append(cells)
    return f"<h2>What is taken for what</h2>\n{_table(head, rows)}"


def _facts(report: Report) -> str:
    facts = [
        "The built-in classifier (EfficientNet-Lite0) as it is, with a last layer of its own.",
        f"Penalty {report.penalty:g}, the best of several in validation.",
        "The whole picture is stretched to the input, in training and in serving.",
    ]
    if report.measured.certain_threshold is not None:
        threshold = f"{report.measured.certain_threshold:.2f}"
        facts.append(f"An answer is certain from a score of {threshold} on, by validation.")
    if report.measured.known is None:
        facts.append("Too few pictures to tell whether another one is unlike them.")
    else:
        facts.append(
            "An answer to a picture unlike all of these says so, and is not certain; "
            f"{percent(report.measured.known)} of the test pictures were taken for known."
        )
    return _list(facts)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = "".join(f"<th>{title}</th>" for title in head)
    lines = ["".join(f"<td>{cell}</td>" for cell in cells) for cells in rows]
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="scroll"><table>\n<tr>{titles}</tr>\n{body}\n</table></div>'


def _list(items: Iterable[str]) -> str:
    lines = "\n".join(f"<li>{escape(item)}</li>" for item in items)
    return f"<ul>\n{lines}\n</ul>"
