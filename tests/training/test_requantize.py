"""A fine-tuned tail is written into the 8-bit file: the values change as the weights did."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from builders.float_tail import TAIL, dequantised, tail_ranges, tail_weights

from edge.export.read import read_export
from edge.runtime.features import FeatureReader
from edge.training.requantize import requantize_tail, tail_outputs


@pytest.fixture(scope="module")
def backbone(embedded_models):
    return read_export(embedded_models / "imagenet")


@pytest.fixture(scope="module")
def data(backbone):
    return backbone.model.read_bytes()


def features(content, backbone, tmp_path, photos):
    file = tmp_path / "model.tflite"
    file.write_bytes(content)
    reader = FeatureReader(file, backbone.contract, max_pixels=10**7, workers=1)
    return np.stack([reader.read((photos / name).read_bytes()) for name in PHOTOS])


PHOTOS = ("astronaut.jpg", "chelsea.jpg", "coffee.jpg")


@pytest.fixture(scope="module")
def photos(embedded_models):
    return embedded_models / "photos"


@pytest.fixture
def known(data, backbone, tmp_path, photos):
    return features(data, backbone, tmp_path, photos)


def test_the_same_weights_and_ranges_give_the_same_features(
    data, backbone, known, tmp_path, photos
):
    content = requantize_tail(data, tail_weights(data), tail_ranges(data))
    again = features(content, backbone, tmp_path, photos)
    assert np.abs(again - known).max() <= 2 * 0.0207  # steps of 8 bits
    assert np.abs(again - known).mean() < 0.001


def test_what_was_not_trained_stays_as_it_is(data):
    weights = [(kernel * 2, bias * 2) for kernel, bias in tail_weights(data)]
    content = requantize_tail(data, weights, tail_ranges(data))
    first, second = (schema.ModelT.InitFromPackedBuf(one, 0) for one in (data, content))
    changed = set()
    for number, tensor in enumerate(first.subgraphs[0].tensors):
        other = second.subgraphs[0].tensors[number]
        old, new = (
            model.buffers[one.buffer].data for model, one in ((first, tensor), (second, other))
        )
        same_scale = np.array_equal(tensor.quantization.scale, other.quantization.scale)
        if not (np.array_equal(old, new) and same_scale):
            changed.add(number)
        assert tensor.type == other.type
    # Doubled kernels have the same bytes under doubled scales.
    assert len(changed) == 2 * TAIL
    assert changed.isdisjoint(tail_outputs(data, TAIL))


def test_other_weights_and_ranges_give_other_features_to_scale(
    data, backbone, known, tmp_path, photos
):
    """The last convolution is halved, and so is its range: RELU6 cuts nothing more."""
    weights, ranges = tail_weights(data), tail_ranges(data)
    kernel, bias = weights[-1]
    weights[-1] = (kernel / 2, bias / 2)
    for number in tail_outputs(data, TAIL)[-2:]:
        low, high = ranges[number]
        ranges[number] = (low / 2, high / 2)
    halved = features(requantize_tail(data, weights, ranges), backbone, tmp_path, photos)
    is_uncut = known < 3.0
    assert np.abs(halved - known / 2)[is_uncut].mean() < 0.01
    assert np.corrcoef(halved[is_uncut], known[is_uncut])[0, 1] > 0.999


def test_a_range_far_from_zero_is_widened_to_hold_it(data):
    ranges = dict.fromkeys(tail_outputs(data, TAIL), (2.0, 5.0))
    content = requantize_tail(data, tail_weights(data), ranges)
    tensor = schema.ModelT.InitFromPackedBuf(content, 0).subgraphs[0].tensors
    for number in ranges:
        assert tensor[number].quantization.zeroPoint.tolist() == [-128]
        assert tensor[number].quantization.scale[0] == pytest.approx(5 / 255)


def test_a_channel_of_zeros_with_a_large_bias_still_fits_into_32_bits(data):
    weights = tail_weights(data)
    kernel, bias = weights[0]
    kernel[..., 0], bias[0] = 0.0, 1e3
    content = requantize_tail(data, weights, tail_ranges(data))
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    first = next(
        operator
        for operator in model.subgraphs[0].operators
        if int(operator.outputs[0]) == tail_outputs(data, TAIL)[0]
    )
    written = dequantised(model, model.subgraphs[0].tensors[first.inputs[2]])
    assert written[0] == pytest.approx(1e3, rel=0.01)
