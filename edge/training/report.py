"""The page that goes with a trained model: what it learned from, and how well it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.counted import counted
from edge.datasets.dataset import Split
from edge.evaluation.classification import wilson_interval
from edge.evaluation.report.matrix import confusion_matrix
from edge.evaluation.report.pictures import mistake_cards
from edge.evaluation.report.words import percent as percent_or_dash
from edge.report_page import (
    Section,
    lead,
    listing,
    notes,
    plain,
    rows,
    table,
    tiles,
    titled,
    whole_page,
)
from edge.training.advice import commands, next_steps
from edge.training.output_folder import MARK

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.evaluation.evaluation import Mistake
    from edge.training.figures import Figures
    from edge.training.training_set import TrainingSet

MAX_BROKEN: Final = 50
_MAX_MISTAKES: Final = 12
"""Pictures on the page, of about 15 KB each: it is copied with the model."""

_WIDE: Final = 0.2
"""Width of the interval of the true share from which on figures of the test mean little."""

COMMAND: Final = "train"


@dataclass(frozen=True, slots=True)
class Measured:
    """What the finished file answered.

    Attributes:
        figures: on the test pictures.
        unlike: number of them that are taken for unlike the training; ``None`` if the model cannot
            say.
        mistakes: the test pictures that it has wrong, the worst first.
        certain_threshold: from which on an answer is certain; ``None`` for a multi-label model.
        label_thresholds: of each label of a multi-label model.
    """

    figures: Figures
    unlike: int | None
    mistakes: Sequence[Mistake]
    certain_threshold: float | None = None
    label_thresholds: tuple[float, ...] | None = None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the true share of right answers lies with 95 % confidence; ``None`` untested."""
        if self.figures.accuracy is None:
            return None
        right = round(self.figures.accuracy * self.figures.pictures)
        return wilson_interval(right, self.figures.pictures)


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
        """Notes of the set, of the test, of the pictures and of the training."""
        found = [*self.training_set.notes, *_test_notes(self.measured), *self.notes]
        if self.broken:
            found.append(left_out_words(len(self.broken)))
        return tuple(found)


def percent(share: float | None) -> str:
    """A share as people read it: ``97.5 %``."""
    return "not measured" if share is None else percent_or_dash(share)


def left_out_words(count: int) -> str:
    """Says that so many pictures cannot be read; a sentence."""
    return f"{counted(count, 'picture')} cannot be read and were left out."


def accuracy_words(report: Report) -> str:
    """What the share of right answers is of, and how sure it is; without a full stop."""
    figures = report.measured.figures
    what = "all labels right" if report.training_set.multi_label else "right"
    pictures = counted(figures.pictures, "test picture")
    interval = report.measured.interval
    if interval is None:
        return "how good it is: there is no test picture"
    low, high = map(percent, interval)
    return f"{what} on {pictures}; the true share is {low} to {high}, with 95 % confidence"


def _test_notes(measured: Measured) -> list[str]:
    interval = measured.interval
    if interval is None:
        return ["There is no test picture: how good the model is was not measured."]
    low, high = interval
    if high - low <= _WIDE:
        return []
    count = measured.figures.pictures
    pictures = "1 test picture says" if count == 1 else f"{count:,} test pictures say"
    doubt = f"of others, {percent(low)} to {percent(high)} may be right"
    return [f"{pictures} little: {doubt}. Add pictures until about 100 are left for the test."]


