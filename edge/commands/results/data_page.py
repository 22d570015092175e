"""An inspection of a data set as one page that works from disk, without a script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.datasets.dataset import Split
from edge.datasets.describe import label_sets, suspect_words
from edge.evaluation.report.pictures import card
from edge.report_page import (
    Section,
    cell,
    note_list,
    notes,
    plain,
    rows,
    table,
    titled,
    whole_page,
)

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
        fault_count = found.reading.fault_count
        unread = [f"{fault.source}: {fault.reason}" for fault in found.reading.faults]
        broken = [f"{self._describer.name(one)}: {why}" for one, why in found.broken.items()]
        sections = [
            Section("Labels", _label_table(found.counts), len(found.counts)),
            Section("Cannot be read", rows(unread, fault_count), fault_count),
            Section("Broken pictures", rows(broken[:_MAX_ROWS], len(broken)), len(broken)),
            Section("Probably mislabelled", self._suspects(), len(found.suspects or ())),
            Section("The same picture", self._groups(torn), len(torn)),
            Section("Nearly the same", self._groups(alike), len(alike)),
            Section("Tiny pictures", self._tiny(), len(found.tiny)),
        ]
        name = found.data_set.path.name or str(found.data_set.path)
        header = f"<h1>{plain(name)}</h1><p>{plain(self._describer.headline())}</p>{self._advice()}"
        return whole_page(COMMAND, name, header, sections)

    def _advice(self) -> str:
        advice = [(str(one.weight), one.text) for one in self._describer.advice]
        advice += [("note", note) for note in self._found.reading.notes]
        if not advice:
            return notes(["Nothing to do: train on it."])
        return note_list(f"<b>{weight}</b>: {plain(words)}" for weight, words in advice)

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
            parts.append(f"<p>{plain('; '.join(words))}</p>{_cards(cards, len(cards))}")
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
        return card(example, [], plain(words), why, self._file, self._max_pixels)


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
    """A row for each label; empty without labels."""
    if not counts:
        return ""
    most = max(one.pictures for one in counts)
    has_boxes = any(one.boxes for one in counts)
    lines: list[list[str]] = []
    for one in counts[:_MAX_ROWS]:
        numbers = [one.pictures, *([one.boxes] if has_boxes else [])]
        numbers += [one.splits[split] for split in Split]
        bar = "".join(
            f'<i class="{split}" style="width:{one.splits[split] / most:.2%}"></i>'
            for split in Split
        )
        cells = [f"{number:,}" for number in numbers]
        lines.append([titled(one.label), *cells, cell(f'<span class="bar">{bar}</span>', "wide")])
    if len(counts) > _MAX_ROWS:
        lines.append([f"and {len(counts) - _MAX_ROWS:,} more"])
    head = ["label", "pictures", *(["boxes"] if has_boxes else []), *Split, ""]
    key = "".join(f'<span><i class="{split}"></i> {split}</span>' for split in Split)
    return f'<p class="splits">{key}</p>{table("Pictures of each label", head, lines)}'


def _cards(cards: Sequence[str], count: int) -> str:
    if not cards:
        return ""
    more = f"<p>... and {count - len(cards):,} more</p>" if count > len(cards) else ""
    return f'<div class="cards">{"".join(cards)}</div>{more}'
