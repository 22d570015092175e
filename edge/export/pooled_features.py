"""Finds the pooled features in a TFLite classifier: what its last layer takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from edge.errors import ExportError
from edge.export.regular_file import MAX_MODEL_BYTES, read_bounded
from edge.export.tflite_graph import Graph, refuse_if_broken
from edge.model.contract import TensorOutput

if TYPE_CHECKING:
    from pathlib import Path

    from edge.export.tflite_graph import Operator

FEATURES: Final = "features"
"""Their role in a contract."""

_LAST_LAYER: Final = "FULLY_CONNECTED"
_DTYPES: Final = frozenset({"int8", "uint8", "float32"})


def last_layer(graph: Graph) -> Operator | None:
    """The last fully connected operator; ``None`` if the graph has none."""
    layers = [operator for operator in graph.operators if operator.name == _LAST_LAYER]
    return layers[-1] if layers else None


def find_features(model: Path) -> TensorOutput:
    """The input of the last fully connected layer, one vector a picture.

    Raises:
        ExportError: broken, or a model without such a layer.
    """
    with refuse_if_broken(model):
        graph = Graph(read_bounded(model, MAX_MODEL_BYTES))
        layer = last_layer(graph)
        tensor = None if layer is None else graph.tensor(layer.inputs[0])
    if tensor is None or tensor.dtype not in _DTYPES or math.prod(tensor.shape) < 1:
        reason = "it has no fully connected last layer, whose input would be a picture's features"
        raise ExportError(model, reason, "Use the built-in classifier imagenet for features")
    is_output = any(output.index == tensor.index for output in graph.outputs)
    return TensorOutput(
        tensor.name, tensor.index, tensor.dtype, tensor.quantization, inner=not is_output
    )