def write_report(folder: Path, report: Report, place: Path, max_pixels: int) -> None:
    """Write `report.html`: one file, without scripts, which works from disk.

    Args:
        place: folder where it will be in the end, for the links to pictures.
        max_pixels: of the largest picture that is shown.
    """
    training_set = report.training_set
    broken = [f"{file}: {reason}" for file, reason in report.broken[:MAX_BROKEN]]
    sections = [
        Section("Labels", _labels_table(report)),
        Section("What is taken for what", _matrix(report)),
        Section("Worst pictures", _mistakes(report.measured, place / MARK, max_pixels)),
        Section("What to do next", _next(report)),
        Section("How it was made", rows(_facts(report), 0)),
        Section("Pictures left out", rows(broken, len(report.broken)), len(report.broken)),
    ]
    kind = "Several labels a picture" if training_set.multi_label else "One label a picture"
    figures = report.measured.figures
    header = (
        f"<h1>{plain(report.name)}</h1><p>{kind}, answered by the finished 8-bit file.</p>"
        f"{lead(percent(figures.accuracy), accuracy_words(report) + '.')}"
        f"{notes(report.all_notes)}{tiles(_tiles(report))}"
    )
    page = whole_page(COMMAND, report.name, header, sections)
    (folder / MARK).write_text(page, "utf-8")


def _tiles(report: Report) -> list[tuple[str, str]]:
    training_set, measured = report.training_set, report.measured
    found = [("Labels", f"{len(training_set.labels):,}")]
    for split in Split:
        count = len(training_set.indices(split))
        found.append((f"Pictures for {split}", f"{count:,}"))
    if measured.certain_threshold is not None:
        found.append(("Certain from a score of", f"{measured.certain_threshold:.2f}"))
    tested = measured.figures.pictures
    if measured.unlike is not None and tested:
        share = percent(measured.unlike / tested)
        name = "Test pictures taken for unlike all training"
        found.append((name, f"{measured.unlike:,} ({share})"))
    return found


def _labels_table(report: Report) -> str:
    counts = {split: report.training_set.counts(split) for split in Split}
    thresholds = report.measured.label_thresholds
    head = ["label", *Split, "found (recall)", "right (precision)"]
    if thresholds is not None:
        head.append("threshold")
    lines = []
    for index, figures in enumerate(report.measured.figures.labels):
        cells = [titled(figures.label)]
        cells += [f"{counts[split][figures.label]:,}" for split in Split]
        shares = (figures.recall, figures.precision)
        cells += map(percent_or_dash, shares)
        if thresholds is not None:
            cells.append(f"{thresholds[index]:.2f}")
        lines.append(cells)
    return table("Pictures and figures of each label", head, lines)


def _matrix(report: Report) -> str:
    confusion = report.measured.figures.confusion
    if confusion is None or not confusion.any():
        return ""
    return confusion_matrix(confusion, report.training_set.labels)


def _mistakes(measured: Measured, page: Path, max_pixels: int) -> str:
    if not measured.figures.pictures:
        return ""
    if not measured.mistakes:
        return "<p>None: every answer to a test picture is right.</p>"
    cards = mistake_cards(measured.mistakes[:_MAX_MISTAKES], page, max_pixels)
    words = "The surest of the wrong answers first. Look for wrong labels among them, too."
    return f"<p>{words}</p>{cards}"


def _next(report: Report) -> str:
    steps = next_steps(report.training_set, report.measured.figures, report.measured.unlike)
    lines = "\n".join(plain(line) for line in commands(report.name))
    return rows(steps, 0) + listing("Commands", lines)


def _facts(report: Report) -> list[str]:
    facts = [
        "The built-in classifier (EfficientNet-Lite0) with a last layer of its own.",
        f"Penalty {report.penalty:g}, the best of several in validation.",
        "The whole picture is stretched to the input, in training and in serving.",
    ]
    if report.measured.certain_threshold is not None:
        threshold = f"{report.measured.certain_threshold:.2f}"
        facts.append(f"An answer is certain from a score of {threshold} on, by validation.")
    if report.measured.unlike is None:
        facts.append("Too few pictures to tell whether another one is unlike them.")
    else:
        facts.append(
            "A picture unlike all of these is never answered as certain. Its price: "
            f"{report.measured.unlike:,} of {report.measured.figures.pictures:,} test pictures "
            "were called unlike them as well."
        )
    return facts
