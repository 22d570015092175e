"""`--fail-under accuracy=0.97`: what a script demands of a model. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.errors import UsageError
from edge.printable import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LABEL_FIGURES: Final = ("precision", "recall", "f1", "average_precision")
"""Figures of a single label, named as ``recall:rose``."""


@dataclass(frozen=True, slots=True)
class Demand:
    """A figure and the least value that it may have, 0..1."""

    name: str
    least: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a demand is met.

    Attributes:
        value: of the figure; ``None`` if the set does not say it, which meets no demand.
    """

    demand: Demand
    value: float | None

    @property
    def passed(self) -> bool:
        """Whether the figure is known and large enough."""
        return self.value is not None and self.value >= self.demand.least


def parse_demand(text: str) -> Demand:
    """Read ``accuracy=0.97`` or ``recall:rose=0.9``; a label may hold a ``=``.

    Raises:
        UsageError: it has another form, or the value is not 0..1.
    """
    name, separator, value = text.rpartition("=")
    try:
        least = float(value)
    except ValueError:
        least = math.nan
    if not separator or not name.strip() or not 0 <= least <= 1:
        reason = f"--fail-under {escape(text)} is not a figure and a value of 0..1."
        raise UsageError(f"{reason} Write it as accuracy=0.97 or recall:rose=0.9.")
    return Demand(name.strip(), least)


def check_names(demands: Sequence[Demand], figures: Iterable[str], labels: Iterable[str]) -> None:
    """Find out before a long run whether all demands can be judged.

    Args:
        figures: names of the figures of the whole set.
        labels: of the model and the set.

    Raises:
        UsageError: there is no figure of that name: a gate that cannot be judged must not pass.
    """
    general, known = list(figures), set(labels)
    for demand in demands:
        figure, _, label = demand.name.partition(":")
        if demand.name not in general and not (figure in LABEL_FIGURES and label in known):
            raise UsageError(
                f"--fail-under: there is no figure {escape(demand.name)} of this model and set. "
                f"There are {', '.join(general)}; and of each label {', '.join(LABEL_FIGURES)}, "
                "such as recall:LABEL."
            )


def judge(demands: Sequence[Demand], figures: Mapping[str, float | None]) -> list[Verdict]:
    """Hold the figures against the demands; one that is missing meets none."""
    return [Verdict(demand, figures.get(demand.name)) for demand in demands]
