"""The palette: inks that can be read, and the same colours on the pages as in drawn pictures."""

import colorsys
import itertools
from pathlib import Path

import pytest

from edge.vision.palette import MIN_CONTRAST, PALETTE, colour_of, contrast, css

SCRIPT = Path(__file__).parents[2] / "edge/web/pages/static/palette.js"


def script():
    """What belongs into palette.js; after a change of the palette, paste what the test prints."""
    head = (
        "// The colours of classes, each with the ink on it; made by `edge/vision/palette.py`, "
        "which says how.\n\n"
    )
    rows = "".join(f'  ["{css(fill)}", "{css(ink)}"],\n' for fill, ink in PALETTE)
    return f"{head}export const PALETTE = [\n{rows}];\n"


def test_the_pages_have_the_same_palette():
    assert SCRIPT.read_text("utf-8") == script(), script()


def test_every_ink_has_the_contrast_that_text_needs():
    assert min(contrast(colour.fill, colour.ink) for colour in PALETTE) >= MIN_CONTRAST


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ((0, 0, 0), (255, 255, 255), 21.0),
        ((255, 255, 255), (0, 0, 0), 21.0),
        ((119, 119, 119), (255, 255, 255), 4.48),  # the grey that just fails
        ((118, 118, 118), (255, 255, 255), 4.54),  # and the one that just passes
        ((255, 0, 0), (255, 255, 255), 4.00),
        ((0, 0, 255), (255, 255, 255), 8.59),
    ],
)
def test_contrast_is_that_of_wcag(one, other, ratio):
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)


def test_neighbours_have_hues_far_apart_also_where_the_palette_begins_again():
    hues = [colorsys.rgb_to_hls(*(one / 255 for one in colour_of(at).fill))[0] for at in range(300)]
    for hue, following in itertools.pairwise(hues):
        apart = abs(hue - following)
        assert min(apart, 1 - apart) > 1 / 6
