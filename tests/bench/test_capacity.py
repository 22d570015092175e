"""The sentence that people want of a benchmark."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bench.capacity import CAMERA_FPS, make_capacity


@pytest.mark.parametrize(
    ("frames_per_s", "cameras", "sentence"),
    [
        (129.99, 12, "about 120 frames/s of 640x480 here: 12 cameras at 10 fps"),
        (120.0, 12, "about 120 frames/s of 640x480 here: 12 cameras at 10 fps"),
        (1999.0, 190, "about 1900 frames/s of 640x480 here: 190 cameras at 10 fps"),
        (29.9, 2, "about 29 frames/s of 640x480 here: 2 cameras at 10 fps"),
        (10.0, 1, "about 10 frames/s of 640x480 here: 1 camera at 10 fps"),
        (9.99, 0, "about 9 frames/s of 640x480 here: not enough for one camera at 10 fps"),
        (1.5, 0, "about 1 frame/s of 640x480 here: not enough for one camera at 10 fps"),
        (0.9, 0, "less than one frame/s of 640x480 here: not enough for a camera"),
        (0.0, 0, "less than one frame/s of 640x480 here: not enough for a camera"),
    ],
)
def test_the_rate_is_rounded_down_and_counted_in_cameras(frames_per_s, cameras, sentence):
    capacity = make_capacity("640x480", frames_per_s)
    assert (capacity.cameras, capacity.sentence) == (cameras, sentence)
    assert capacity.frames_per_s == frames_per_s


@given(st.floats(0, 1e6))
def test_no_more_cameras_are_promised_than_were_measured(frames_per_s):
    assert make_capacity("", frames_per_s).cameras * CAMERA_FPS <= frames_per_s
