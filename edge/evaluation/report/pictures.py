"""Pictures on the page: small copies inside of it, with what the model says and what is there."""

from __future__ import annotations

import base64
import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from edge.errors import EdgeError
from edge.evaluation.report.words import said_words
from edge.evaluation.run import read_picture
from edge.report_page import plain, text
from edge.vision.decode import upright_size
from edge.vision.palette import css_variables
from edge.vision.thumbnail import thumbnail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from edge.datasets.dataset import Example
    from edge.evaluation.evaluation import Mistake
    from edge.model.prediction import Item

_SIDE: Final = 320
"""Longer side of a copy in pixels: about 15 KB each, and a page holds at most 60."""

_CARD_RATIO: Final = 4 / 3  # as in `edge.report_style`


def card(
    example: Example, said: Sequence[Item], words: str, why: str, page: Path, max_pixels: int
) -> str:
    """One picture with its words.

    Args:
        said: boxes to draw; items without a box are words only.
        words: what the model says, as HTML.
        why: what is wrong with it, in plain text.
        page: the file of the page, from which the picture is linked.
    """
    name = text(example.image.name)
    link = _link(example.image, page)
    name = f'<a href="{link}">{name}</a>' if link else name
    shows = ", ".join(example.labels) or "nothing"
    picture = inside(
        partial(read_picture, example.image),
        f"{example.image.name}, labelled {shows}",
        max_pixels,
        "".join(_boxes(example, said)),
    )
    return figure(picture, words, why, name)


def mistake_cards(mistakes: Iterable[Mistake], page: Path, max_pixels: int) -> str:
    """Cards of pictures that a model has wrong, next to each other."""
    cards = "".join(
        card(one.example, one.said, said_words(one, text), one.why, page, max_pixels)
        for one in mistakes
    )
    return f'<div class="cards">{cards}</div>'


def figure(picture: str, words: str, why: str, name: str) -> str:
    """A picture with words below it; all but ``why`` are HTML."""
    reason = f'<p class="why">{plain(why)}</p>' if why else ""
    return (
        f'<figure>{picture}<figcaption><p class="words">{words}</p>{reason}'
        f'<p class="name">{name}</p></figcaption></figure>'
    )


def inside(read: Callable[[], bytes], alt: str, max_pixels: int, boxes: str = "") -> str:
    """A small copy of a picture, as part of the page.

    Args:
        read: reads the picture; raises `EdgeError`.
        alt: what it is, in plain text.
        boxes: HTML that lies on it.
    """
    try:
        content = read()
        width, height = upright_size(content, max_pixels=max_pixels)
        jpeg = thumbnail(content, _SIDE, max_pixels=max_pixels)
    except EdgeError:  # it is gone since, or a model that decodes by itself accepted it
        return '<div class="picture"><p>cannot be shown</p></div>'
    encoded = base64.b64encode(jpeg).decode("ascii")
    shape = "wide" if width / height >= _CARD_RATIO else "tall"
    return (
        f'<div class="picture"><div class="frame {shape}" style="aspect-ratio:{width}/{height}">'
        f'<img src="data:image/jpeg;base64,{encoded}" alt="{plain(alt)}" loading="lazy" '
        f'decoding="async">{boxes}</div></div>'
    )


def _boxes(example: Example, said: Sequence[Item]) -> Iterable[str]:
    """What is there, dashed and white; on top of it what was found, in the colour of its class."""
    for one in example.boxes or ():
        yield _box(one.box, "true", f"there: {one.label}", "")
    for item in reversed(said):
        if item.box is not None:
            paint = f"{css_variables(item.index)};"
            yield _box(item.box, "", f"{item.label} {item.score:.2f}", paint)


def _box(box: tuple[float, float, float, float], kind: str, title: str, style: str) -> str:
    x_min, y_min, x_max, y_max = (edge * 100 for edge in box)
    place = (
        f"left:{x_min:.2f}%;top:{y_min:.2f}%;width:{x_max - x_min:.2f}%;height:{y_max - y_min:.2f}%"
    )
    words = plain(title)
    return f'<span class="box {kind}" title="{words}" style="{style}{place}"></span>'


def _link(image: Path, page: Path) -> str:
    """Where the picture is, as seen from the page."""
    with suppress(ValueError):  # on another drive
        return quote(os.fsencode(os.path.relpath(image, page.parent)))
    return ""
