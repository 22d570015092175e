"""A report to look at: a page with every picture, its boxes or heat, by label, unsure first.

It works from disk: one page without scripts, which refers to nothing but the thumbnails next to
it. It holds no picture itself, and a browser loads a thumbnail when it comes into sight, so that
thousands of images are still a page of a few megabytes.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from edge.commands.images import STANDARD_INPUT
from edge.commands.results.words import describe, percent, visible
from edge.counted import counted
from edge.errors import OutputError, RequestError
from edge.printable import escape
from edge.report_file import generator_mark
from edge.report_page import Section, plain, text, whole_page
from edge.vision.palette import css_variables
from edge.vision.thumbnail import thumbnail

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from edge.commands.results.outcome import Outcome
    from edge.commands.results.summary import Summary
    from edge.dataplane.answer import Answer
    from edge.model.prediction import Item

_PAGE: Final = "index.html"
THUMBNAILS: Final = "thumbnails"
_COMMAND: Final = "predict"
_MARK: Final = generator_mark(_COMMAND)
"""Distinguishes an older report from a page that must not be overwritten."""

_SIDE: Final = 480
"""Longer side of a thumbnail in pixels: 20 to 40 KB each."""

_CARD_RATIO: Final = 4 / 3  # as in `edge.report_style`
_CARD_WIDTH: Final = 290  # pixels of a card on a desk's screen, about
_LETTER_WIDTH: Final = 7.5  # of the captions' font, about

_UNSURE, _LABELLED, _EMPTY, _FAILED = range(4)  # kinds of groups, in the order of the page


@dataclass(frozen=True, slots=True)
class _Card:
    """One image on the page: its HTML, and its best score, by which a group is sorted."""

    html: str
    score: float


class HtmlReport:
    """Collects the outcomes, writes their thumbnails, and in the end the page.

    Args:
        folder: where to write; an older report there is replaced.
        max_pixels: of the largest image that a thumbnail is made of.

    Raises:
        OutputError: the folder cannot be written, or holds another page.
    """

    def __init__(self, folder: Path, max_pixels: int) -> None:
        self._folder = folder
        self._max_pixels = max_pixels
        self._count = 0
        self._model = ""
        self._groups: defaultdict[tuple[int, str], list[_Card]] = defaultdict(list)
        try:
            self._make_room()
        except OSError as error:
            raise self._unwritable(error) from error

    async def add(self, outcome: Outcome) -> None:
        """Write the thumbnail of an image, and keep its card."""
        self._count += 1
        answer = outcome.answer
        picture = ""
        if answer is not None:
            self._model = answer.model.name
            picture = await self._picture(outcome, answer)
        score = answer.items[0].score if answer is not None and answer.items else 0.0
        self._groups[_group(outcome)].append(_Card(self._card(outcome, picture), score))

    def finish(self, summary: Summary) -> None:
        """Write the page."""
        groups = sorted(self._groups.items(), key=lambda group: (group[0][0], -len(group[1])))
        sections = [
            Section(_title(kind, label), _cards(cards), len(cards))
            for (kind, label), cards in groups
        ]
        counts = f"{summary.unsure} unsure, {summary.failed} failed"
        facts = f"{counts}, by the model {self._model}" if self._model else counts
        if summary.done < summary.planned:
            facts += f"; stopped, {summary.planned - summary.done} images were not looked at"
        count = counted(self._count, "image")
        header = f"<h1>{count}</h1><p>{plain(facts)}</p>"
        page = whole_page(_COMMAND, count, header, sections, pictures="'self' file:")
        try:
            self._folder.joinpath(_PAGE).write_text(page, "utf-8")
        except OSError as error:
            raise self._unwritable(error) from error

    def _make_room(self) -> None:
        page = self._folder / _PAGE
        if page.exists() and _MARK not in page.read_text("utf-8", "replace"):
            reason = f"{page} is there and is no report of edge. Name another folder."
            raise OutputError(reason)
        pictures = self._folder / THUMBNAILS
        pictures.mkdir(parents=True, exist_ok=True)
        if page.exists():
            for old in pictures.glob("[0-9]*.jpg"):
                old.unlink()

    async def _picture(self, outcome: Outcome, answer: Answer) -> str:
        """The thumbnail and the boxes on it; words where the image cannot be shown."""
        name = f"{self._count:05}.jpg"
        try:
            heat = answer.prediction.heat_map
            jpeg = await asyncio.to_thread(
                thumbnail, outcome.content, _SIDE, max_pixels=self._max_pixels, heat=heat
            )
            self._folder.joinpath(THUMBNAILS, name).write_bytes(jpeg)
        except RequestError:  # a model that decodes by itself accepted this image
            return '<div class="picture"><p>cannot be shown</p></div>'
        except OSError as error:
            raise self._unwritable(error) from error
        ratio = answer.width / answer.height
        shape = "wide" if ratio >= _CARD_RATIO else "tall"
        width = _CARD_WIDTH * min(1.0, ratio / _CARD_RATIO)
        items = reversed(visible(answer.items))  # the best one last, on top of the others
        boxes = "".join(_box(item, width) for item in items if item.box)
        return (
            f'<div class="picture"><div class="frame {shape}" '
            f'style="aspect-ratio:{answer.width}/{answer.height}">'
            f'<img src="{THUMBNAILS}/{name}" alt="{plain(outcome.name)}" loading="lazy" '
            f'decoding="async" width="{answer.width}" height="{answer.height}">{boxes}</div></div>'
        )

    def _card(self, outcome: Outcome, picture: str) -> str:
        name = text(outcome.name)
        link = self._link(outcome)
        if link:
            name = f'<a href="{link}">{name}</a>'
        words = plain(describe(outcome.result))
        return (
            f'<figure class="{outcome.status}">{picture}'
            f'<figcaption><p class="words">{words}</p><p class="name">{name}</p>'
            "</figcaption></figure>"
        )

    def _link(self, outcome: Outcome) -> str:
        """Where the image is, as seen from the page; empty if it is no file."""
        path = outcome.image.path
        if str(path) == STANDARD_INPUT:
            return ""
        with suppress(ValueError):  # on another drive
            return quote(os.fsencode(os.path.relpath(path, self._folder)))
        return ""

    def _unwritable(self, error: OSError) -> OutputError:
        reason = error.strerror or error
        return OutputError(f"The report cannot be written to {self._folder}: {reason}.")


def _group(outcome: Outcome) -> tuple[int, str]:
    answer = outcome.answer
    if answer is None:
        return _FAILED, ""
    if not answer.certain:
        return _UNSURE, ""
    if not answer.items:
        return _EMPTY, ""
    return _LABELLED, answer.items[0].label


def _title(kind: int, label: str) -> str:
    words = {_UNSURE: "Not sure", _EMPTY: "Nothing found", _FAILED: "Failed"}
    return words.get(kind) or text(label)


def _cards(cards: Iterable[_Card]) -> str:
    """The images of a group, the least sure first."""
    ordered = sorted(cards, key=lambda card: card.score)
    return f'<div class="cards large">{"".join(card.html for card in ordered)}</div>'


def _box(item: Item, picture_width: float) -> str:
    """A box on a picture of that width in pixels; a label that does not fit shows on hovering."""
    assert item.box is not None
    x_min, y_min, x_max, y_max = (edge * 100 for edge in item.box)
    paint = css_variables(item.index)
    words = f"{escape(item.label)} {percent(item.score)}"
    fits = len(words) * _LETTER_WIDTH <= (item.box[2] - item.box[0]) * picture_width
    title = plain(words)
    caption = f"<b>{title}</b>" if fits else ""
    place = (
        f"left:{x_min:.2f}%;top:{y_min:.2f}%;width:{x_max - x_min:.2f}%;height:{y_max - y_min:.2f}%"
    )
    return f'<span class="box" title="{title}" style="{paint};{place}">{caption}</span>'
