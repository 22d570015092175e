"""Writes the first part of a classifier's TFLite file, up to a feature map, which is its output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge.errors import ExportError
from edge.training.tflite_file import pack

if TYPE_CHECKING:
    from collections.abc import Mapping

MAP_SHAPE: Final = (1, 14, 14, 112)
"""Of EfficientNet-Lite0's stage 5, for pictures of 224x224. On real solar cells and drawn parts it
told good from bad better than the map of 28x28x40 and than the pooled features."""

_DESCRIPTION: Final = "Feature map of EfficientNet-Lite0, uint8, with how good parts look, by edge"


def write_trunk(data: bytes, name: object, entries: Mapping[str, bytes]) -> bytes:
    """Write the operators up to the last feature map of `MAP_SHAPE`, and no others.

    Args:
        data: a TFLite file, whose operators stand in the order in which they run.
        name: of the file, for messages.
        entries: named metadata buffers to add; all others are left out.

    Raises:
        ExportError: it has no such map.
    """
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    graph = model.subgraphs[0]
    last = _last_operator(graph)
    if last is None:
        reason = f"it has no feature map of the shape {list(MAP_SHAPE)}"
        raise ExportError(name, reason, "Train on the built-in classifier imagenet")
    graph.operators = graph.operators[: last + 1]
    graph.outputs = np.array([graph.operators[last].outputs[0]], np.int32)
    used = {int(tensor) for operator in graph.operators for tensor in operator.inputs}
    kept = {graph.tensors[tensor].buffer for tensor in used if tensor >= 0}
    for number, buffer in enumerate(model.buffers):
        if number not in kept:
            buffer.data = None
    model.signatureDefs = None
    model.metadata = [_entry(model, entry, content) for entry, content in entries.items()]
    return pack(model, _DESCRIPTION)


def _last_operator(graph: Any) -> int | None:
    found = None
    for number, operator in enumerate(graph.operators):
        shape = graph.tensors[operator.outputs[0]].shape
        if shape is not None and tuple(int(side) for side in shape) == MAP_SHAPE:
            found = number
    return found


def _entry(model: Any, name: str, content: bytes) -> Any:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(content, np.uint8)
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = name, len(model.buffers) - 1
    return entry
