"""Whether scores mean what they say: nine in ten answers with a score of 0.9 are right. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BINS: Final = 10
"""Bins of equal width; the usual number, of which each is a tenth of the scale."""


@dataclass(frozen=True, slots=True)
class Bin:
    """The answers whose score lies in a part of the scale.

    Attributes:
        low: lowest score of the bin, which it includes.
        high: highest score, which only the last bin includes.
        answers: how many.
        score: their mean score; ``None`` without answers.
        accuracy: the share of them that is right; ``None`` without answers.
    """

    low: float
    high: float
    answers: int
    score: float | None
    accuracy: float | None


def calibration(scores: NDArray[np.floating[Any]], right: NDArray[np.bool_]) -> list[Bin]:
    """Sort answers into bins by their score.

    Args:
        scores: [answers], 0..1.
        right: bool [answers].
    """
    numbers = np.clip((scores * BINS).astype(np.intp), 0, BINS - 1)
    bins = []
    for number in range(BINS):
        inside = numbers == number
        count = int(inside.sum())
        bins.append(
            Bin(
                low=number / BINS,
                high=(number + 1) / BINS,
                answers=count,
                score=float(scores[inside].mean()) if count else None,
                accuracy=float(right[inside].mean()) if count else None,
            )
        )
    return bins


def calibration_error(bins: Sequence[Bin]) -> float | None:
    """Mean distance of score and accuracy, 0..1, weighted by answers; ``None`` without answers.

    Known as the expected calibration error.
    """
    answers = sum(one.answers for one in bins)
    if not answers:
        return None
    total = 0.0
    for one in bins:
        if one.score is not None and one.accuracy is not None:
            total += one.answers * abs(one.score - one.accuracy)
    return total / answers
