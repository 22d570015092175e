"""Features are those that the model's own last layer computes its scores from."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from builders.images import encode, noise
from serving.process import MODELS

from edge.errors import CorruptImage, ExportError
from edge.export.pooled_features import find_features
from edge.export.read import read_export
from edge.export.tflite_edit import with_more_outputs
from edge.export.tflite_graph import Graph
from edge.runtime.features import FeatureReader
from edge.runtime.open import open_pipeline
from edge.runtime.pipeline import DecodeOptions
from edge.vision.decode import decode

MAX_PIXELS = 10_000_000
IMAGENET = MODELS / "imagenet" / "model.tflite"


@pytest.fixture(scope="module")
def export():
    return read_export(MODELS / "imagenet")


@pytest.fixture(scope="module")
def reader(export):
    return FeatureReader(export.model, export.contract, max_pixels=MAX_PIXELS, workers=2)


@pytest.fixture(scope="module")
def photo():
    return (MODELS / "photos" / "chelsea.jpg").read_bytes()


def last_weights(data):
    """Weights [classes, features] and bias of the file's last layer, dequantised."""
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    graph = model.subgraphs[0]
    layer = next(op for op in reversed(graph.operators) if len(op.inputs) == 3)
    (source, weights, bias) = (graph.tensors[index] for index in layer.inputs)
    scale = np.array(weights.quantization.scale, np.float32)
    stored = np.asarray(model.buffers[weights.buffer].data, np.uint8)
    bias_stored = np.asarray(model.buffers[bias.buffer].data, np.uint8)
    return (
        stored.view(np.int8).reshape(weights.shape).astype(np.float32) * scale[:, None],
        bias_stored.view(np.int32) * scale * source.quantization.scale[0],
    )


def test_the_last_layer_gives_the_models_own_scores_from_them(reader, export, photo):
    weights, bias = last_weights(export.model.read_bytes())
    logits = weights @ reader.read(photo) + bias
    powers = np.exp(logits - logits.max())
    pipeline = open_pipeline(export.model, export.contract, 1)
    scores = pipeline.run(0, photo, DecodeOptions(MAX_PIXELS)).prediction.scores
    assert reader.size == 1280
    assert np.abs(powers / powers.sum() - scores).max() < 0.02


def test_a_frame_has_the_features_of_its_bytes(reader, photo):
    frame = decode(photo, max_pixels=MAX_PIXELS, min_side=512)
    assert np.array_equal(reader.read(frame), reader.read(photo))


def test_many_pictures_come_in_order_with_the_errors_of_those_at_fault(reader, photo, tmp_path):
    def missing():
        return (tmp_path / "missing.jpg").read_bytes()

    pictures = [("photo", lambda: photo), ("broken", lambda: b"\xff\xd8\xff"), ("none", missing)]
    pictures += [(str(index), lambda: photo) for index in range(6)]
    found = list(reader.read_all(pictures))
    assert [key for key, _ in found] == [key for key, _ in pictures]
    assert isinstance(found[1][1], CorruptImage)
    assert isinstance(found[2][1], FileNotFoundError)
    alone = reader.read(photo)
    assert all(np.array_equal(found[at][1], alone) for at in (0, 3, 8))


def test_pictures_are_opened_only_as_room_is_made(reader, photo):
    opened = []

    def pictures():
        for index in range(50):
            opened.append(index)
            yield index, lambda: photo

    found = reader.read_all(pictures())
    next(found)
    assert len(opened) <= 6
    found.close()


def test_a_file_with_more_outputs_is_the_same_for_the_old_ones(export):
    data = export.model.read_bytes()
    features = find_features(export.model)
    edited = with_more_outputs(data, [features.tensor])
    before, after = Graph(data), Graph(edited)
    assert after.outputs == [*before.outputs, before.tensor(features.tensor)]
    assert [after.tensor(index) for index in range(165)] == [
        before.tensor(index) for index in range(165)
    ]
    assert with_more_outputs(edited, [features.tensor])[: len(edited)][-8:] == edited[-8:]


@pytest.mark.parametrize("tensor", [-1, 165, 2**31 - 1])
def test_a_tensor_that_the_graph_does_not_have_is_no_output(export, tensor):
    with pytest.raises(IndexError):
        with_more_outputs(export.model.read_bytes(), [tensor])


def test_a_detector_has_no_features():
    with pytest.raises(ExportError, match="no fully connected last layer"):
        find_features(MODELS / "objects" / "model.tflite")


def test_another_size_of_picture_is_fed_by_the_models_own_contract(reader):
    wide = noise(400, 100)
    square = wide.crop((150, 0, 250, 100))
    apart = reader.read(encode(wide, "PNG")) - reader.read(encode(square, "PNG"))
    assert np.abs(apart).mean() < 0.02  # only the centre square is seen
