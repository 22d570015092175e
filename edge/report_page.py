"""The frame of every report that is a page on disk, and the parts that they share.

All arguments named ``html`` or ``body`` are HTML already; whatever comes from outside goes through
`text` or `plain` first.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape as escape_html
from typing import TYPE_CHECKING

from edge.printable import escape
from edge.report_file import generator_mark
from edge.report_style import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page, which its navigation names.

    Attributes:
        title: HTML.
        body: HTML; a section without any is left out.
        count: of what it holds, shown next to the title.
    """

    title: str
    body: str
    count: int | None = None


def whole_page(
    command: str,
    title: str,
    header: str,
    sections: Iterable[Section],
    *,
    pictures: str = "data:",
) -> str:
    """Make a page that runs no script and loads nothing but pictures.

    Args:
        command: whose report it is, such as ``data inspect``.
        title: plain text, for the browser's tab.
        header: HTML that begins with the ``h1``.
        pictures: where pictures may come from; by default they are inside the page.
    """
    shown = [section for section in sections if section.body]
    links = "".join(
        f'<li><a href="#s{number}">{section.title}{_count(" <b>{}</b>", section)}</a></li>'
        for number, section in enumerate(shown)
    )
    bodies = "".join(
        f'<section id="s{number}"><h2>{section.title}{_count(" <small>{}</small>", section)}</h2>'
        f"{section.body}</section>\n"
        for number, section in enumerate(shown)
    )
    body = (
        f'<header>{header}</header>\n<nav aria-label="Parts"><ul>{links}</ul></nav>\n'
        f"<main>\n{bodies}</main>"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src {pictures}; style-src 'unsafe-inline'">
{generator_mark(command)}
<title>{plain(title)} · edge {command}</title>
<style>{STYLE}</style>
</head>
<body>
{with_units(body)}
</body>
</html>
"""


def with_units(body: str) -> str:
    """Keep each number in a line with its unit."""
    return body.replace(" %", "\N{NO-BREAK SPACE}%")


def plain(words: str) -> str:
    """Text from outside as HTML, what does not print escaped."""
    return escape_html(escape(words))


def text(words: str) -> str:
    """A name from outside as HTML; one that runs from right to left disturbs no text around it."""
    return f"<bdi>{plain(words)}</bdi>"


def titled(name: str) -> str:
    """As `text`, where its end may be cut off: shown whole under the pointer."""
    return f'<span title="{plain(name)}">{text(name)}</span>'


def lead(figure: str, words: str) -> str:
    """The figure that the report begins with, and what it says; both plain text."""
    return f'<div class="lead"><b>{plain(figure)}</b><span>{plain(words)}</span></div>'


def tiles(figures: Iterable[tuple[str, str]]) -> str:
    """Figures next to each other, each with its name above; both plain text."""
    items = "".join(
        f"<div><dt>{plain(name)}</dt><dd>{plain(value)}</dd></div>" for name, value in figures
    )
    return f'<dl class="tiles">{items}</dl>' if items else ""


def notes(sentences: Iterable[str]) -> str:
    """What a reader must know, in plain text."""
    return note_list(plain(sentence) for sentence in sentences)


def note_list(html: Iterable[str]) -> str:
    """As `notes`, of sentences that are HTML already."""
    items = "".join(f"<li>{sentence}</li>" for sentence in html)
    return f'<ul class="notes">{items}</ul>' if items else ""


def rows(lines: Sequence[str], count: int) -> str:
    """Lines of plain text, and how many more there are; empty if there are none at all."""
    items = "".join(f"<li>{plain(line)}</li>" for line in lines)
    more = f"<li>... and {count - len(lines):,} more</li>" if count > len(lines) else ""
    return f'<ul class="rows">{items}{more}</ul>' if items or more else ""


def table(name: str, head: Iterable[str], body: Iterable[Iterable[str]], kind: str = "") -> str:
    """A table that scrolls sideways where the page is too narrow for it.

    Args:
        name: plain text; what it is a table of, for screen readers.
        head: title of each column as HTML; may be empty.
        body: rows of cells, which are HTML or made by `cell`; the first one names its row.
        kind: class of the table.
    """
    titles = "".join(f'<th scope="col">{title}</th>' if title else "<td></td>" for title in head)
    lines = []
    for first, *others in body:
        cells = "".join(one if one.startswith("<td") else f"<td>{one}</td>" for one in others)
        lines.append(f'<tr><th scope="row">{first}</th>{cells}</tr>')
    of_kind = f' class="{kind}"' if kind else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{plain(name)}">'
        f"<table{of_kind}><thead><tr>{titles}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
        "</div>"
    )


def cell(html: str, kind: str, style: str = "") -> str:
    """A cell of a `table` with a class of its own."""
    of_style = f' style="{style}"' if style else ""
    return f'<td class="{kind}"{of_style}>{html}</td>'


def listing(name: str, html: str) -> str:
    """Lines of a file; ``name`` says which, for screen readers."""
    return f'<pre tabindex="0" role="region" aria-label="{plain(name)}">{html}</pre>'


def _count(frame: str, section: Section) -> str:
    return "" if section.count is None else frame.format(f"{section.count:,}")
