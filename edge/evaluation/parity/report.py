"""What a check of an export says: as text, and as JSON as docs/evaluation.md describes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from edge.printable import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edge.evaluation.parity.parity import Outcome, Parity, Picture
    from edge.evaluation.parity.preprocessing import Explanation

MAX_SHOWN: Final = 10
"""Pictures that the text names; the JSON names all that disagree."""

_MAX_FITS: Final = 5
_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class ParityReport:
    """One run of `edge verify`.

    Attributes:
        model: path, family and digest of the export.
        explanations: by number of the comparison that they are for.
    """

    model: Mapping[str, str]
    outcome: Outcome
    pictures: Sequence[Picture]
    tolerance: float
    explanations: Mapping[int, Explanation] = field(default_factory=dict)

    @property
    def is_verified(self) -> bool:
        """Whether every source agrees."""
        return all(parity.is_verified(self.tolerance) for parity in self.outcome.parities)


def text_lines(report: ParityReport) -> list[str]:
    """The report for people."""
    outcome = report.outcome
    lines = [f"{escape(report.model['path'])} ({report.model['family']})"]
    if outcome.done < outcome.planned:
        lines.append(f"Stopped after {outcome.done:,} of {outcome.planned:,} pictures.")
    for number, parity in enumerate(outcome.parities):
        lines += ["", *_parity_lines(report, parity)]
        explanation = report.explanations.get(number)
        if explanation is not None:
            lines += ["", *_explanation_lines(explanation)]
    words = "VERIFIED: the answers are the same." if report.is_verified else "DIFFERENT."
    return [*lines, "", words]


def _parity_lines(report: ParityReport, parity: Parity) -> Iterator[str]:
    word = "the same" if parity.is_verified(report.tolerance) else "different"
    yield f"against {escape(parity.source)}: {word}"
    if parity.compared:
        yield from _compared_lines(report, parity)
    else:
        yield "  no picture could be compared"
    if parity.missing:
        yield f"  without an expected answer: {parity.missing:,}"
    if parity.ended:
        yield f"  {escape(parity.ended)}"
    failures = [f"{escape(name)}: {escape(message)}" for name, message in parity.failures]
    yield from _first("failed", failures)


def _compared_lines(report: ParityReport, parity: Parity) -> Iterator[str]:
    yield f"  same answer: {parity.same:,} of {parity.compared:,} pictures"
    close = parity.agreeing - parity.same
    if close:
        yield f"  too close to call: {close:,} more, within {report.tolerance:g} of a change"
    if parity.mean_difference is not None:
        yield f"  scores differ by {parity.mean_difference:.3f} on average"
    if parity.mean_overlap is not None:
        yield f"  boxes overlap by {parity.mean_overlap:.2f} on average (IoU)"
    worst = parity.worst
    assert worst is not None
    found = parity.differences[worst]
    name = escape(report.pictures[worst].name)
    yield f"  the most, by {found.worst:.3f}: {name}: {escape(found.words)}"
    apart = [
        f"{escape(report.pictures[number].name)}: {escape(one.words)}"
        for number, one in parity.differences.items()
        if not one.agrees
    ]
    yield from _first("differs", apart)


def _first(word: str, lines: Sequence[str]) -> Iterator[str]:
    """The first few lines, and how many more there are."""
    yield from (f"  {word}: {line}" for line in lines[:MAX_SHOWN])
    if len(lines) > MAX_SHOWN:
        yield f"  {word}: {len(lines) - MAX_SHOWN:,} more"


def _explanation_lines(found: Explanation) -> Iterator[str]:
    pictures = "1 picture" if found.pictures == 1 else f"{found.pictures} pictures"
    yield f"  {len(found.fits)} ways of preparing the pixels were tried on {pictures}:"
    yield f"    {found.current.distance:.4f}  {found.current.choice.words()} (in force)"
    for fit in found.fits[:_MAX_FITS]:
        if fit.choice != found.current.choice:
            yield f"    {fit.distance:.4f}  {fit.choice.words()}"
    if not found.explains:
        yield "  None explains the difference: it has another cause, such as another model."
        return
    yield f"  This explains the difference: {found.best.choice.words()}. In model.toml:"
    for line in found.lines:
        yield f"    {line}"


def report_json(report: ParityReport) -> dict[str, Any]:
    """The report for programs."""
    return {
        "model": dict(report.model),
        "verified": report.is_verified,
        "tolerance": report.tolerance,
        "pictures": {"named": report.outcome.planned, "done": report.outcome.done},
        "against": [
            _parity_json(report, number, parity)
            for number, parity in enumerate(report.outcome.parities)
        ],
    }


def _parity_json(report: ParityReport, number: int, parity: Parity) -> dict[str, Any]:
    worst = parity.worst
    explanation = report.explanations.get(number)
    return {
        "source": parity.source,
        "verified": parity.is_verified(report.tolerance),
        "compared": parity.compared,
        "same": parity.same,
        "agreeing": parity.agreeing,
        "mean_score_difference": _rounded(parity.mean_difference),
        "worst_score_difference": (
            None
            if not parity.differences
            else _rounded(max(one.worst for one in parity.differences.values()))
        ),
        "mean_iou": _rounded(parity.mean_overlap),
        "worst": None if worst is None else report.pictures[worst].name,
        "differing": [
            {"file": report.pictures[n].name, "words": one.words}
            for n, one in parity.differences.items()
            if not one.agrees
        ],
        "missing": parity.missing,
        "ended": parity.ended or None,
        "failures": [{"file": name, "message": message} for name, message in parity.failures],
        "preprocessing": None if explanation is None else _explanation_json(explanation),
    }


def _explanation_json(found: Explanation) -> dict[str, Any]:
    return {
        "pictures": found.pictures,
        "in_force": {"distance": _rounded(found.current.distance)}
        | {"choice": found.current.choice.words()},
        "explains": found.explains,
        "model_toml": list(found.lines),
        "tried": [
            {"distance": _rounded(fit.distance), "choice": fit.choice.words()} for fit in found.fits
        ],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
