"""Edits a TFLite file's bytes without a schema: makes inner tensors outputs.

A runtime reuses the memory of an inner tensor, so only an output can be read after a run.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from edge.export.flatbuffer import Table
from edge.export.tflite_schema import ModelField, SubGraphField

if TYPE_CHECKING:
    from collections.abc import Sequence

_ALIGNMENT: Final = 4  # of a vector of int32


def with_more_outputs(data: bytes, tensors: Sequence[int]) -> bytes:
    """Return the file with tensors of its first subgraph appended to that graph's outputs.

    A longer list is written behind the file and the graph is pointed to it; all else stays.

    Args:
        tensors: indices; those that are outputs already are left out.

    Raises:
        ValueError: the graph lists no outputs, or has no such tensor.
        IndexError, struct.error: the file is damaged.
    """
    graph = Table.root(data).at(ModelField.SUBGRAPHS, 0)
    for tensor in tensors:
        graph.at(SubGraphField.TENSORS, tensor)
    outputs = graph.numbers(SubGraphField.OUTPUTS)
    position = graph.field_position(SubGraphField.OUTPUTS)
    if not position:
        raise ValueError("its graph has no outputs")
    every = outputs + [tensor for tensor in tensors if tensor not in outputs]
    edited = bytearray(data)
    edited += bytes(-len(edited) % _ALIGNMENT)
    struct.pack_into("<I", edited, position, len(edited) - position)
    edited += struct.pack(f"<I{len(every)}i", len(every), *every)
    return bytes(edited)
