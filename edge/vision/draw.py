"""Draws a prediction on its image: boxes with labels, or the top labels in a corner."""

from __future__ import annotations

import colorsys
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from edge.errors import OutputError
from edge.vision.decode import decode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


_GOLDEN_RATIO = 0.618034  # steps of it spread hues evenly, however many there are
_INK = (255, 255, 255)
_QUALITY = 90


@dataclass(frozen=True, slots=True)
class Mark:
    """A label to draw, with its class index and score, and a box (relative 0..1) if it has one."""

    label: str
    index: int
    score: float
    box: tuple[float, float, float, float] | None


def draw(encoded: bytes, marks: Sequence[Mark], out: Path, *, max_pixels: int) -> None:
    """Write the upright image with the marks to ``out``, in the format of its suffix.

    Raises:
        RequestError: as `decode` does.
        OutputError: the file cannot be written.
    """
    picture = _drawn(encoded, marks, max_pixels)
    try:
        picture.save(out)
    except (OSError, ValueError) as error:
        raise OutputError(f"The image cannot be written to {out}: {error}.") from error


def draw_jpeg(encoded: bytes, marks: Sequence[Mark], *, max_pixels: int) -> bytes:
    """Return the upright image with the marks as a JPEG; raises as `decode` does."""
    file = io.BytesIO()
    _drawn(encoded, marks, max_pixels).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def _drawn(encoded: bytes, marks: Sequence[Mark], max_pixels: int) -> Image.Image:
    picture = decode(encoded, max_pixels=max_pixels).pixels.copy()
    pen = ImageDraw.Draw(picture)
    size = max(12, min(picture.size) // 28)
    font = ImageFont.load_default(size)
    top = 0.0
    for mark in reversed(marks):  # the best one last, on top of the others
        if mark.box is not None:
            _box(pen, mark, mark.box, font, picture.size)
    for mark in marks:
        if mark.box is None:
            top = _caption(pen, mark, (0.0, top), font)
    return picture


def _box(
    pen: ImageDraw.ImageDraw,
    mark: Mark,
    box: tuple[float, float, float, float],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    size: tuple[int, int],
) -> None:
    width, height = size
    x_min, y_min, x_max, y_max = box
    left, top, right, bottom = x_min * width, y_min * height, x_max * width, y_max * height
    thickness = max(2, min(size) // 150)
    pen.rectangle((left, top, right, bottom), outline=_colour(mark.index), width=thickness)
    _caption(pen, mark, (left, top), font)


def _caption(
    pen: ImageDraw.ImageDraw,
    mark: Mark,
    corner: tuple[float, float],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> float:
    """Write label and score at the corner on a coloured box; return the y of its lower edge."""
    words = f"{mark.label} {mark.score:.2f}"
    left, top, right, bottom = pen.textbbox(corner, words, font=font)
    margin = (bottom - top) / 3
    pen.rectangle(
        (left, corner[1], right + 2 * margin, bottom + 2 * margin), fill=_colour(mark.index)
    )
    pen.text((corner[0] + margin, corner[1] + margin), words, fill=_INK, font=font)
    return bottom + 2 * margin


def _colour(index: int) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(index * _GOLDEN_RATIO % 1, 0.85, 0.7)
    return round(red * 255), round(green * 255), round(blue * 255)
