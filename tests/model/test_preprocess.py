"""A frame to the tensor a model takes."""

import numpy as np
import pytest
from builders.images import encode, noise, quadrants

from edge.model.contract import ChannelOrder, Layout, Normalization, PixelInput, Resize, Tuning
from edge.model.preprocess import min_decoded_side, preprocess, to_dtype, to_tensor
from edge.vision.decode import decode
from edge.vision.geometry import WHOLE_IMAGE
from edge.vision.resize import Kernel

PIXELS = np.array([[[0, 1, 127], [128, 254, 255]]], np.uint8)


def spec(dtype="uint8", width=16, height=16, normalization=None, **order):
    chosen = normalization or Normalization((127.5,), (127.5,))
    return PixelInput("image", 0, dtype, height, width, chosen, **order)


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        (spec("uint8"), PIXELS),
        (spec("uint8", normalization=Normalization((1.0,), (9.0,))), PIXELS),
        (spec("int8"), PIXELS.astype(int) - 128),
        (spec("float32"), PIXELS / 127.5 - 1),
        (spec("float32", normalization=Normalization((0.0,), (255.0,))), PIXELS / 255),
        (
            spec("float32", normalization=Normalization((1.0, 2.0, 3.0), (2.0, 4.0, 8.0))),
            (PIXELS - [1, 2, 3]) / [2, 4, 8],
        ),
    ],
)
def test_bytes_become_what_the_input_stores(to, expected):
    tensor = to_dtype(PIXELS, to)
    assert tensor.dtype == to.dtype
    np.testing.assert_allclose(tensor.astype(float), expected, atol=1e-6)


BLUE_FIRST = np.array([[[127, 1, 0], [255, 254, 128]]], np.uint8)
PER_CHANNEL = Normalization((1.0, 2.0, 3.0), (2.0, 4.0, 8.0))


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize(
    ("order", "pixels"), [(ChannelOrder.RGB, PIXELS), (ChannelOrder.BGR, BLUE_FIRST)]
)
@pytest.mark.parametrize(
    ("dtype", "stored"),
    [
        ("uint8", lambda x: x),
        ("int8", lambda x: x.astype(int) - 128),
        (
            "float32",
            lambda x: (x - [1, 2, 3]) / [2, 4, 8],
        ),  # mean and std are in the input's channel order
    ],
)
def test_channels_and_axes_come_in_the_order_that_the_input_takes(
    dtype, stored, order, pixels, layout
):
    to = spec(
        dtype, width=2, height=1, normalization=PER_CHANNEL, channel_order=order, layout=layout
    )
    tensor = to_tensor(PIXELS, to)
    expected = stored(pixels)
    if layout is Layout.NCHW:
        expected = np.stack([expected[:, :, channel] for channel in range(3)])
    assert tensor.dtype == dtype
    assert (1, *tensor.shape) == to.shape
    assert tensor.flags.c_contiguous
    np.testing.assert_allclose(tensor.astype(float), expected, atol=1e-6)


def test_an_input_takes_rgb_with_the_channels_last_unless_its_export_says_otherwise():
    assert (spec().channel_order, spec().layout) == (ChannelOrder.RGB, Layout.NHWC)


def test_a_frame_is_preprocessed_in_the_order_that_the_input_takes():
    frame = decode(encode(quadrants(), "PNG"), max_pixels=10_000)
    usual, _ = preprocess(frame, spec(width=20, height=10), Tuning())
    to = spec(width=20, height=10, channel_order=ChannelOrder.BGR, layout=Layout.NCHW)
    planes, _ = preprocess(frame, to, Tuning())
    assert planes.shape == (3, 10, 20)
    for plane, channel in enumerate([2, 1, 0]):
        np.testing.assert_array_equal(planes[plane], usual[:, :, channel])


@pytest.mark.parametrize(
    ("tuning", "enough"),
    [
        (Tuning(), 576),
        (Tuning(kernel=Kernel.BICUBIC), 576),
        (Tuning(resize=Resize.CENTER_CROP, crop_fraction=1.0), 576),
        (Tuning(resize=Resize.CENTER_CROP, crop_fraction=0.5), 1152),
        (Tuning(kernel=Kernel.TENSORFLOW), None),
        (Tuning(kernel=Kernel.TENSORFLOW_V1), None),
    ],
)
def test_a_decode_keeps_enough_of_what_the_model_sees_or_all_where_the_kernel_aliases(
    tuning, enough
):
    assert min_decoded_side(spec(width=320, height=200), tuning) == enough


@pytest.mark.parametrize("kernel", Kernel)
@pytest.mark.parametrize("resize", Resize)
def test_the_tensor_has_the_inputs_height_and_width(kernel, resize):
    frame = decode(encode(quadrants(), "PNG"), max_pixels=10_000)
    tensor, region = preprocess(
        frame, spec(width=20, height=10), Tuning(resize=resize, kernel=kernel)
    )
    assert tensor.shape == (10, 20, 3)
    assert (region == WHOLE_IMAGE) is (resize is Resize.STRETCH)


def test_a_crop_of_a_scaled_decode_shows_the_same_part_as_that_of_the_whole_one():
    encoded = encode(noise(40, 30).resize((1600, 1200)), "JPEG")
    tuning = Tuning(resize=Resize.CENTER_CROP, crop_fraction=0.8)
    to = spec(width=64, height=64)
    scaled = decode(encoded, max_pixels=10_000_000, min_side=min_decoded_side(to, tuning))
    whole = decode(encoded, max_pixels=10_000_000)
    assert scaled.pixels.width < whole.pixels.width
    (a, region_a), (b, region_b) = preprocess(scaled, to, tuning), preprocess(whole, to, tuning)
    assert region_a == region_b
    assert np.abs(a.astype(int) - b.astype(int)).mean() < 2
