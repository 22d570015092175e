"""The page that goes with a model of good parts, and the words that say what it can do."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.report_page import Section, lead, listing, notes, plain, rows, tiles, whole_page
from edge.training.good_parts_fit import ENOUGH_FOR_RATE, KEPT, MAX_DRIFT, MIN_ALIGNMENT
from edge.training.output_folder import MARK
from edge.training.report import COMMAND, MAX_BROKEN, left_out_words, percent

if TYPE_CHECKING:
    from pathlib import Path

WHERE_IT_WORKS: Final = (
    "It works for parts that are always seen alike: same camera, same place and turn in the "
    "picture, same light. It does not work for free texture such as wood, stone or fabric, nor for "
    "parts that lie as they fell: collect pictures of both kinds and train a classifier there."
)

_SCORE_WORDS: Final = (
    "The score of anomaly is 0.5 at the threshold, 0.1 for the typical good part, and 0.9 as far "
    "beyond the threshold as the typical part is below it."
)


@dataclass(frozen=True, slots=True)
class GoodPartsReport:
    """What was learned.

    Attributes:
        learned: pictures that were learned from.
        passed_over: pictures that were not needed.
        alignment: how much each place shows the same in all pictures, 0..1.
        drift: as in `GoodPartsFit`.
        copies: pictures whose file is the same as that of another one.
        broken: pictures that cannot be read, and why.
    """

    name: str
    learned: int
    passed_over: int
    alignment: float
    drift: float
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
        elif self.drift > MAX_DRIFT:
            notes.append(
                "The pictures change along the folder: with a fifth of it left out, "
                f"{percent(self.drift)} of the parts there would be called anomalies. Every kind "
                "of part and every light that the camera will see must be among the pictures."
            )
        if self.broken:
            notes.append(left_out_words(len(self.broken)))
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


_BOUND_WORDS: Final = (
    "good parts were learned from. The threshold comes from parts that were held out: about one "
    f"good part in {false_alarm_period()} will be called an anomaly."
)


def write_good_parts_report(folder: Path, report: GoodPartsReport) -> None:
    """Write `report.html`: one file, without scripts, which works from disk."""
    broken = [f"{file}: {reason}" for file, reason in report.broken[:MAX_BROKEN]]
    sections = [
        Section("Where it works", f"<p>{plain(WHERE_IT_WORKS)}</p>"),
        Section("What the score means", f"<p>{plain(_SCORE_WORDS)}</p>"),
        Section("What to do next", _next(report.name)),
        Section("Pictures left out", rows(broken, len(report.broken)), len(report.broken)),
    ]
    header = (
        f"<h1>{plain(report.name)}</h1><p>Learned from good parts alone.</p>"
        f"{lead(f'{report.learned:,}', _BOUND_WORDS)}"
        f"{notes(report.notes)}{tiles(_tiles(report))}"
    )
    page = whole_page(COMMAND, report.name, header, sections)
    (folder / MARK).write_text(page, "utf-8")


def _tiles(report: GoodPartsReport) -> list[tuple[str, str]]:
    left_out = report.passed_over + report.copies + len(report.broken)
    return [
        ("Pictures not needed, copied or broken", f"{left_out:,}"),
        ("Good parts called an anomaly, expected", f"1 in {false_alarm_period()}"),
        (
            f"How alike places are, 0 to 1; at least {MIN_ALIGNMENT:g} is needed",
            f"{report.alignment:.2f}",
        ),
    ]


def _next(name: str) -> str:
    steps = [
        (
            "How many faults it finds, only pictures of faults can tell. Put some into a folder "
            "anomaly (or one for each kind of fault), and good parts that it has not learned from "
            "into a folder good: the evaluation shows how many faults each rate of false alarms "
            "finds."
        ),
        (
            "If it finds too few, or calls too many good parts an anomaly, set another "
            "score_threshold in model.toml; the evaluation names some."
        ),
        "When the light, the camera or the part changes, learn again from new pictures.",
    ]
    model = shlex.quote(name)
    lines = [
        f"edge evaluate {model} SET --html evaluation.html",
        f"edge serve --models {model}",
    ]
    return rows(steps, 0) + listing("Commands", "\n".join(map(plain, lines)))
