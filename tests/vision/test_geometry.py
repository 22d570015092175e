"""Regions, boxes carried over to the whole image, and clipping."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.vision.geometry import WHOLE_IMAGE, Region, centre_square, clip_boxes

sides = st.integers(1, 20_000)
fractions = st.floats(0.01, 1.0)
coordinates = st.floats(-2, 3, width=32)


@given(sides, sides, fractions)
def test_the_centred_square_is_a_square_centred_and_inside_the_image(width, height, fraction):
    left, top, right, bottom = centre_square(width, height, fraction).pixels(width, height)
    assert left >= 0
    assert top >= 0
    assert right <= width
    assert bottom <= height
    side = fraction * min(width, height)
    assert right - left == pytest.approx(side)
    assert bottom - top == pytest.approx(side)
    assert (left + right) / 2 == pytest.approx(width / 2)
    assert (top + bottom) / 2 == pytest.approx(height / 2)


@given(
    sides,
    sides,
    fractions,
    st.lists(st.tuples(*[st.floats(0, 1, width=32)] * 4), min_size=1, max_size=5),
)
def test_a_box_seen_in_the_region_lies_on_the_same_pixels_of_the_image(
    width, height, fraction, boxes
):
    region = centre_square(width, height, fraction)
    left, top, right, bottom = region.pixels(width, height)
    seen = np.array(boxes, np.float32)
    on_image = region.to_image(seen) * [width, height, width, height]
    expected = seen * np.array([right - left, bottom - top] * 2) + [left, top, left, top]
    np.testing.assert_allclose(on_image, expected, atol=0.01 + 1e-5 * max(width, height))


@given(st.lists(st.tuples(*[coordinates] * 4), min_size=1, max_size=5))
def test_the_whole_image_leaves_boxes_where_they_are(boxes):
    array = np.array(boxes, np.float32)
    np.testing.assert_array_equal(WHOLE_IMAGE.to_image(array), array)


def test_a_box_that_leaves_the_region_is_not_cut_at_the_regions_edge():
    region = Region(0.25, 0.0, 0.75, 1.0)
    np.testing.assert_allclose(
        region.to_image(np.array([[-0.5, 0, 1.5, 1]], np.float32)), [[0, 0, 1, 1]]
    )


@given(
    st.lists(st.tuples(*[coordinates | st.sampled_from([np.nan, np.inf, -np.inf])] * 4), max_size=5)
)
def test_clipped_boxes_lie_in_the_image_and_those_inside_are_unchanged(boxes):
    array = np.array(boxes, np.float32).reshape(-1, 4)
    clipped = clip_boxes(array)
    assert ((clipped >= 0) & (clipped <= 1)).all()
    inside = (array >= 0) & (array <= 1)
    np.testing.assert_array_equal(clipped[inside], array[inside])


def test_real_overshoot_is_cut_to_the_edge_and_nan_to_the_origin():
    boxes = np.array([[-0.34, 0.2, 1.38, 0.9], [np.nan, np.inf, -np.inf, 0.5]], np.float32)
    np.testing.assert_allclose(clip_boxes(boxes), [[0, 0.2, 1, 0.9], [0, 1, 0, 0.5]])
