"""A check of an export as one page that works from disk, without a script."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from edge.evaluation.parity.report import MAX_SHOWN
from edge.evaluation.report.pictures import figure, inside
from edge.report_page import (
    Section,
    lead,
    listing,
    notes,
    plain,
    rows,
    table,
    text,
    tiles,
    whole_page,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.evaluation.parity.parity import Parity
    from edge.evaluation.parity.preprocessing import Explanation
    from edge.evaluation.parity.report import ParityReport

COMMAND: Final = "verify"

MAX_PICTURES: Final = 12
"""Pictures of each source on the page, those that are farthest apart, at about 15 KB each."""


def make_page(report: ParityReport, max_pixels: int) -> str:
    """Make the page.

    Args:
        max_pixels: of the largest picture that is shown.
    """
    outcome = report.outcome
    sections = [
        Section(f"Against {text(parity.source)}", "".join(_parts(report, number, max_pixels)))
        for number, parity in enumerate(outcome.parities)
    ]
    sentences = []
    if outcome.done < outcome.planned:
        sentences.append(f"Stopped after {outcome.done:,} of {outcome.planned:,} pictures.")
    verdict = "The same" if report.is_verified else "Different"
    words = f"All sources give the same answers to {outcome.done:,} pictures."
    if not report.is_verified:
        apart = [one for one in outcome.parities if not one.is_verified(report.tolerance)]
        words = f"{len(apart)} of {len(outcome.parities)} sources give other answers."
    header = (
        f"<h1>{plain(PurePath(report.model['path']).name)}</h1>"
        f"<p>{plain(report.model['path'])} ({plain(report.model['family'])})</p>"
        f"{lead(verdict, words)}{notes(sentences)}"
    )
    return whole_page(COMMAND, f"{verdict}: {report.model['path']}", header, sections)


def _parts(report: ParityReport, number: int, max_pixels: int) -> Iterator[str]:
    """What there is to say of a source."""
    parity = report.outcome.parities[number]
    is_same = parity.is_verified(report.tolerance)
    kind, word = ("passed", "the same") if is_same else ("missed", "different")
    yield f'<ul class="demands"><li class="{kind}">{word}</li></ul>'
    yield tiles(_figures(parity))
    if parity.ended:
        yield notes([parity.ended])
    explanation = report.explanations.get(number)
    if explanation is not None:
        yield _explanation(explanation)
    yield _pictures(report, parity, max_pixels)
    failures = [f"{name}: {message}" for name, message in parity.failures]
    if failures:
        yield f"<h3>Failed</h3>{rows(failures[:MAX_SHOWN], len(failures))}"


def _figures(parity: Parity) -> list[tuple[str, str]]:
    close = parity.agreeing - parity.same
    found = [
        ("Pictures compared", f"{parity.compared:,}"),
        ("Same answer", f"{parity.same:,}"),
        ("Too close to call", f"{close:,}"),
        ("Different", f"{parity.compared - parity.agreeing:,}"),
    ]
    if parity.mean_difference is not None:
        found.append(("Scores differ by, on average", f"{parity.mean_difference:.3f}"))
    if parity.worst is not None:
        found.append(("The most", f"{parity.differences[parity.worst].worst:.3f}"))
    if parity.mean_overlap is not None:
        found.append(("Boxes overlap by, on average (IoU)", f"{parity.mean_overlap:.2f}"))
    if parity.missing:
        found.append(("Without an expected answer", f"{parity.missing:,}"))
    return found


def _explanation(found: Explanation) -> str:
    fits = [fit for fit in found.fits if fit.choice != found.current.choice][:MAX_SHOWN]
    lines = [[f"{plain(found.current.choice.words())} (in force)", f"{found.current.distance:.4f}"]]
    lines += [[plain(fit.choice.words()), f"{fit.distance:.4f}"] for fit in fits]
    body = "<h3>Ways of preparing the pixels</h3>" + table(
        "Ways of preparing the pixels", ("way", "distance"), lines, "figures"
    )
    if not found.explains:
        words = "None explains the difference: it has another cause, such as another model."
        return f"{body}<p>{words}</p>"
    return (
        f"{body}<p>This explains the difference: {plain(found.best.choice.words())}. In "
        f"model.toml:</p>{listing('model.toml', chr(10).join(map(plain, found.lines)))}"
    )


def _pictures(report: ParityReport, parity: Parity, max_pixels: int) -> str:
    apart = [number for number, one in parity.differences.items() if not one.agrees]
    apart.sort(key=lambda number: -parity.differences[number].worst)
    cards = ""
    for number in apart[:MAX_PICTURES]:
        picture, found = report.pictures[number], parity.differences[number]
        name = PurePath(picture.name).name
        cards += figure(
            inside(picture.read, name, max_pixels),
            plain(found.words),
            f"scores differ by up to {found.worst:.3f}",
            text(name),
        )
    if not cards:
        return ""
    of_all = f" of {len(apart):,}" if len(apart) > MAX_PICTURES else ""
    count = min(len(apart), MAX_PICTURES)
    return f'<h3>Different: {count:,}{of_all}</h3><div class="cards">{cards}</div>'
