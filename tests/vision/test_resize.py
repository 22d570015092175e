"""The kernels: shapes, exactness, and the two that stand for TensorFlow's own."""

import numpy as np
import pytest
from builders.images import noise, quadrant_colours, quadrants
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge.vision.frame import Frame
from edge.vision.geometry import WHOLE_IMAGE, centre_square
from edge.vision.resize import Kernel, resample

SIZES = [
    (64, 48, 17, 17),
    (30, 40, 64, 64),
    (33, 21, 33, 21),
    (7, 5, 14, 10),
    (100, 3, 9, 31),
    (1, 1, 4, 4),
]


def frame(picture: Image.Image) -> Frame:
    return Frame(picture, picture.width, picture.height, b"")


@pytest.mark.parametrize("kernel", Kernel)
def test_the_size_asked_for_comes_out_with_every_colour_in_its_place(kernel):
    pixels = resample(frame(quadrants(200, 100)), WHOLE_IMAGE, 40, 60, kernel)
    assert pixels.shape == (60, 40, 3)
    assert pixels.dtype == np.uint8
    assert quadrant_colours(Image.fromarray(pixels)) == quadrant_colours(quadrants())


@pytest.mark.parametrize("kernel", Kernel)
def test_a_picture_of_the_models_own_size_is_unchanged(kernel):
    picture = noise(20, 15)
    np.testing.assert_array_equal(
        resample(frame(picture), WHOLE_IMAGE, 20, 15, kernel), np.asarray(picture)
    )


@pytest.mark.parametrize("kernel", Kernel)
def test_only_the_region_is_seen_but_for_the_filters_reach_at_its_edge(kernel):
    picture = Image.new("RGB", (300, 100), (255, 0, 0))
    picture.paste((0, 0, 255), (100, 0, 200, 100))
    pixels = resample(frame(picture), centre_square(300, 100, 1.0), 16, 16, kernel)
    reach = 3 if kernel is Kernel.LANCZOS else 1
    assert (pixels[:, reach:-reach] == (0, 0, 255)).all()
    assert (pixels[:, :, 2] > 127).all()


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.05, 1.0), st.sampled_from(Kernel))
def test_no_picture_is_too_small_or_too_narrow_for_a_crop(width, height, fraction, kernel):
    picture = Image.new("RGB", (width, height), (10, 200, 30))
    pixels = resample(frame(picture), centre_square(width, height, fraction), 5, 5, kernel)
    assert (pixels == (10, 200, 30)).all()


def test_bilinear_and_bicubic_average_what_they_reduce_and_tensorflows_do_not():
    stripes = Image.fromarray(
        np.tile(np.array([[[0] * 3], [[255] * 3]], np.uint8), (50, 100, 1))
    )  # 1 pixel each
    spread = {
        k: int(np.ptp(resample(frame(stripes), WHOLE_IMAGE, 9, 9, k)[2:-2, 2:-2])) for k in Kernel
    }
    assert spread[Kernel.BILINEAR] < 10
    assert spread[Kernel.BICUBIC] < 10
    assert max(spread[Kernel.TENSORFLOW], spread[Kernel.TENSORFLOW_V1]) > 100
    assert spread[Kernel.LANCZOS] < 10
    assert {k for k in Kernel if k.antialiased} == {
        Kernel.BILINEAR,
        Kernel.BICUBIC,
        Kernel.LANCZOS,
    }


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height", "to_width", "to_height"), SIZES)
def test_the_tensorflow_kernels_are_tensorflows(width, height, to_width, to_height):
    tf = pytest.importorskip("tensorflow")  # imported here: it takes seconds
    picture = noise(width, height)
    image = np.asarray(picture)[None].astype(np.float32)
    size = (to_height, to_width)
    theirs = {
        Kernel.TENSORFLOW: tf.image.resize(image, size),
        Kernel.TENSORFLOW_V1: tf.compat.v1.image.resize_bilinear(image, size),
    }
    for kernel, expected in theirs.items():
        ours = resample(frame(picture), WHOLE_IMAGE, to_width, to_height, kernel)
        assert np.abs(ours - expected.numpy()[0]).max() <= 0.51, (
            kernel
        )  # the half is our rounding to a byte
