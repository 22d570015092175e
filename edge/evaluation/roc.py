"""Receiver operating characteristic (ROC): anomalies found against false alarms. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.evaluation.thresholds import threshold_between

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What a threshold makes of the pictures.

    Attributes:
        threshold: from which score on a picture is called an anomaly.
        found: anomalies that are called one.
        alarms: good parts that are called an anomaly.
        anomalies: number of pictures of anomalies.
        good: number of pictures of good parts.
    """

    threshold: float
    found: int
    alarms: int
    anomalies: int
    good: int

    @property
    def true_positive_rate(self) -> float | None:
        """Share of the anomalies that are found, 0..1; ``None`` without anomalies."""
        return self.found / self.anomalies if self.anomalies else None

    @property
    def false_positive_rate(self) -> float | None:
        """Share of the good parts that are called an anomaly, 0..1; ``None`` without good parts."""
        return self.alarms / self.good if self.good else None


@dataclass(frozen=True, slots=True, eq=False)
class Roc:
    """What each threshold would make of the pictures, the highest threshold first.

    Attributes:
        thresholds: float64 [points], falling: each score that occurs, once.
        found: intp [points], anomalies whose score reaches the threshold.
        alarms: intp [points], good parts whose score reaches it.
        in_force: the threshold by which serving answers.
    """

    thresholds: NDArray[np.float64]
    found: NDArray[np.intp]
    alarms: NDArray[np.intp]
    in_force: OperatingPoint

    @property
    def has_curve(self) -> bool:
        """Whether there are pictures of both kinds, without which there is no curve."""
        return bool(self.in_force.anomalies and self.in_force.good)

    @property
    def figures(self) -> dict[str, float | None]:
        """The figures of a report that it gives, by their names."""
        return {
            "area_under_roc": self.area,
            "anomalies_found": self.in_force.true_positive_rate,
            "false_alarms": self.in_force.false_positive_rate,
        }

    @property
    def area(self) -> float | None:
        """Area under the curve, 0..1; ``None`` without a curve.

        It is how often an anomaly has a higher score than a good part; equal scores count half.
        """
        if not self.has_curve:
            return None
        found = np.append(0, self.found)
        heights = (found[1:] + found[:-1]) / 2
        area = float(np.sum(heights * np.diff(self.alarms, prepend=0)))
        return area / self.in_force.anomalies / self.in_force.good

    @property
    def rates(self) -> NDArray[np.float64]:
        """False and true positive rate of each threshold, float64 [points, 2], 0..1.

        The curve goes on from 0, 0, where the threshold is above every score. Needs `has_curve`.
        """
        counts = np.stack([self.alarms, self.found], axis=1)
        return counts / np.array([self.in_force.good, self.in_force.anomalies], np.float64)

    @property
    def corners(self) -> NDArray[np.intp]:
        """Rows of the points where the curve changes its direction, and of the last point."""
        along, up = (
            np.diff(counts, prepend=0).astype(np.intp) for counts in (self.alarms, self.found)
        )
        turns = along[:-1] * up[1:] != along[1:] * up[:-1]
        last = np.ones(min(len(self.thresholds), 1), bool)
        return np.flatnonzero(np.append(turns, last))

    def most_found(self, false_positive_rate: float) -> OperatingPoint | None:
        """Find most anomalies at a bounded rate of false alarms; ``None`` if nothing is found."""
        allowed = np.flatnonzero(self.alarms <= false_positive_rate * self.in_force.good)
        if not len(allowed) or not self.found[allowed[-1]]:
            return None
        # Of thresholds that find the same, the highest calls the fewest good parts an anomaly.
        point = int(np.searchsorted(self.found, self.found[allowed[-1]]))
        return OperatingPoint(
            threshold_between(self.thresholds, point),
            int(self.found[point]),
            int(self.alarms[point]),
            self.in_force.anomalies,
            self.in_force.good,
        )


def make_roc(scores: NDArray[np.float32], is_anomaly: NDArray[np.bool_], threshold: float) -> Roc:
    """Make the curve of a model of good parts.

    Args:
        scores: float32 [pictures], 0..1, finite: that of anomaly.
        is_anomaly: bool [pictures]; all others show a good part.
        threshold: in force.
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order].astype(np.float64)
    found = np.cumsum(is_anomaly[order])
    alarms = np.cumsum(~is_anomaly[order])
    # Equal scores pass a threshold together: only the last of them is a point of the curve.
    last = np.flatnonzero(np.append(np.diff(ordered) != 0, np.ones(min(len(ordered), 1), bool)))
    is_called = scores >= np.float32(threshold)
    in_force = OperatingPoint(
        threshold,
        int((is_called & is_anomaly).sum()),
        int((is_called & ~is_anomaly).sum()),
        int(is_anomaly.sum()),
        int((~is_anomaly).sum()),
    )
    return Roc(ordered[last], found[last].astype(np.intp), alarms[last].astype(np.intp), in_force)
