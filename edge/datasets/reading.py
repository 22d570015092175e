"""What reading a data set yields: the set, and every fault that was met on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from edge.datasets.dataset import DataSet

MAX_FAULTS: Final = 20
"""Faults that are kept and shown; the others are counted. Someone fixes them by their kind."""

MAX_EXAMPLES: Final = 200_000
"""Pictures of one set. Each takes about 700 bytes as an `Example`, 140 MB for all of them, and
their features half an hour of two cores."""

MAX_LABELS: Final = 5_000
"""Labels of one set; Vertex AI's own limit. More are another column that was taken for labels."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in a data set that is not as it must be.

    Attributes:
        source: file and line: ``"labels.csv, line 12"``.
        reason: what is wrong and what to do about it; a sentence.
    """

    source: str
    reason: str


@dataclass(slots=True)
class FaultLog:
    """Collects faults: the first `MAX_FAULTS`, and the number of all.

    Attributes:
        first: the first faults, in the order in which they were found.
        count: of all faults.
        notes: what is not wrong but must not pass silently; a sentence each.
    """

    first: list[Fault] = field(default_factory=list)
    count: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, source: str, reason: str) -> None:
        """Note a fault."""
        self.count += 1
        if len(self.first) < MAX_FAULTS:
            self.first.append(Fault(source, reason))


@dataclass(frozen=True, slots=True)
class Reading:
    """A data set as far as it could be read.

    Attributes:
        data_set: what is right.
        faults: the first `MAX_FAULTS`.
        fault_count: of all faults; 0 if the set was read whole.
    """

    data_set: DataSet
    faults: tuple[Fault, ...]
    fault_count: int

    @property
    def notes(self) -> tuple[str, ...]:
        """The data set's."""
        return self.data_set.notes


class BadEntry(Exception):
    """An entry of a data set is wrong; its reader turns it into a `Fault` with file and line.

    Attributes:
        reason: as that of a `Fault`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
