"""Heat on pictures: what glows, how strongly, and where; and the same on the pages."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from builders.images import encode
from builders.node import ask_node
from PIL import Image

from edge.vision.draw import Mark, draw_jpeg
from edge.vision.geometry import WHOLE_IMAGE, Region
from edge.vision.heat import COLOUR, lay_heat, opacity
from edge.vision.thumbnail import thumbnail

SCRIPT = Path(__file__).parents[2] / "edge/web/pages/static/heat.js"
MIDDLE = Region(0.25, 0.1, 0.75, 0.9)
NAN = float("nan")


@dataclass
class Heat:
    scores: np.ndarray
    region: Region = WHOLE_IMAGE


def hot_corner(region=WHOLE_IMAGE):
    """The upper left place of four by four is as odd as can be, the rest is good."""
    scores = np.full((4, 4), 0.1, np.float32)
    scores[0, 0] = 1
    return Heat(scores, region)


def redness(picture):
    """How much of the glow's red each pixel of a grey picture has, 0..1."""
    pixels = np.asarray(picture.convert("RGB"), float)
    return (pixels[..., 0] - pixels[..., 2]) / COLOUR[0]


def grey(size=(160, 120)):
    return Image.new("RGB", size, "grey")


@pytest.mark.parametrize(
    ("score", "share"),
    [(0, 0), (0.1, 0), (0.3, 0), (0.65, 0.325), (1, 0.65), (1.5, 0.65), (-1, 0), (NAN, 0)],
)
def test_what_is_good_does_not_glow_and_what_is_odd_can_still_be_seen(score, share):
    found = opacity(np.float32([[score]]))
    assert found[0, 0] == pytest.approx(share * 255, abs=1)


@pytest.mark.parametrize("region", [WHOLE_IMAGE, MIDDLE])
def test_the_place_that_is_odd_glows_and_nothing_else_does(region):
    picture = grey()
    lay_heat(picture, hot_corner(region))
    red = redness(picture)
    left, top, right, bottom = region.pixels(160, 120)
    row, column = round(top + (bottom - top) / 8), round(left + (right - left) / 8)
    assert red[row, column] == pytest.approx(0.65, abs=0.03)
    far = np.ones_like(red, bool)
    far[: round(top + (bottom - top) / 2), : round(left + (right - left) / 2)] = False
    assert abs(red[far]).max() < 0.01
    outside = np.ones_like(red, bool)
    outside[round(top) : round(bottom), round(left) : round(right)] = False
    assert not red[outside].any()


def test_downloads_and_thumbnails_have_the_heat_if_there_is_some():
    encoded = encode(grey((640, 480)), "PNG")
    mark = Mark("anomaly", 1, 0.9, None)
    for made in (
        lambda heat: draw_jpeg(encoded, [mark], max_pixels=10**6, heat=heat),
        lambda heat: thumbnail(encoded, 320, max_pixels=10**6, heat=heat),
        lambda heat: thumbnail(encoded, 640, max_pixels=10**6, heat=heat),
    ):
        cold, hot = (
            redness(Image.open(io.BytesIO(made(heat)))) for heat in (None, hot_corner(MIDDLE))
        )
        height, width = hot.shape
        row, column = round(0.2 * height), round(0.3125 * width)
        assert hot[row, column] == pytest.approx(0.65, abs=0.05)
        assert abs(cold[row, column]) < 0.05
        assert abs(hot[height // 2 :]).max() < 0.1


def test_the_pages_glow_as_drawn_pictures_do(tmp_path):
    every = [[number / 100] for number in range(101)]  # all that an answer can hold
    cases = [every, [[0.2, 0.31, 0.5], [0.99, 1.0, 0.0]]]
    glows = ask_node(tmp_path, SCRIPT, "glow", "asked.map((rows) => [...glow(rows)])", cases)
    for rows, found in zip(cases, glows, strict=True):
        alpha = opacity(np.float32(rows)).ravel().tolist()
        assert found == [number for one in alpha for number in (*COLOUR, one)]
    assert sum(alpha > 0 for alpha in opacity(np.float32(every)).ravel()) == 70
