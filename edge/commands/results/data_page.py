"""An inspection of a data set as one page that works from disk, without a script."""

from __future__ import annotations

from html import escape as escape_html
from typing import TYPE_CHECKING, Final

from edge.datasets.dataset import Split
from edge.datasets.describe import label_sets, suspect_words
from edge.evaluation.report.pictures import card
from edge.evaluation.report.style import PAGE_STYLE
from edge.printable import escape
from edge.report_file import page_start
from edge.report_style import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from edge.datasets.describe import Describer
    from edge.datasets.inspection import Group, Inspection, LabelCount

_MAX_CARDS: Final = 24
"""Pictures of a section, at about 15 KB each; a page with all of them has about 1 MB."""

_MAX_OF_GROUP: Final = 4
"""Pictures that are shown of a group."""

_MAX_ROWS: Final = 200

COMMAND: Final = "data inspect"

_BARS: Final = """
.bars td.wide { min-width: 12rem; width: 100%; }
.bars .bar { display: flex; width: 100%; height: 10px; margin: 0; }
.bars .bar i { flex: none; }
.bars .bar i.validation { background: var(--second); }
.bars .bar i.test { background: var(--good); }
.splits { display: flex; gap: 1rem; flex-wrap: wrap; }
.splits i { display: inline-block; width: .8em; height: .8em; border-radius: 2px;
  background: var(--accent); }
.splits i.validation { background: var(--second); }
.splits i.test { background: var(--good); }
.todo li.repair { color: var(--ink); }
.todo li b { text-transform: capitalize; }
.rows { margin: 0; padding-left: 1.2rem; overflow-wrap: anywhere; }
"""


def make_page(found: Inspection, describer: Describer, file: Path, max_pixels: int) -> str:
    """Make the page.

    Args:
        file: where it will be, for the links to pictures.
        max_pixels: of the largest picture that is shown.
    """
    return _Page(found, describer, file, max_pixels).html()


