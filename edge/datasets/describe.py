"""An inspection in words and as JSON."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from edge.counted import counted
from edge.datasets.advice import advise, imbalance
from edge.datasets.dataset import Split
from edge.printable import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edge.datasets.inspection import Group, Inspection, LabelCount
    from edge.datasets.mislabels import Suspect

MAX_LABELS: Final = 40
MAX_LINES: Final = 10
"""Lines of each kind in the text; the JSON has all."""

_MAX_MEMBERS: Final = 4
"""Pictures of a group that a line names."""


class Describer:
    """Describes one inspection.

    Attributes:
        advice: what to do next.
    """

    def __init__(self, found: Inspection) -> None:
        self._found = found
        self._examples = found.data_set.examples
        root = found.data_set.path
        self._root = root if root.is_dir() else root.parent
        self.advice = advise(found)

    def name(self, index: int) -> str:
        """The path of an example's picture below the data set, escaped."""
        return escape(os.path.relpath(self._examples[index].image, self._root))

    def headline(self) -> str:
        """The set in one line."""
        data_set = self._found.data_set
        parts = [
            counted(len(data_set.examples), "picture"),
            counted(len(data_set.labels), "label"),
            f"read as {data_set.layout}",
        ]
        if self._found.nothing:
            parts.append(f"{self._found.nothing:,} show nothing")
        if data_set.unlabeled:
            parts.append(f"{len(data_set.unlabeled):,} without a label")
        return ", ".join(parts)

    def text_lines(self) -> Iterator[str]:
        """Yield the whole report; what comes from outside is escaped."""
        found = self._found
        yield self.headline()
        for note in found.reading.notes:
            yield f"note: {note}"
        yield from self._label_lines()
        faults = [f"{fault.source}: {fault.reason}" for fault in found.reading.faults]
        yield from _section("Cannot be read", faults, found.reading.fault_count)
        broken = [f"{self.name(index)}: {words}" for index, words in found.broken.items()]
        yield from _section("Broken pictures", broken)
        tiny = [f"{self.name(index)}: {w} x {h}" for index, (w, h) in found.tiny.items()]
        yield from _section("Tiny pictures", tiny)
        yield from _section("The same picture", [self.group_words(one) for one in found.same])
        yield from _section("Nearly the same", [self.group_words(one) for one in found.near])
        if found.suspects is not None:
            lines = [
                f"{self.name(one.index)}: {suspect_words(one)} ({one.confidence:.0%})"
                for one in found.suspects
            ]
            yield from _section("Probably mislabelled", lines)
        if not self._has_findings():
            yield ""
            yield self._clean_words()
        yield ""
        yield "What to do next"
        if not self.advice:
            yield "  Nothing: train on it."
        for one in self.advice:
            yield f"  {one.weight}: {one.text}"

    def _has_findings(self) -> bool:
        found = self._found
        of_pictures = (found.broken, found.tiny, found.same, found.near, found.suspects)
        return bool(found.reading.fault_count or any(of_pictures))

    def _clean_words(self) -> str:
        words = "No picture is broken, tiny, or there twice"
        if self._found.suspects is None:
            return f"{words}."
        return f"{words}, and no label is contradicted by what the picture shows."

    def _label_lines(self) -> Iterator[str]:
        counts = self._found.counts
        if not counts:
            return
        shown = counts[:MAX_LABELS]
        width = max(len("label"), *(len(escape(one.label)) for one in shown))
        has_boxes = self._found.is_detection
        heads = ["pictures", *(["boxes"] if has_boxes else []), *Split]
        yield ""
        yield "  ".join([f"{'label':{width}}", *heads])
        for one in shown:
            numbers = [one.pictures, *([one.boxes] if has_boxes else [])]
            numbers += [one.splits[split] for split in Split]
            cells = [f"{number:{len(head)},}" for head, number in zip(heads, numbers, strict=True)]
            yield "  ".join([f"{escape(one.label):{width}}", *cells])
        if len(counts) > len(shown):
            yield f"... and {len(counts) - len(shown):,} labels more"
        if len(counts) > 1:
            yield f"imbalance: {imbalance(counts):.1f} times more of the first than of the last"

    def group_words(self, group: Group) -> str:
        """The pictures of a group on one line, with what they contradict each other in."""
        names = [self.name(index) for index in group.indices[:_MAX_MEMBERS]]
        if len(group.indices) > len(names):
            names.append(f"and {len(group.indices) - len(names)} more")
        words = ", ".join(names)
        if len(group.labels) > 1:
            words += f" [labels: {label_sets(group.labels)}]"
        if len(group.splits) > 1:
            words += f" [splits: {', '.join(group.splits)}]"
        return words

    def json(self) -> dict[str, Any]:
        """Everything, for programs."""
        found = self._found
        data_set = found.data_set
        return {
            "path": str(data_set.path),
            "layout": data_set.layout,
            "pictures": len(data_set.examples),
            "unlabeled": len(data_set.unlabeled),
            "showing_nothing": found.nothing,
            "notes": list(found.reading.notes),
            "fault_count": found.reading.fault_count,
            "faults": [
                {"source": fault.source, "reason": fault.reason} for fault in found.reading.faults
            ],
            "imbalance": round(imbalance(found.counts), 4),
            "labels": [_count_json(one) for one in found.counts],
            "broken": [
                {"file": self._file(index), "reason": words}
                for index, words in found.broken.items()
            ],
            "tiny": [
                {"file": self._file(index), "width": width, "height": height}
                for index, (width, height) in found.tiny.items()
            ],
            "same": [self._group_json(one) for one in found.same],
            "near_duplicates": [self._group_json(one) for one in found.near],
            "probably_mislabelled": None
            if found.suspects is None
            else [
                {
                    "file": self._file(one.index),
                    "has": one.has,
                    "suggested": one.suggested,
                    "confidence": one.confidence,
                }
                for one in found.suspects
            ],
            "advice": [{"weight": str(one.weight), "text": one.text} for one in self.advice],
        }

    def _file(self, index: int) -> str:
        return os.path.relpath(self._examples[index].image, self._root)

    def _group_json(self, group: Group) -> dict[str, Any]:
        return {
            "files": [self._file(index) for index in group.indices],
            "labels": [list(labels) for labels in group.labels],
            "splits": list(group.splits),
        }


def suspect_words(suspect: Suspect) -> str:
    """What is probably wrong with a picture's label."""
    if not suspect.has:
        return f"shows {escape(suspect.suggested)} as well"
    if not suspect.suggested:
        return f"does not show {escape(suspect.has)}"
    return f"labelled {escape(suspect.has)}, looks like {escape(suspect.suggested)}"


def label_sets(labels: Iterable[Sequence[str]]) -> str:
    """Sets of labels on one line."""
    return " / ".join(", ".join(map(escape, one)) or "nothing" for one in labels)


def _count_json(one: LabelCount) -> dict[str, Any]:
    return {
        "label": one.label,
        "pictures": one.pictures,
        "boxes": one.boxes,
        "splits": {str(split): one.splits[split] for split in Split},
    }


def _section(title: str, lines: Sequence[str], count: int | None = None) -> Iterator[str]:
    """A title with the number of its lines, and the first of them."""
    count = len(lines) if count is None else count
    if not count:
        return
    yield ""
    yield f"{title}: {count:,}"
    for line in lines[:MAX_LINES]:
        yield f"  {line}"
    if count > MAX_LINES:
        yield f"  ... and {count - min(MAX_LINES, len(lines)):,} more"
