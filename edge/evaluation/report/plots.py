"""Plots as inline SVG: they take their colours from the page, and need no script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.evaluation.report.as_json import thin_out, thin_out_roc

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge.evaluation.calibration import Bin
    from edge.evaluation.curves import Curve
    from edge.evaluation.roc import Roc

_WIDTH: Final = 170
_HEIGHT: Final = 140
_LEFT, _TOP, _RIGHT, _BOTTOM = 24, 8, 6, 26

Point = tuple[float, float]


def recall_plot(curve: Curve, label: str) -> str:
    """Precision over recall."""
    points = [(float(curve.recall[i]), float(curve.precision[i])) for i in thin_out(curve)]
    start = [(0.0, points[0][1])] if points else []
    body = _line([*start, *points], "line")
    return _frame(body, "recall", "precision", f"Precision over recall of {label}")


def threshold_plot(curve: Curve, label: str, marked: float | None) -> str:
    """Precision and recall over the threshold, and the threshold that was chosen."""
    chosen = thin_out(curve)
    precision = [(float(curve.thresholds[i]), float(curve.precision[i])) for i in chosen]
    recall = [(float(curve.thresholds[i]), float(curve.recall[i])) for i in chosen]
    body = _line(precision, "line") + _line(recall, "line second")
    if marked is not None:
        body += _line([(marked, 0.0), (marked, 1.0)], "mark")
    return _frame(body, "threshold", "", f"Precision and recall of {label} over the threshold")


def calibration_plot(bins: Sequence[Bin]) -> str:
    """A bar for each bin: how many of its answers are right; the diagonal is where it should be."""
    most = max((one.answers for one in bins), default=0) or 1
    body = _line([(0.0, 0.0), (1.0, 1.0)], "ideal")
    for one in bins:
        if one.accuracy is None or one.score is None:
            continue
        left, right = _x(one.low) + 1.5, _x(one.high) - 1.5
        top = _y(one.accuracy)
        # Few answers say little: the bar is as opaque as its bin is full.
        strength = 0.35 + 0.65 * (one.answers / most) ** 0.5
        body += (
            f'<rect class="fill" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
            f'height="{_y(0.0) - top:.1f}" fill-opacity="{strength:.2f}">'
            f"<title>{one.answers} answers with a score of {one.low:.1f} to {one.high:.1f}: "
            f"{one.accuracy:.0%} right, mean score {one.score:.2f}</title></rect>"
        )
    return _frame(body, "score", "right", "Share of right answers over the score")


def roc_plot(roc: Roc, other: Roc | None = None) -> str:
    """True over false positive rate, the threshold in force, and what guessing would give.

    Args:
        roc: has a curve.
        other: of a model that it is compared with.
    """
    body = _line([(0.0, 0.0), (1.0, 1.0)], "ideal")
    if other is not None and other.has_curve:
        body += _line(_roc_points(other), "line second")
    body += _line(_roc_points(roc), "line")
    point = roc.in_force
    false_rate, true_rate = point.false_positive_rate, point.true_positive_rate
    assert false_rate is not None
    assert true_rate is not None
    words = (
        f"threshold {point.threshold:g}: {true_rate:.1%} of the anomalies are found, "
        f"{false_rate:.1%} of the good parts are called one"
    )
    body += (
        f'<circle class="dot" cx="{_x(false_rate):.1f}" cy="{_y(true_rate):.1f}" r="3">'
        f"<title>{words}</title></circle>"
    )
    title = f"Anomalies found over false alarms; at the {words}"
    return _frame(body, "false positive rate", "true positive rate", title)


def _roc_points(roc: Roc) -> list[Point]:
    rates = roc.rates
    return [(0.0, 0.0), *((rates[point][0], rates[point][1]) for point in thin_out_roc(roc))]


def _frame(body: str, x_name: str, y_name: str, title: str) -> str:
    """Axes from 0 to 1 around a plot; ``title`` is HTML already."""
    ticks = ""
    for value, words in ((0.0, "0"), (0.5, ".5"), (1.0, "1")):
        ticks += (
            f'<path class="axis" d="M{_x(0):.1f} {_y(value):.1f}H{_x(1):.1f}"/>'
            f'<text x="{_LEFT - 5}" y="{_y(value) + 3:.1f}" text-anchor="end">{words}</text>'
            f'<text x="{_x(value):.1f}" y="{_y(0) + 12:.1f}" text-anchor="middle">{words}</text>'
        )
    names = (
        f'<text x="{_x(0.5):.1f}" y="{_HEIGHT - 4}" text-anchor="middle">{x_name}</text>'
        f'<text transform="translate(7 {_y(0.5):.1f}) rotate(-90)" text-anchor="middle">{y_name}'
        "</text>"
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}">'
        f"{ticks}{names}{body}</svg>"
    )


def _line(points: Iterable[Point], kind: str) -> str:
    path = "L".join(f"{_x(x):.1f} {_y(y):.1f}" for x, y in points)
    return f'<path class="{kind}" d="M{path}"/>' if path else ""


def _x(value: float) -> float:
    return _LEFT + value * (_WIDTH - _LEFT - _RIGHT)


def _y(value: float) -> float:
    return _TOP + (1 - value) * (_HEIGHT - _TOP - _BOTTOM)
