"""The same and nearly the same pictures."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from builders.datasets import picture
from PIL import Image, ImageEnhance

from edge.datasets.dataset import Example
from edge.datasets.duplicates import exact_groups, groups_to_split, members, near_groups
from edge.vision.decode import decode
from edge.vision.sketch import sketch


def opened(seed, size=(160, 120)):
    return Image.open(io.BytesIO(picture(seed, size))).convert("RGB")


def sketch_of(image, quality=90):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return sketch(decode(file.getvalue(), max_pixels=10_000_000))


def grouped(sketches):
    number = len(sketches)
    return near_groups(np.stack(sketches), np.arange(number), np.arange(number))


def shifted(image, share):
    width, height = image.size
    return image.crop((int(width * share), int(height * share), width, height)).resize(image.size)


CHANGES = {
    "compressed": lambda image: (image, 30),
    "smaller": lambda image: (image.resize((64, 48)), 90),
    "brighter": lambda image: (ImageEnhance.Brightness(image).enhance(1.2), 90),
    "more contrast": lambda image: (ImageEnhance.Contrast(image).enhance(1.2), 90),
    "a little moved": lambda image: (shifted(image, 0.01), 90),
}
OTHERS = {
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "in other colours": lambda image: Image.merge("RGB", image.split()[::-1]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_another_form_of_a_picture_is_nearly_the_same(change):
    images = [opened(seed) for seed in range(30)]
    groups = grouped([sketch_of(one) for one in images] + [sketch_of(*change(o)) for o in images])
    assert [int(group) for group in groups] == [*range(30), *range(30)]


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_another_picture_of_the_same_parts_is_another_one(change):
    images = [opened(seed) for seed in range(20)]
    groups = grouped([sketch_of(one) for one in images] + [sketch_of(change(o)) for o in images])
    assert len(set(groups.tolist())) == 40


def test_what_all_pictures_have_in_common_makes_no_duplicates():
    """A camera that never moves: parts differ by a spot, in other light."""
    rng = np.random.default_rng(3)
    scene = opened(1)
    sketches = []
    for _ in range(60):
        image = scene.copy()
        x, y = int(rng.integers(20, 130)), int(rng.integers(20, 90))
        image.paste((int(rng.integers(0, 255)),) * 3, (x, y, x + 14, y + 14))
        sketches.append(sketch_of(ImageEnhance.Brightness(image).enhance(rng.uniform(0.9, 1.1))))
    assert len(set(grouped(sketches).tolist())) >= 55


def test_blank_pictures_of_one_colour_are_the_same_and_of_two_are_not():
    def blank(level):
        noise = np.random.default_rng(level).normal(level, 2, (120, 160, 3))
        return sketch_of(Image.fromarray(noise.clip(0, 255).astype(np.uint8)))

    sketches = [blank(10), blank(11), blank(200), blank(201)]
    assert grouped([*sketches, *(sketch_of(opened(seed)) for seed in range(5))])[:4].tolist() == [
        0,
        0,
        2,
        2,
    ]


def test_two_pictures_are_compared_as_well():
    image = opened(1)
    assert grouped([sketch_of(image), sketch_of(image, 40)]).tolist() == [0, 0]
    assert grouped([sketch_of(image), sketch_of(opened(2))]).tolist() == [0, 1]


def test_pictures_are_joined_through_others_in_any_order():
    """Each agrees with its neighbours (12 degrees apart), and with no other one."""
    rng = np.random.default_rng(5)
    plane = rng.normal(0, 1, (2, 32, 32, 3))
    turned = [
        128 + 40 * (np.cos(angle) * plane[0] + np.sin(angle) * plane[1])
        for angle in np.radians([0, 24, 12, 36])
    ]
    others = list(128 + 40 * rng.normal(0, 1, (40, 32, 32, 3)))
    sketches = [one.clip(0, 255).astype(np.uint8) for one in turned + others]
    assert grouped(sketches).tolist() == [0, 0, 0, 0, *range(4, 44)]
    assert grouped([sketches[0], sketches[1], *sketches[4:]])[:2].tolist() == [0, 1]


def test_no_pictures_are_no_groups():
    assert (
        near_groups(np.zeros((0, 32, 32, 3), np.uint8), np.arange(0), np.arange(0)).tolist() == []
    )


def test_the_same_bytes_are_one_group_named_after_the_first():
    groups = exact_groups([b"a", b"b", b"a", b"c", b"b", b"a"])
    assert groups.tolist() == [0, 1, 0, 3, 1, 0]
    assert [one.tolist() for one in members(groups)] == [[0, 2, 5], [1, 4]]


def test_a_split_keeps_groups_together_unless_one_is_what_the_label_looks_like():
    examples = [Example(Path(f"{index}.jpg"), ("a",)) for index in range(100)]
    exact = np.arange(100)
    exact[1] = 0
    small, large = np.arange(100), np.arange(100)
    small[:20] = 0
    large[:21] = 0
    assert groups_to_split(exact, small, examples).tolist() == small.tolist()
    assert groups_to_split(exact, large, examples).tolist() == exact.tolist()
