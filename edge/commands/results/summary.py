"""What all images together showed, in two lines."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from edge.printable import escape

if TYPE_CHECKING:
    from edge.commands.results.outcome import Outcome

_MAX_LABELS: Final = 8
"""Named in the summary; a classifier may know a thousand."""


class Summary:
    """Counts outcomes.

    Args:
        planned: number of images that were named.
    """

    def __init__(self, planned: int) -> None:
        self.planned = planned
        self.done = 0
        self.unsure = 0
        self.failed = 0
        self.empty = 0
        self.labels: Counter[str] = Counter()
        self._started = time.perf_counter()
        self._seconds = 0.0

    def add(self, outcome: Outcome) -> None:
        """Count one outcome. Labels are counted once an image, of sure answers only."""
        self._seconds = time.perf_counter() - self._started
        self.done += 1
        answer = outcome.answer
        if answer is None:
            self.failed += 1
        elif not answer.certain:
            self.unsure += 1
        elif not answer.items:
            self.empty += 1
        else:
            self.labels.update(set(answer.prediction.task.headline(answer.items)))

    def lines(self) -> list[str]:
        """The summary for people."""
        count = f"{self.done} image{'' if self.done == 1 else 's'}"
        if self.done < self.planned:
            count = f"Stopped after {self.done} of {self.planned} images"
        rate = self.done / self._seconds if self._seconds else 0.0
        speed = f"{self._seconds:.1f} s, {rate:.1f} images/s"
        lines = [f"{count}: {self.unsure} unsure, {self.failed} failed ({speed})"]
        if counts := self._label_counts():
            lines.append(counts)
        return lines

    def _label_counts(self) -> str:
        counts = [f"{escape(label)} {n}" for label, n in self.labels.most_common(_MAX_LABELS)]
        if (rest := len(self.labels) - len(counts)) > 0:
            counts.append(f"{rest} other label{'' if rest == 1 else 's'}")
        if self.empty:
            counts.append(f"nothing found {self.empty}")
        return ", ".join(counts)
