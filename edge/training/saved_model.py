"""Writes the SavedModel of an AutoML export: encoded images in, scores and labels out.

The graph is written here, node by node: TensorFlow would take 10 s and 550 MB for it. Weights are
constants and `saved_model.pb` is the only file, as in AutoML's own exports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from edge.export import protobuf_encoding as encode
from edge.export.folder import SAVED_MODEL
from edge.export.saved_model_schema import (
    DataType,
    MetaGraphField,
    MetaInfoField,
    SavedModelField,
    SignatureField,
    TensorInfoField,
)
from edge.training.graph_attributes import Shape, map_entry, row_of_texts
from edge.training.graph_builder import GraphBuilder
from edge.training.network_graph import add_backbone, add_head
from edge.training.picture_loop import add_picture_loop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edge.training.float_layers import FloatLayers
    from edge.training.head import Head

    Tensor = tuple[str, DataType, Shape]

_SCHEMA_VERSION: Final = 1
_SERVING: Final = "serve"
_SIGNATURE: Final = "serving_default"
_METHOD: Final = "tensorflow/serving/predict"


def write_saved_model(
    folder: Path, backbone: FloatLayers, head: Head, labels: Sequence[str], size: tuple[int, int]
) -> None:
    """Write the float network with AutoML's signature.

    ``image_bytes`` and ``key``, string [N], give ``scores`` float32 [N, labels], ``labels`` string
    [N, labels] and ``key``. The graph decodes JPEG, PNG, GIF and BMP and stretches the whole image.

    Args:
        folder: is made.
        size: height and width of the input in pixels.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True)
    content = encode_saved_model(backbone, head, labels, size)
    (folder / SAVED_MODEL).write_bytes(content)


def encode_saved_model(
    backbone: FloatLayers, head: Head, labels: Sequence[str], size: tuple[int, int]
) -> bytes:
    """The content of `saved_model.pb`; the arguments are those of `write_saved_model`."""
    graph = GraphBuilder()
    batch, rows = Shape((-1,)), Shape((-1, len(labels)))
    images = graph.node("image_bytes", "Placeholder", dtype=DataType.STRING, shape=batch)
    key = graph.node("key", "Placeholder", dtype=DataType.STRING, shape=batch)
    count = graph.node("count", "Size", [images], T=DataType.STRING)
    pixels = add_picture_loop(graph, images, count, size, (backbone.mean, backbone.std))
    features = add_backbone(graph, pixels, backbone)
    scores = add_head(graph, features, head)
    names = _add_labels(graph, count, labels)
    same_key = graph.node("same_key", "Identity", [key], T=DataType.STRING)
    inputs = {
        "image_bytes": (images, DataType.STRING, batch),
        "key": (key, DataType.STRING, batch),
    }
    outputs = {
        "scores": (scores, DataType.FLOAT, rows),
        "labels": (names, DataType.STRING, rows),
        "key": (same_key, DataType.STRING, batch),
    }
    return _encode(graph, inputs, outputs)


def _add_labels(graph: GraphBuilder, count: str, labels: Sequence[str]) -> str:
    """The labels, string [N, labels]."""
    row = graph.constant("labels/row", row_of_texts(tuple(labels)))
    once = graph.constant("labels/once", np.int32(1))
    times = graph.node("labels/times", "Pack", [count, once], T=DataType.INT32, N=2)
    return graph.node("labels", "Tile", [row, times], T=DataType.STRING)


def _encode(
    graph: GraphBuilder, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]
) -> bytes:
    """As `SavedModel`, with one graph, for serving, and one signature."""
    info = encode.message(
        MetaGraphField.META_INFO,
        encode.text(MetaInfoField.TAGS, _SERVING),
        encode.integer(MetaInfoField.STRIPPED_DEFAULTS, value=True),
    )
    meta_graph = encode.message(
        SavedModelField.META_GRAPHS,
        info,
        encode.message(MetaGraphField.GRAPH, graph.encoded()),
        map_entry(
            MetaGraphField.SIGNATURES,
            _SIGNATURE,
            *_encode_tensors(SignatureField.INPUTS, inputs),
            *_encode_tensors(SignatureField.OUTPUTS, outputs),
            encode.text(SignatureField.METHOD_NAME, _METHOD),
        ),
    )
    return encode.integer(SavedModelField.SCHEMA_VERSION, _SCHEMA_VERSION) + meta_graph


def _encode_tensors(number: int, tensors: Mapping[str, Tensor]) -> list[bytes]:
    """Entries from names to `TensorInfo`."""
    return [
        map_entry(
            number,
            name,
            encode.text(TensorInfoField.NAME, f"{tensor}:0"),
            encode.integer(TensorInfoField.DTYPE, dtype),
            encode.message(TensorInfoField.SHAPE, shape.encoded()),
        )
        for name, (tensor, dtype, shape) in tensors.items()
    ]
