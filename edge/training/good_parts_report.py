"""The page that goes with a model of good parts, and the words that say what it can do."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from edge.training.good_parts_fit import ENOUGH_FOR_RATE, KEPT, MIN_ALIGNMENT
from edge.training.output_folder import MARK
from edge.training.report_style import PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHERE_IT_WORKS: Final = (
    "It works for parts that are always seen alike: same camera, same place and turn in the "
    "picture, same light. It does not work for free texture such as wood, stone or fabric, nor for "
    "parts that lie as they fell: collect pictures of both kinds and train a classifier there."
)

_MAX_BROKEN: Final = 50


@dataclass(frozen=True, slots=True)
class GoodPartsReport:
    """What was learned.

    Attributes:
        learned: pictures that were learned from.
        passed_over: pictures that were not needed.
        alignment: how much each place shows the same in all pictures, 0..1.
        copies: pictures whose file is the same as that of another one.
        broken: pictures that cannot be read, and why.
    """

    name: str
    learned: int
    passed_over: int
    alignment: float
    copies: int
    broken: tuple[tuple[Path, str], ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What its owner should know; a sentence each."""
        notes = []
        if self.alignment < MIN_ALIGNMENT:
            notes.append(
                "These pictures do not show the same thing at the same place: they look like free "
                "texture, or like parts that lie differently. Faults will hardly be found."
            )
        if self.broken:
            count = len(self.broken)
            pictures = "1 picture" if count == 1 else f"{count:,} pictures"
            notes.append(f"{pictures} cannot be read and were left out.")
        if self.copies:
            notes.append(f"Of pictures that are copies of others, {self.copies:,} were left out.")
        if self.passed_over:
            notes.append(f"{self.learned:,} of the pictures, evenly spread, are enough.")
        if self.learned < ENOUGH_FOR_RATE:
            notes.append(
                f"{self.learned} pictures are few: expect more false alarms than one in "
                f"{false_alarm_period()}. From {ENOUGH_FOR_RATE} on that rate can be kept."
            )
        return tuple(notes)


def false_alarm_period() -> int:
    """One good part in so many is expected to be called an anomaly."""
    return round(1 / (1 - KEPT))


def write_good_parts_report(folder: Path, report: GoodPartsReport) -> None:
    """Write `report.html`: one file, without scripts, which works from disk."""
    page = PAGE.format(title=escape(report.name), body="\n".join(_sections(report)))
    (folder / MARK).write_text(page, "utf-8")


def _sections(report: GoodPartsReport) -> Iterator[str]:
    yield f"<h1>{escape(report.name)}</h1>"
    yield (
        f'<p class="figure"><b>{report.learned:,} good parts</b> were learned from. The threshold '
        "comes from parts that were held out: about one good part in "
        f"{false_alarm_period()} will be called an anomaly.</p>"
    )
    for note in report.notes:
        yield f'<p class="note">{escape(note)}</p>'
    yield f"<p>{WHERE_IT_WORKS}</p>"
    yield (
        "<h2>What the score means</h2><p>The score of anomaly is 0.5 at that threshold, 0.1 for "
        "the typical good part, and 0.9 as far beyond the threshold as the typical part is below "
        "it. How many faults it finds, only pictures of faults can tell: <code>edge evaluate"
        "</code> with a folder <code>good</code> and a folder <code>anomaly</code>.</p>"
    )
    if report.broken:
        yield "<h2>Pictures left out</h2>\n<ul>"
        for file, reason in report.broken[:_MAX_BROKEN]:
            yield f"<li>{escape(f'{file}: {reason}')}</li>"
        if len(report.broken) > _MAX_BROKEN:
            yield f"<li>... and {len(report.broken) - _MAX_BROKEN:,} more</li>"
        yield "</ul>"
