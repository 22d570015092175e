"""An evaluation as JSON, as docs/evaluation.md describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edge.evaluation.report.words import notes

if TYPE_CHECKING:
    from edge.evaluation.classification import LabelFigures
    from edge.evaluation.comparison import Comparison
    from edge.evaluation.curves import Curve
    from edge.evaluation.evaluation import Evaluation, Judgement, Report, ThresholdReport
    from edge.evaluation.gate import Verdict
    from edge.evaluation.roc import OperatingPoint, Roc

MAX_POINTS: Final = 100
"""Points of a curve: more than a plot shows."""

_DIGITS: Final = 6


def report_json(report: Report) -> dict[str, Any]:
    """Everything that a run has to say."""
    body = evaluation_json(report.evaluation)
    if report.other is not None and report.comparison is not None:
        body["against"] = evaluation_json(report.other)
        body["comparison"] = _comparison_json(report.evaluation, report.comparison)
    if report.thresholds is not None:
        body["thresholds"] = _thresholds_json(report.thresholds)
    if report.verdicts:
        body["demands"] = [_verdict_json(verdict) for verdict in report.verdicts]
    return body


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    """One model on one set."""
    judgement = evaluation.judgement
    return {
        "model": dict(evaluation.model),
        "task": evaluation.task,
        "multi_label": evaluation.multi_label,
        "data_set": {
            **evaluation.data_set,
            "split": evaluation.selected.split,
            "unknown_labels": evaluation.selected.unknown,
        },
        "pictures": {
            "chosen": evaluation.planned,
            "answered": evaluation.answered,
            "failed": len(evaluation.failures),
            "learnt": evaluation.learnt,
        },
        "stopped": evaluation.done < evaluation.planned,
        "seconds": round(evaluation.seconds, 3),
        "counting": judgement.threshold_words,
        "notes": notes(evaluation),
        "figures": {
            name: rounded(value) for name, value in judgement.figures.items() if ":" not in name
        },
        "labels": [_label_json(one) for one in judgement.labels],
        "confusion": _confusion_json(judgement),
        "calibration": [
            {
                "low": one.low,
                "high": one.high,
                "answers": one.answers,
                "score": rounded(one.score),
                "accuracy": rounded(one.accuracy),
            }
            for one in judgement.calibration
        ],
        "curves": {label: _curve_json(curve) for label, curve in judgement.curves.items()},
        "roc": None if judgement.roc is None else _roc_json(judgement.roc),
        "mistakes": [
            {
                "file": str(one.example.image),
                "labels": list(one.example.labels),
                "predictions": [item.as_json() for item in one.said],
                "why": one.why,
            }
            for one in judgement.mistakes
        ],
        "failures": [
            {"file": str(one.example.image), "message": one.message} for one in evaluation.failures
        ],
    }


def rounded(value: float | None) -> float | None:
    """The value to six digits, as scores are written."""
    return None if value is None else round(value, _DIGITS)


def thin_out(curve: Curve, most: int = MAX_POINTS) -> list[int]:
    """The points of a curve to write, evenly chosen, the first and the last among them."""
    return _evenly(len(curve.thresholds), most)


def thin_out_roc(roc: Roc, most: int = MAX_POINTS) -> list[int]:
    """The points of a ROC curve to write: its corners, evenly chosen if there are more."""
    corners = roc.corners
    return [int(corners[number]) for number in _evenly(len(corners), most)]


def _evenly(count: int, most: int) -> list[int]:
    chosen = np.linspace(0, count - 1, min(count, most))
    return sorted({round(number) for number in chosen.tolist()})


def _label_json(one: LabelFigures) -> dict[str, Any]:
    return {
        "label": one.label,
        "there": one.positives,
        "answered": one.answered,
        "right": one.right,
        "precision": rounded(one.precision),
        "recall": rounded(one.recall),
        "f1": rounded(one.f1),
        "average_precision": rounded(one.average_precision),
    }


def _confusion_json(judgement: Judgement) -> list[dict[str, Any]] | None:
    """Each pair that occurs; ``None`` stands for nothing there, or nothing answered."""
    if judgement.confusion is None:
        return None
    names = [*judgement.confusion_labels, None]
    rows, columns = judgement.confusion.nonzero()
    return [
        {
            "true": names[row],
            "answered": names[column],
            "count": int(judgement.confusion[row, column]),
        }
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    ]


def _curve_json(curve: Curve) -> list[dict[str, float]]:
    return [
        {
            "threshold": round(float(curve.thresholds[point]), _DIGITS),
            "precision": round(float(curve.precision[point]), _DIGITS),
            "recall": round(float(curve.recall[point]), _DIGITS),
        }
        for point in thin_out(curve)
    ]


def _roc_json(roc: Roc) -> dict[str, Any]:
    """The curve from 0, 0 to 1, 1; no points if there is none."""
    points: list[dict[str, float | None]] = []
    if roc.has_curve:
        rates, names = roc.rates, ("false_positive_rate", "true_positive_rate")
        # Above every score; JSON has no infinity.
        points.append({"threshold": None} | dict.fromkeys(names, 0.0))
        for point in thin_out_roc(roc):
            at_point = dict(zip(names, rates[point].round(_DIGITS).tolist(), strict=True))
            points.append({"threshold": round(float(roc.thresholds[point]), _DIGITS)} | at_point)
    return {
        "anomalies": roc.in_force.anomalies,
        "good": roc.in_force.good,
        "area": rounded(roc.area),
        "in_force": _operating_point_json(roc.in_force),
        "points": points,
    }


def _operating_point_json(point: OperatingPoint) -> dict[str, Any]:
    return {
        "threshold": rounded(point.threshold),
        "found": point.found,
        "false_alarms": point.alarms,
        "true_positive_rate": rounded(point.true_positive_rate),
        "false_positive_rate": rounded(point.false_positive_rate),
    }


def _comparison_json(evaluation: Evaluation, found: Comparison) -> dict[str, Any]:
    examples = evaluation.selected.examples
    return {
        "pictures": found.pictures,
        "both_right": found.both_right,
        "both_wrong": found.both_wrong,
        "only_this_right": [str(examples[number].image) for number in found.gained],
        "only_other_right": [str(examples[number].image) for number in found.lost],
        "p": found.p,
    }


def _thresholds_json(report: ThresholdReport) -> dict[str, Any]:
    return {
        "precision": report.wanted,
        "file": report.file,
        "written": report.written,
        "diff": report.diff,
        "note": report.note,
        "labels": [
            {
                "label": one.label,
                "threshold": one.threshold,
                "precision": rounded(one.precision),
                "recall": rounded(one.recall),
                "answers": one.shown,
                "few": one.is_thin,
            }
            for one in report.thresholds
        ],
    }


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "figure": verdict.demand.name,
        "least": verdict.demand.least,
        "value": rounded(verdict.value),
        "passed": verdict.passed,
    }
