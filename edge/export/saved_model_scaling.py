"""What a SavedModel's graph does to its input first: a chain of operators with constants."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from edge.export import protobuf
from edge.export.pixel_range import Scaling, scaling_step
from edge.export.saved_model_graph import CALLS, CONSTANT, read_bodies, split_tensor
from edge.export.saved_model_schema import TensorField

if TYPE_CHECKING:
    from edge.export.saved_model_graph import Body, GraphNode

_OPERATORS: Final = {
    "Mul": "MUL",
    "Add": "ADD",
    "AddV2": "ADD",
    "BiasAdd": "ADD",
    "Sub": "SUB",
    "RealDiv": "DIV",
    "Div": "DIV",
}
_UNCHANGED: Final = {"Identity", "Cast", "Transpose"}
_MAX_STEPS: Final = 30
_CHANNEL_COUNTS: Final = (1, 3)
_MAX_CONSTANT_BYTES: Final = 64
_FLOAT: Final = 1  # DT_FLOAT
_FLOAT_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class _Place:
    """A body that is followed, and the call that led into it."""

    body: Body
    caller: _Place | None = None
    call: GraphNode | None = None


def input_scaling(meta_graph: memoryview, tensor: str) -> Scaling:
    """The scaling of an input, as far as it can be followed; raises ``ValueError`` if truncated."""
    graph, functions = read_bodies(meta_graph)
    place = _Place(graph)
    name, _ = split_tensor(tensor)
    scaling = Scaling()
    for _ in range(_MAX_STEPS):
        consumers = _consumers(place.body, name)
        if len(consumers) != 1:
            break
        found, node, index = consumers[0]
        if node.operator in CALLS and node.function in functions:
            called = functions[node.function]
            if index >= len(called.arguments):
                break
            place, name = _Place(called, place, node), called.arguments[index]
            continue
        if node.operator not in _UNCHANGED:
            step = _step(place, node, index)
            if step is None:
                break
            scaling = scaling.then(_OPERATORS[node.operator], *step)
        name = found
    return scaling


def _consumers(body: Body, name: str) -> list[tuple[str, GraphNode, int]]:
    """The nodes that take a tensor, by name, each with the place among its inputs."""
    return [
        (found, node, index)
        for found, node in body.nodes.items()
        for index, taken in enumerate(node.inputs)
        if not taken.startswith("^") and split_tensor(taken)[0] == name
    ]


def _step(
    place: _Place, node: GraphNode, index: int
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    if node.operator not in _OPERATORS or len(node.inputs) < 2:  # noqa: PLR2004 -- two operands
        return None
    values = _constant(place, node.inputs[1 - index]) if index in {0, 1} else None
    if values is None or len(values) not in _CHANNEL_COUNTS:
        return None
    return scaling_step(_OPERATORS[node.operator], values, is_first=index == 0)


def _constant(place: _Place, tensor: str) -> tuple[float, ...] | None:
    """The values of a small constant, also of one that is handed to a function."""
    for _ in range(_MAX_STEPS):
        name, _ = split_tensor(tensor)
        node = place.body.nodes.get(name)
        if node is not None and node.operator == CONSTANT:
            return _floats(node.value)
        if node is not None and node.operator in _UNCHANGED and node.inputs:
            tensor = node.inputs[0]
            continue
        is_argument = node is None and name in place.body.arguments
        if not is_argument or place.caller is None or place.call is None:
            return None
        index = place.body.arguments.index(name)
        if index >= len(place.call.inputs):
            return None
        tensor, place = place.call.inputs[index], place.caller
    return None


def _floats(value: memoryview) -> tuple[float, ...] | None:
    """The numbers of a `TensorProto` of floats."""
    if protobuf.integer(value, TensorField.DTYPE) != _FLOAT:
        return None
    content = bytes(protobuf.message(value, TensorField.CONTENT))
    for number, stored in protobuf.fields(value):
        if number != TensorField.FLOATS:
            continue
        content += struct.pack("<I", stored) if isinstance(stored, int) else bytes(stored)
    if not content or len(content) > _MAX_CONSTANT_BYTES or len(content) % _FLOAT_BYTES:
        return None
    return tuple(np.frombuffer(content, "<f4").tolist())
