"""Draws a prediction on its image: boxes with labels, or the top labels in a corner, and heat."""

from __future__ import annotations

import io
from bisect import bisect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageDraw, ImageFont

from edge.errors import OutputError
from edge.vision.captions import Caption, Rect, place_captions
from edge.vision.decode import decode
from edge.vision.heat import lay_heat
from edge.vision.palette import colour_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.vision.heat import Heat

_ELLIPSIS: Final = "..."  # in every font
_MAX_LETTERS: Final = 200  # of a label; more fit on no picture that is looked at

_QUALITY: Final = 90

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True)
class Mark:
    """A label to draw, with its class index and score, and a box (relative 0..1) if it has one."""

    label: str
    index: int
    score: float
    box: tuple[float, float, float, float] | None


def draw(
    encoded: bytes,
    marks: Sequence[Mark],
    out: Path,
    *,
    max_pixels: int,
    heat: Heat | None = None,
) -> None:
    """Write the upright image with the marks to ``out``, in the format of its suffix.

    Args:
        marks: best first. A caption that would cover a better one's is left out.
        heat: is laid over the image; ``None`` if the model does not say where.

    Raises:
        RequestError: as `decode` does.
        OutputError: the file cannot be written.
    """
    picture = _drawn(encoded, marks, max_pixels, heat)
    try:
        picture.save(out)
    except (OSError, ValueError) as error:
        raise OutputError(f"The image cannot be written to {out}: {error}.") from error


def draw_jpeg(
    encoded: bytes, marks: Sequence[Mark], *, max_pixels: int, heat: Heat | None = None
) -> bytes:
    """Return the upright image with the marks as a JPEG; arguments and errors as of `draw`."""
    file = io.BytesIO()
    _drawn(encoded, marks, max_pixels, heat).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def _drawn(
    encoded: bytes, marks: Sequence[Mark], max_pixels: int, heat: Heat | None
) -> Image.Image:
    picture = decode(encoded, max_pixels=max_pixels).pixels.copy()
    if heat is not None:
        lay_heat(picture, heat)
    pen = ImageDraw.Draw(picture)
    size = max(12, min(picture.size) // 28)
    font = ImageFont.load_default(size)
    boxed = [mark for mark in marks if mark.box is not None]
    for mark in reversed(boxed):  # the best one last, on top of the others
        _draw_box(pen, mark, picture.size)
    _draw_captions(pen, boxed, font, picture.size)
    _draw_list(pen, [mark for mark in marks if mark.box is None], font, picture.size)
    return picture


def _draw_box(pen: ImageDraw.ImageDraw, mark: Mark, size: tuple[int, int]) -> None:
    thickness = max(2, min(size) // 150)
    pen.rectangle(_in_pixels(mark, size), outline=colour_of(mark.index).fill, width=thickness)


def _draw_captions(
    pen: ImageDraw.ImageDraw, marks: Sequence[Mark], font: _Font, size: tuple[int, int]
) -> None:
    """Write the captions of boxes, each where it covers no better one."""
    area = Rect(0, 0, *size)
    texts = [_Text(pen, mark, font, area.right) for mark in marks]
    captions = [
        Caption(_in_pixels(mark, size), text.width, text.height)
        for mark, text in zip(marks, texts, strict=True)
    ]
    for text, place in zip(texts, place_captions(captions, area), strict=True):
        if place is not None:
            text.write(place.left, place.top)


def _draw_list(
    pen: ImageDraw.ImageDraw, marks: Sequence[Mark], font: _Font, size: tuple[int, int]
) -> None:
    """Write labels without a box below each other, as many as the picture is high."""
    top = 0.0
    for mark in marks:
        text = _Text(pen, mark, font, size[0])
        if top and top + text.height > size[1]:
            return
        text.write(0, top)
        top += text.height


def _in_pixels(mark: Mark, size: tuple[int, int]) -> Rect:
    assert mark.box is not None
    width, height = size
    x_min, y_min, x_max, y_max = mark.box
    return Rect(x_min * width, y_min * height, x_max * width, y_max * height)


class _Text:
    """A mark's label and score on a patch of its colour, shortened to a width in pixels."""

    def __init__(self, pen: ImageDraw.ImageDraw, mark: Mark, font: _Font, max_width: float) -> None:
        self._pen = pen
        self._font = font
        self._colour = colour_of(mark.index)
        top, bottom = pen.textbbox((0, 0), "Äg|", font=font)[1::2]  # the same for all words
        self._margin = (bottom - top) / 3
        self._words = self._shorten(mark, max_width - 2 * self._margin)
        self.width = self._length(self._words) + 2 * self._margin
        self.height = bottom + 2 * self._margin

    def write(self, left: float, top: float) -> None:
        """Draw it with its upper left corner there."""
        patch = (left, top, left + self.width - 1, top + self.height - 1)
        self._pen.rectangle(patch, fill=self._colour.fill)
        start = (left + self._margin, top + self._margin)
        self._pen.text(start, self._words, fill=self._colour.ink, font=self._font)

    def _shorten(self, mark: Mark, width: float) -> str:
        """The label, or as much of its beginning as fits before the score."""
        label = mark.label[:_MAX_LETTERS]
        score = f" {mark.score:.2f}"
        if label == mark.label and self._length(label + score) <= width:
            return label + score

        def shortened(letters: int) -> str:
            return f"{label[:letters].rstrip()}{_ELLIPSIS}{score}"

        too_many = bisect(
            range(2, len(label) + 1), width, key=lambda letters: self._length(shortened(letters))
        )
        return shortened(1 + too_many)

    def _length(self, words: str) -> float:
        return self._pen.textlength(words, font=self._font)
