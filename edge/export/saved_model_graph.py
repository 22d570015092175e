"""Follows an output of a SavedModel back to the operator that computes it, without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from edge.export import protobuf
from edge.export.saved_model_schema import (
    ArgField,
    AttributeField,
    FunctionField,
    GraphField,
    LibraryField,
    MapEntryField,
    MetaGraphField,
    NameAttrListField,
    NodeField,
    OpField,
)

_REPACKING_OPERATORS: Final = {"Identity", "Reshape", "Squeeze", "Cast"}
_CALLS: Final = {"PartitionedCall", "StatefulPartitionedCall"}
_CALLED_FUNCTION: Final = "f"  # the attribute of a call that names the function
_MAX_STEPS: Final = 100  # a broken graph may go round in circles


@dataclass(frozen=True, slots=True)
class _Node:
    """A node: its operator, its input tensors, and the function that it calls, if any."""

    operator: str
    inputs: list[str]
    function: str


@dataclass(frozen=True, slots=True)
class _Body:
    """The nodes of the graph or a function by name, and the tensors that a function returns."""

    nodes: dict[str, _Node]
    returns: list[str] = field(default_factory=list)


def operator_behind(meta_graph: memoryview, tensor: str) -> str | None:
    """The operator that computes a tensor: ``Sigmoid`` for ``StatefulPartitionedCall:0``, say.

    Follows calls into functions and skips operators that only repack their input. ``None`` if the
    operator cannot be found.

    Raises:
        ValueError: the graph is truncated.
    """
    graph = protobuf.message(meta_graph, MetaGraphField.GRAPH)
    functions = _functions(graph)
    body = _Body(_nodes(graph, GraphField.NODES))
    for _ in range(_MAX_STEPS):
        name, index = _split(tensor)
        node = body.nodes.get(name)
        if node is None:
            return None
        if node.operator in _CALLS and node.function in functions:
            body = functions[node.function]
            if index >= len(body.returns):
                return None
            tensor = body.returns[index]
        elif node.operator in _REPACKING_OPERATORS and node.inputs:
            tensor = node.inputs[0]
        else:
            return node.operator
    return None


def _split(tensor: str) -> tuple[str, int]:
    """Node and output index of ``node``, ``node:1`` or, inside functions, ``node:output:1``."""
    name, *rest = tensor.split(":")
    if rest and rest[-1].isdecimal():
        return name, int(rest[-1])
    return name, 0


def _nodes(message: memoryview, number: int) -> dict[str, _Node]:
    nodes = {}
    for node in protobuf.messages(message, number):
        operator = protobuf.text(node, NodeField.OPERATOR)
        inputs = protobuf.texts(node, NodeField.INPUTS)
        function = _called_function(node) if operator in _CALLS else ""
        nodes[protobuf.text(node, NodeField.NAME)] = _Node(operator, inputs, function)
    return nodes


def _called_function(node: memoryview) -> str:
    for attribute in protobuf.messages(node, NodeField.ATTRIBUTES):
        if protobuf.text(attribute, MapEntryField.KEY) == _CALLED_FUNCTION:
            value = protobuf.message(attribute, MapEntryField.VALUE)
            function = protobuf.message(value, AttributeField.FUNCTION)
            return protobuf.text(function, NameAttrListField.NAME)
    return ""


def _functions(graph: memoryview) -> dict[str, _Body]:
    functions = {}
    for library in protobuf.messages(graph, GraphField.LIBRARY):
        for function in protobuf.messages(library, LibraryField.FUNCTIONS):
            signature = protobuf.message(function, FunctionField.SIGNATURE)
            name = protobuf.text(signature, OpField.NAME)
            nodes = _nodes(function, FunctionField.NODES)
            functions[name] = _Body(nodes, _returns(function, signature))
    return functions


def _returns(function: memoryview, signature: memoryview) -> list[str]:
    tensors = {}
    for entry in protobuf.messages(function, FunctionField.RETURNS):
        tensors[protobuf.text(entry, MapEntryField.KEY)] = protobuf.text(entry, MapEntryField.VALUE)
    returns = []
    for output in protobuf.messages(signature, OpField.OUTPUTS):
        name = protobuf.text(output, ArgField.NAME)
        returns.append(tensors.get(name, ""))
    return returns
