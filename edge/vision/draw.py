"""A picture with what was seen drawn on it: boxes with labels, or the top labels in a corner."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import ImageDraw, ImageFont

from edge.errors import OutputError
from edge.vision.decode import decode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


_GOLDEN_RATIO = 0.618034  # steps of it spread hues evenly, however many there are
_INK = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Mark:
    """What is drawn: a label with its class's index and score, and a box relative 0..1, or none."""

    label: str
    index: int
    score: float
    box: tuple[float, float, float, float] | None


def draw(encoded: bytes, marks: Sequence[Mark], out: Path, *, max_pixels: int) -> None:
    """Write the upright picture with the marks to ``out``, in the format its name ends in.

    Raises:
        RequestError: as `decode` does.
        OutputError: the file cannot be written.
    """
    picture = decode(encoded, max_pixels=max_pixels).pixels.copy()
    pen = ImageDraw.Draw(picture)
    size = max(12, min(picture.size) // 28)
    font = ImageFont.load_default(size)
    top = 0.0
    for mark in reversed(marks):  # the best last, on top of the others
        if mark.box is not None:
            _box(pen, mark, mark.box, font, picture.size)
    for mark in marks:
        if mark.box is None:
            top = _caption(pen, mark, (0.0, top), font)
    try:
        picture.save(out)
    except (OSError, ValueError) as error:
        raise OutputError(f"The picture cannot be written to {out}: {error}.") from error


def _box(
    pen: ImageDraw.ImageDraw,
    mark: Mark,
    box: tuple[float, float, float, float],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    size: tuple[int, int],
) -> None:
    left, top, right, bottom = (edge * size[axis % 2] for axis, edge in enumerate(box))
    pen.rectangle((left, top, right, bottom), outline=_colour(mark.index), width=max(2, min(size) // 150))
    _caption(pen, mark, (left, top), font)


def _caption(
    pen: ImageDraw.ImageDraw,
    mark: Mark,
    corner: tuple[float, float],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> float:
    """Write label and score on their colour at the corner; returns where the caption ends, for the next one."""
    words = f"{mark.label} {mark.score:.2f}"
    left, top, right, bottom = pen.textbbox(corner, words, font=font)
    margin = (bottom - top) / 3
    pen.rectangle((left, corner[1], right + 2 * margin, bottom + 2 * margin), fill=_colour(mark.index))
    pen.text((corner[0] + margin, corner[1] + margin), words, fill=_INK, font=font)
    return bottom + 2 * margin


def _colour(index: int) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(index * _GOLDEN_RATIO % 1, 0.85, 0.7)
    return round(red * 255), round(green * 255), round(blue * 255)