class _Page:
    def __init__(
        self, found: Inspection, describer: Describer, file: Path, max_pixels: int
    ) -> None:
        self._found = found
        self._describer = describer
        self._file = file
        self._max_pixels = max_pixels

    def html(self) -> str:
        """The whole page."""
        found = self._found
        torn, alike = _torn_first(found.same), _torn_first(found.near)
        sections = {
            "Labels": (len(found.counts), _label_table(found.counts)),
            "Cannot be read": (found.reading.fault_count, self._faults()),
            "Broken pictures": (len(found.broken), self._broken()),
            "Probably mislabelled": (len(found.suspects or ()), self._suspects()),
            "The same picture": (len(torn), self._groups(torn)),
            "Nearly the same": (len(alike), self._groups(alike)),
            "Tiny pictures": (len(found.tiny), self._tiny()),
        }
        shown = {title: part for title, part in sections.items() if part[0]}
        links = "".join(
            f'<li><a href="#s{number}">{title} <b>{count:,}</b></a></li>'
            for number, (title, (count, _)) in enumerate(shown.items())
        )
        bodies = "".join(
            f'<section id="s{number}"><h2>{title} <small>{count:,}</small></h2>{body}</section>\n'
            for number, (title, (count, body)) in enumerate(shown.items())
        )
        name = escape_html(escape(found.data_set.path.name or str(found.data_set.path)))
        return (
            f"{page_start(COMMAND)}<title>{name} · edge {COMMAND}</title>\n"
            f"<style>{STYLE}{PAGE_STYLE}{_BARS}</style>\n</head>\n<body>\n"
            f"<header><h1>{name}</h1><p>{escape_html(self._describer.headline())}</p>"
            f"{self._advice()}</header>\n"
            f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n<main>\n{bodies}</main>\n'
            "</body>\n</html>\n"
        )

    def _advice(self) -> str:
        notes = [("note", note) for note in self._found.reading.notes]
        advice = [(str(one.weight), one.text) for one in self._describer.advice]
        items = "".join(
            f'<li class="{weight}"><b>{weight}</b>: {escape_html(text)}</li>'
            for weight, text in advice + notes
        )
        if not items:
            return '<ul class="notes todo"><li>Nothing to do: train on it.</li></ul>'
        return f'<ul class="notes todo">{items}</ul>'

    def _faults(self) -> str:
        lines = [f"{fault.source}: {fault.reason}" for fault in self._found.reading.faults]
        return _rows(lines, self._found.reading.fault_count)

    def _broken(self) -> str:
        items = self._found.broken.items()
        lines = [f"{self._describer.name(index)}: {words}" for index, words in items]
        return _rows(lines[:_MAX_ROWS], len(lines))

    def _suspects(self) -> str:
        suspects = self._found.suspects or ()
        cards = [
            self._card(one.index, suspect_words(one), f"{one.confidence:.0%} likely")
            for one in suspects[:_MAX_CARDS]
        ]
        return _cards(cards, len(suspects))

    def _tiny(self) -> str:
        cards = [
            self._card(index, f"{width} x {height} pixels", self._labels(index))
            for index, (width, height) in list(self._found.tiny.items())[:_MAX_CARDS]
        ]
        return _cards(cards, len(self._found.tiny))

    def _groups(self, groups: Sequence[Group]) -> str:
        parts: list[str] = []
        for group in groups[: _MAX_CARDS // 2]:
            words = [f"{len(group.indices)} pictures"]
            if len(group.labels) > 1:
                words.append(f"different labels: {label_sets(group.labels)}")
            if len(group.splits) > 1:
                words.append(f"in several splits: {', '.join(group.splits)}")
            cards = [
                self._card(index, self._labels(index), self._split(index))
                for index in _spread(group, self._found)
            ]
            parts.append(f"<p>{escape_html('; '.join(words))}</p>{_cards(cards, len(cards))}")
        rest = len(groups) - len(parts)
        if rest:
            parts.append(f"<p>... and {rest:,} more groups</p>")
        return "".join(parts)

    def _labels(self, index: int) -> str:
        return label_sets([self._found.data_set.examples[index].labels])

    def _split(self, index: int) -> str:
        return self._found.data_set.examples[index].split or ""

    def _card(self, index: int, words: str, why: str) -> str:
        example = self._found.data_set.examples[index]
        return card(example, [], words, why, self._file, self._max_pixels)


def _spread(group: Group, found: Inspection) -> list[int]:
    """The first pictures of a group, one of each label and split before a second one."""
    examples = found.data_set.examples
    by_kind: dict[object, int] = {}
    for index in group.indices:
        by_kind.setdefault((examples[index].labels, examples[index].split), index)
    first = list(by_kind.values())
    rest = [index for index in group.indices if index not in set(first)]
    return (first + rest)[:_MAX_OF_GROUP]


def _torn_first(groups: Iterable[Group]) -> list[Group]:
    """Groups that contradict each other first."""
    return sorted(groups, key=lambda one: len(one.labels) == 1 and len(one.splits) <= 1)


def _label_table(counts: Sequence[LabelCount]) -> str:
    most = max((one.pictures for one in counts), default=1)
    has_boxes = any(one.boxes for one in counts)
    heads = ["pictures", *(["boxes"] if has_boxes else []), *Split]
    rows: list[str] = []
    for one in counts[:_MAX_ROWS]:
        numbers = [one.pictures, *([one.boxes] if has_boxes else [])]
        numbers += [one.splits[split] for split in Split]
        cells = "".join(f"<td>{number:,}</td>" for number in numbers)
        bar = "".join(
            f'<i class="{split}" style="width:{one.splits[split] / most:.2%}"></i>'
            for split in Split
        )
        label = escape_html(escape(one.label))
        rows.append(
            f'<tr><th scope="row" title="{label}">{label}</th>{cells}'
            f'<td class="wide"><span class="bar">{bar}</span></td></tr>'
        )
    if len(counts) > _MAX_ROWS:
        rows.append(f'<tr><th scope="row">and {len(counts) - _MAX_ROWS:,} more</th></tr>')
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    key = "".join(f'<span><i class="{split}"></i> {split}</span>' for split in Split)
    return (
        f'<p class="splits">{key}</p><div class="scroll"><table class="bars"><thead><tr>'
        f'<th scope="col">label</th>{head}<td></td></tr></thead><tbody>{"".join(rows)}</tbody>'
        "</table></div>"
    )


def _rows(lines: Sequence[str], count: int) -> str:
    items = "".join(f"<li>{escape_html(line)}</li>" for line in lines)
    more = f"<li>... and {count - len(lines):,} more</li>" if count > len(lines) else ""
    return f'<ul class="rows">{items}{more}</ul>'


def _cards(cards: Sequence[str], count: int) -> str:
    more = f"<p>... and {count - len(cards):,} more</p>" if count > len(cards) else ""
    return f'<div class="cards">{"".join(cards)}</div>{more}'
