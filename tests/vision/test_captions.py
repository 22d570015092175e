"""Captions never cover each other, on drawn pictures and, by the same rule, on the pages."""

import random
from pathlib import Path

import numpy as np
from builders.images import encode
from builders.node import ask_node
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edge.vision.captions import Caption, Rect, place_captions
from edge.vision.draw import Mark, draw
from edge.vision.palette import colour_of

SCRIPT = Path(__file__).parents[2] / "edge/web/pages/static/captions.js"
AREA = Rect(0, 0, 100, 80)

sides = st.floats(-20, 120, allow_nan=False)
sizes = st.floats(1, 130, allow_nan=False)


@st.composite
def captions(drawn):
    left, right = sorted((drawn(sides), drawn(sides)))
    top, bottom = sorted((drawn(sides), drawn(sides)))
    return Caption(Rect(left, top, right, bottom), drawn(st.floats(1, 100)), drawn(sizes))


@given(st.lists(captions(), max_size=12))
def test_captions_lie_within_the_picture_and_none_covers_another(wanted):
    places = place_captions(wanted, AREA)
    assert len(places) == len(wanted)
    placed = [place for place in places if place is not None]
    for at, place in enumerate(placed):
        assert place.top >= AREA.top
        assert place.bottom <= AREA.bottom
        assert place.left >= AREA.left
        assert place.right <= AREA.right + 1e-9
        assert not any(place.overlaps(other) for other in placed[at + 1 :])


@given(st.lists(captions(), min_size=1, max_size=12))
def test_a_better_caption_is_never_moved_by_those_after_it(wanted):
    assert place_captions(wanted, AREA)[:-1] == place_captions(wanted[:-1], AREA)


def test_the_six_places_in_their_order_and_none_for_the_seventh():
    places = place_captions([Caption(Rect(20, 30, 70, 60), 20, 10)] * 7, AREA)
    corners = [place and (place.left, place.top) for place in places]
    assert corners == [(20, 20), (20, 30), (20, 60), (50, 20), (50, 30), (50, 60), None]


def test_the_pages_place_captions_as_drawn_pictures_do(tmp_path):
    dice = random.Random(7)
    cases = []
    for _ in range(300):
        case = []
        for _ in range(dice.randrange(8)):
            left, top = dice.uniform(-10, 90), dice.uniform(-10, 70)
            box = Rect(left, top, left + dice.uniform(0, 60), top + dice.uniform(0, 50))
            case.append(Caption(box, dice.uniform(5, 100), dice.uniform(5, 30)))
        cases.append(case)
    asked = {
        "area": AREA._asdict(),
        "cases": [[{**one._asdict(), "box": one.box._asdict()} for one in case] for case in cases],
    }
    expression = "asked.cases.map((one) => placeCaptions(one, asked.area))"
    found = ask_node(tmp_path, SCRIPT, "placeCaptions", expression, asked)
    placed = [[place and Rect(**place) for place in case] for case in found]
    assert placed == [place_captions(case, AREA) for case in cases]
    assert sum(place is None for case in placed for place in case) > 20  # it is no easy set


def drawn(folder, marks, size=(300, 200)):
    """The picture with the marks drawn on black."""
    black = encode(Image.new("RGB", size), "PNG")
    draw(black, marks, folder / "out.png", max_pixels=10**6)
    return np.asarray(Image.open(folder / "out.png"))


def patch(pixels, index):
    """How many pixels have the colour of a class."""
    return int((pixels == colour_of(index).fill).all(axis=-1).sum())


def test_captions_of_objects_in_one_place_are_both_to_be_read(tmp_path):
    box = (0.3, 0.4, 0.6, 0.8)
    alone = [patch(drawn(tmp_path, [Mark("cat", at, 0.9, box)]), at) for at in (1, 2)]
    both = drawn(tmp_path, [Mark("cat", 1, 0.9, box), Mark("cat", 2, 0.8, box)])
    caption = 12 * 20  # pixels: more than hidden lines could be
    lines = 2 * 2 * (90 + 80)
    assert patch(both, 1) > alone[0] - lines
    assert patch(both, 2) > caption


def test_a_long_label_is_shortened_before_its_score_and_a_list_ends_with_the_picture(tmp_path):
    pixels = drawn(tmp_path, [Mark("very long " * 500, 1, 0.9, (0.1, 0.4, 0.6, 0.8))])
    assert patch(pixels, 1) > 12 * 200
    many = [Mark(f"label {at}", at, 0.9, None) for at in range(80)]
    assert [patch(drawn(tmp_path, many), at) > 100 for at in (0, 70)] == [True, False]
