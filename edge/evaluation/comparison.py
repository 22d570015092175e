"""Two models on the same pictures: who is right where, and whether that could be chance. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which pictures change sides between two models.

    Attributes:
        both_right: number of pictures.
        both_wrong: number of pictures.
        gained: pictures that only the first model has right, in the order of the set.
        lost: pictures that only the second one has right.
        p: probability of a difference at least this large if neither model is better: McNemar's
            exact test, two-sided.
    """

    both_right: int
    both_wrong: int
    gained: tuple[int, ...]
    lost: tuple[int, ...]
    p: float

    @property
    def pictures(self) -> int:
        """Pictures that both models answered."""
        return self.both_right + self.both_wrong + len(self.gained) + len(self.lost)


def compare(first: Mapping[int, bool], second: Mapping[int, bool]) -> Comparison:
    """Compare two models by number of picture to whether its answer is right.

    Pictures that only one of them answered are left out.
    """
    common = sorted(first.keys() & second.keys())
    gained = tuple(number for number in common if first[number] and not second[number])
    lost = tuple(number for number in common if second[number] and not first[number])
    both_right = sum(first[number] and second[number] for number in common)
    return Comparison(
        both_right=both_right,
        both_wrong=len(common) - both_right - len(gained) - len(lost),
        gained=gained,
        lost=lost,
        p=mcnemar(len(gained), len(lost)),
    )


def mcnemar(gained: int, lost: int) -> float:
    """The exact two-sided p of McNemar's test: a sign test on the pictures that change sides.

    Twice the probability that a fair coin, thrown once for each of these pictures, shows the rarer
    side as rarely as this; at most 1.
    """
    throws = gained + lost
    ways, total = 1, 0
    for heads in range(min(gained, lost) + 1):
        total += ways
        ways = ways * (throws - heads) // (heads + 1)
    return min(1.0, 2 * total / (1 << throws))
