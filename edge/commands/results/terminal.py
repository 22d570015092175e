"""Answers on a terminal: one line an image, cut to its width; a single image in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from edge.commands.results.words import count_labels, describe, percent, visible
from edge.printable import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from edge.commands.results.outcome import Outcome
    from edge.commands.results.summary import Summary
    from edge.dataplane.answer import Answer
    from edge.model.prediction import Item

_STYLES: Final = {"certain": "", "unsure": "yellow", "failed": "red"}
_MIN_NAME_CELLS: Final = 16
_NAME_SHARE: Final = 0.4
"""Of the terminal's width that names may take."""

_GAP: Final = "  "


class Lines:
    """Prints each image's answer on a line of its own, and the summary below.

    Args:
        names: of all images, to line the answers up.
    """

    def __init__(self, console: Console, names: Sequence[str]) -> None:
        self._console = console
        longest = max(cell_len(escape(name)) for name in names)
        share = max(_MIN_NAME_CELLS, int(console.width * _NAME_SHARE))
        self._name_cells = min(longest, share)

    async def add(self, outcome: Outcome) -> None:
        """Print the line of an image."""
        ellipsis = _ellipsis(self._console)
        name = shorten_middle(escape(outcome.name), self._name_cells, ellipsis)
        line = Text(set_cell_size(name, self._name_cells) + _GAP)
        room = self._console.width - line.cell_len
        words = shorten_end(_fitting(outcome, room), room, ellipsis)
        line.append(words, _STYLES[outcome.status])
        self._console.print(line, no_wrap=True, overflow="ignore", crop=False, highlight=False)

    def finish(self, summary: Summary) -> None:
        """Print the summary."""
        print_summary(self._console, summary)


class Details:
    """Prints a single image's answer: its words, then every prediction with its score and box."""

    def __init__(self, console: Console) -> None:
        self._console = console

    async def add(self, outcome: Outcome) -> None:
        """Print the image's answer."""
        name, words = escape(outcome.name), describe(outcome.result)
        heading = Text.assemble((f"{name}: ", "bold"), (words, _STYLES[outcome.status]))
        self._console.print(heading, highlight=False, soft_wrap=True)
        if outcome.answer is not None:
            for row in _rows(outcome.answer):
                self._console.print(row, highlight=False, soft_wrap=True)

    def finish(self, summary: Summary) -> None:
        """Do nothing: a single image needs no summary."""


def print_summary(console: Console, summary: Summary) -> None:
    """Print the summary, an empty line above it."""
    console.print()
    for line in summary.lines():
        console.print(line, style="bold", markup=False, highlight=False, soft_wrap=True)


def shorten_middle(text: str, cells: int, ellipsis: str) -> str:
    """Cut a text's middle so that it takes no more cells: both ends of a path tell most."""
    if cell_len(text) <= cells:
        return text
    kept = max(cells - cell_len(ellipsis), 0)
    tail = _last_cells(text, (kept + 1) // 2)
    head = set_cell_size(text, kept - cell_len(tail)).rstrip(" ")
    return head + ellipsis + tail


def shorten_end(text: str, cells: int, ellipsis: str) -> str:
    """Cut a text's end so that it takes no more cells."""
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, max(cells - cell_len(ellipsis), 0)).rstrip(" ") + ellipsis


def _last_cells(text: str, cells: int) -> str:
    start = len(text)
    while start > 0 and cell_len(text[start - 1 :]) <= cells:
        start -= 1
    return text[start:]


def _fitting(outcome: Outcome, room: int) -> str:
    """The words with as many labels as there is room for; at least one of them."""
    words = describe(outcome.result)
    for labels in range(count_labels(outcome.result) - 1, 0, -1):
        if cell_len(words) <= room:
            break
        words = describe(outcome.result, labels)
    return words


def _ellipsis(console: Console) -> str:
    return "…" if console.encoding.startswith("utf") else "..."


def _rows(answer: Answer) -> list[Text]:
    items = visible(answer.items)
    label_cells = max((cell_len(escape(item.label)) for item in items), default=0)
    rows = [_row(item, label_cells) for item in items]
    stages = answer.stages
    took = stages.decode + stages.preprocess + stages.infer + stages.postprocess
    facts = f"{answer.width} x {answer.height} pixels, {took:.1f} ms, model {answer.model.name}"
    return [*rows, Text(f"{_GAP}{escape(facts)}", "dim")]


def _row(item: Item, label_cells: int) -> Text:
    label = set_cell_size(escape(item.label), label_cells)
    row = Text(f"{_GAP}{label}{_GAP}{percent(item.score):>5}{_GAP}{item.score:.3f}")
    if item.box is not None:
        x_min, y_min, x_max, y_max = item.box
        row.append(f"{_GAP}x {x_min:.2f}-{x_max:.2f}, y {y_min:.2f}-{y_max:.2f}", "dim")
    return row
