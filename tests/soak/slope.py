"""Fits a line to a series in time, with an error that respects that its values hang together.

Least squares gives the slope. Memory now resembles memory five seconds ago, so the usual error
would be far too small: this one is Newey and West's (1987, Bartlett kernel), with the bandwidth of
1.3 sqrt(n) that Lazarus, Lewis, Stock and Watson (2018) recommend, and with the critical values of
Kiefer and Vogelsang (2005) for that bandwidth, which are larger than the normal ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_SAMPLES = 10
_HOUR_S = 3600.0
_BANDWIDTH = 1.3
_CRITICAL_99 = (2.3263, 4.1618, 0.5368, -0.9060)
"""One-sided 99 %: coefficients of a polynomial in the bandwidth as a share of the samples."""


@dataclass(frozen=True, slots=True)
class Slope:
    """A slope per hour.

    Attributes:
        error: its standard error.
        least: the true slope is above this with a confidence of 99 %.
        most: and below this.
    """

    per_hour: float
    error: float
    least: float
    most: float

    def rises_above(self, bound: float) -> bool:
        """Whether it is significantly positive, and above a bound per hour."""
        return self.least > 0 and self.per_hour > bound


def fit(seconds: Sequence[float], values: Sequence[float]) -> Slope:
    """Fit a line.

    Raises:
        ValueError: there are fewer than `MIN_SAMPLES` values.
    """
    count = len(values)
    if count < MIN_SAMPLES:
        raise ValueError(f"{count} samples are too few; {MIN_SAMPLES} are needed")
    hours = np.asarray(seconds, np.float64) / _HOUR_S
    regressors = np.column_stack([np.ones(count), hours - hours.mean()])
    measured = np.asarray(values, np.float64)
    bread = np.linalg.inv(regressors.T @ regressors)
    coefficients = bread @ regressors.T @ measured
    scores = regressors * (measured - regressors @ coefficients)[:, np.newaxis]
    lags = math.ceil(_BANDWIDTH * math.sqrt(count))
    covariance = bread @ _long_run(scores, lags) @ bread
    slope, error = float(coefficients[1]), math.sqrt(max(0.0, float(covariance[1, 1])))
    share = lags / count
    critical = sum(factor * share**power for power, factor in enumerate(_CRITICAL_99))
    return Slope(slope, error, slope - critical * error, slope + critical * error)


def _long_run(scores: np.ndarray, lags: int) -> np.ndarray:
    """The sum of the scores' autocovariances, weighted by Bartlett's kernel."""
    total = scores.T @ scores
    for lag in range(1, min(lags, len(scores))):
        covariance = scores[lag:].T @ scores[:-lag]
        total += (1 - lag / lags) * (covariance + covariance.T)
    return total
