"""Whether what a server holds rises while it works: a slope, its error and its bound for each."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from soak.slope import fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soak.sampler import Sample
    from soak.slope import Slope


@dataclass(frozen=True)
class Bounds:
    """What may rise per hour although it is significant.

    The defaults are for a run of twenty minutes. 24 MiB an hour would take five days to fill the
    3 GiB that a small device has left, and is what filling caches still show after the warm-up.
    """

    resident_mib: float = 24.0
    descriptors: float = 12.0
    threads: float = 12.0


@dataclass(frozen=True, slots=True)
class Drift:
    """One series.

    Attributes:
        first: mean of its first tenth.
        last: of its last tenth.
    """

    name: str
    first: float
    last: float
    slope: Slope
    bound: float

    @property
    def is_leak(self) -> bool:
        """It rises significantly, and faster than its bound."""
        return self.slope.rises_above(self.bound)

    def __str__(self) -> str:
        slope = self.slope
        return (
            f"{self.name:14}{self.first:>9.1f}{self.last:>9.1f}"
            f"{slope.per_hour:>+11.1f} +-{slope.error:>7.1f}"
            f"   [{slope.least:+.1f}, {slope.most:+.1f}]"
            f"   bound {self.bound:g}   {'RISES' if self.is_leak else 'flat'}"
        )


def drifts(samples: Sequence[Sample], bounds: Bounds) -> list[Drift]:
    """The series of samples that were taken after the warm-up."""
    seconds = [sample.at for sample in samples]
    tenth = max(1, len(samples) // 10)
    found = []
    for name, field in (
        ("memory, MiB", "resident_mib"),
        ("descriptors", "descriptors"),
        ("threads", "threads"),
    ):
        values = [float(attrgetter(field)(sample)) for sample in samples]
        first, last = sum(values[:tenth]) / tenth, sum(values[-tenth:]) / tenth
        found.append(Drift(name, first, last, fit(seconds, values), getattr(bounds, field)))
    return found
