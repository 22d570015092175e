"""Finds the pooled features in a TFLite classifier: what its last layer takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from edge.errors import ExportError
from edge.export.regular_file import MAX_MODEL_BYTES, read_bounded
from edge.export.tflite_graph import Graph, refuse_if_broken
from edge.export.tflite_outputs import tensor_outputs

if TYPE_CHECKING:
    from pathlib import Path

    from edge.export.tflite_graph import Operator, Tensor
    from edge.model.contract import TensorOutput

FEATURES: Final = "features"
"""Their role in a contract."""

_LAST_LAYER: Final = "FULLY_CONNECTED"
_DTYPES: Final = frozenset({"int8", "uint8", "float32"})


def last_layer(graph: Graph) -> Operator | None:
    """The last fully connected operator; ``None`` if the graph has none."""
    layers = [operator for operator in graph.operators if operator.name == _LAST_LAYER]
    return layers[-1] if layers else None


def pooled_tensor(graph: Graph) -> Tensor | None:
    """What the last layer takes; ``None`` if there is no such layer."""
    layer = last_layer(graph)
    if layer is None:
        return None
    tensor = graph.tensor(layer.inputs[0])
    is_vector = tensor.dtype in _DTYPES and math.prod(tensor.shape) >= 1
    return tensor if is_vector else None


def find_features(model: Path) -> TensorOutput:
    """The input of the last fully connected layer, one vector a picture.

    Raises:
        ExportError: broken, or a model without such a layer.
    """
    with refuse_if_broken(model):
        graph = Graph(read_bounded(model, MAX_MODEL_BYTES))
        tensor = pooled_tensor(graph)
    if tensor is None:
        reason = "it has no fully connected last layer, whose input would be a picture's features"
        raise ExportError(model, reason, "Use the built-in classifier imagenet for features")
    return tensor_outputs({FEATURES: tensor}, graph)[FEATURES]
