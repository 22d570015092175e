"""The colours of classes: the one palette of drawn pictures, reports and pages.

The pages have it as `edge/web/pages/static/palette.js`; a test compares the two, and prints what
belongs there after a change.
"""

from __future__ import annotations

import colorsys
from typing import Final, NamedTuple

Rgb = tuple[int, int, int]
"""Red, green and blue, 0..255."""

SIZE: Final = 89
"""Number of colours, then they repeat. A Fibonacci number: steps of the golden ratio come back to
the start there, so that the last colour is as far from the first as other neighbours are."""

MIN_CONTRAST: Final = 4.5
"""Of text on a colour: WCAG 2.2, 1.4.3 (AA)."""

_LINEAR_BELOW: Final = 0.04045  # of sRGB's transfer function (IEC 61966-2-1)
_GOLDEN_RATIO: Final = 0.618034  # steps of it spread hues evenly, however many there are
_BLACK: Final = (0, 0, 0)
_WHITE: Final = (255, 255, 255)


class Colour(NamedTuple):
    """A colour, and black or white to write on it: whichever has more contrast."""

    fill: Rgb
    ink: Rgb


def luminance(colour: Rgb) -> float:
    """Relative luminance of an sRGB colour, 0..1 (WCAG 2.2, definition)."""
    red, green, blue = (_linear(channel / 255) for channel in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Rgb, other: Rgb) -> float:
    """Contrast ratio of two colours, 1..21 (WCAG 2.2, definition)."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def colour_of(index: int) -> Colour:
    """The colour of a class by its index, 0 or more."""
    return PALETTE[index % SIZE]


def _linear(share: float) -> float:
    return share / 12.92 if share <= _LINEAR_BELOW else ((share + 0.055) / 1.055) ** 2.4


def _make(index: int) -> Colour:
    hue = index * _GOLDEN_RATIO % 1
    is_bright = 40 / 360 < hue < 200 / 360  # yellow to cyan look brighter than red and blue
    light, saturation = (0.55, 0.85) if is_bright else (0.48, 0.75)
    red, green, blue = colorsys.hls_to_rgb(hue, light, saturation)
    fill = (round(red * 255), round(green * 255), round(blue * 255))
    ink = max(_BLACK, _WHITE, key=lambda one: contrast(fill, one))
    return Colour(fill, ink)


PALETTE: Final = tuple(_make(index) for index in range(SIZE))


def css(colour: Rgb) -> str:
    """A colour as style sheets write it: ``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def css_variables(index: int) -> str:
    """The colour of a class as the variables ``--fill`` and ``--on-fill`` of a style."""
    colour = colour_of(index)
    return f"--fill:{css(colour.fill)};--on-fill:{css(colour.ink)}"
