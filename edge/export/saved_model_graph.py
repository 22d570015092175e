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
CALLS: Final = {"PartitionedCall", "StatefulPartitionedCall"}
CONSTANT: Final = "Const"
_CONSTANT_VALUE: Final = "value"
_CALLED_FUNCTION: Final = "f"  # the attribute of a call that names the function
_MAX_STEPS: Final = 100  # a broken graph may go round in circles


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A node.

    Attributes:
        function: that it calls; empty if it calls none.
        value: of a constant: a `TensorProto`; empty for any other node.
    """

    operator: str
    inputs: list[str]
    function: str
    value: memoryview


@dataclass(frozen=True, slots=True)
class Body:
    """The nodes of the graph or a function by name, and what a function takes and returns."""

    nodes: dict[str, GraphNode]
    returns: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)


def read_bodies(meta_graph: memoryview) -> tuple[Body, dict[str, Body]]:
    """The graph, and its functions by name; raises ``ValueError`` if it is truncated."""
    graph = protobuf.message(meta_graph, MetaGraphField.GRAPH)
    return Body(_nodes(graph, GraphField.NODES)), _functions(graph)


def operator_behind(meta_graph: memoryview, tensor: str) -> str | None:
    """The operator that computes a tensor: ``Sigmoid`` for ``StatefulPartitionedCall:0``, say.

    Follows calls into functions and skips operators that only repack their input. ``None`` if the
    operator cannot be found.

    Raises:
        ValueError: the graph is truncated.
    """
    body, functions = read_bodies(meta_graph)
    for _ in range(_MAX_STEPS):
        name, index = split_tensor(tensor)
        node = body.nodes.get(name)
        if node is None:
            return None
        if node.operator in CALLS and node.function in functions:
            body = functions[node.function]
            if index >= len(body.returns):
                return None
            tensor = body.returns[index]
        elif node.operator in _REPACKING_OPERATORS and node.inputs:
            tensor = node.inputs[0]
        else:
            return node.operator
    return None


def split_tensor(tensor: str) -> tuple[str, int]:
    """Node and output index of ``node``, ``node:1`` or, inside functions, ``node:output:1``."""
    name, *rest = tensor.split(":")
    if rest and rest[-1].isdecimal():
        return name, int(rest[-1])
    return name, 0


def _nodes(message: memoryview, number: int) -> dict[str, GraphNode]:
    nodes = {}
    for node in protobuf.messages(message, number):
        operator = protobuf.text(node, NodeField.OPERATOR)
        inputs = protobuf.texts(node, NodeField.INPUTS)
        function, value = "", memoryview(b"")
        if operator in CALLS:
            attribute = _attribute(node, _CALLED_FUNCTION, AttributeField.FUNCTION)
            function = protobuf.text(attribute, NameAttrListField.NAME)
        elif operator == CONSTANT:
            value = _attribute(node, _CONSTANT_VALUE, AttributeField.TENSOR)
        name = protobuf.text(node, NodeField.NAME)
        nodes[name] = GraphNode(operator, inputs, function, value)
    return nodes


def _attribute(node: memoryview, key: str, kind: AttributeField) -> memoryview:
    """A node's attribute of that name and kind, empty if absent."""
    for attribute in protobuf.messages(node, NodeField.ATTRIBUTES):
        if protobuf.text(attribute, MapEntryField.KEY) == key:
            value = protobuf.message(attribute, MapEntryField.VALUE)
            return protobuf.message(value, kind)
    return memoryview(b"")


def _functions(graph: memoryview) -> dict[str, Body]:
    functions = {}
    for library in protobuf.messages(graph, GraphField.LIBRARY):
        for function in protobuf.messages(library, LibraryField.FUNCTIONS):
            signature = protobuf.message(function, FunctionField.SIGNATURE)
            name = protobuf.text(signature, OpField.NAME)
            nodes = _nodes(function, FunctionField.NODES)
            arguments = protobuf.messages(signature, OpField.INPUTS)
            names = [protobuf.text(argument, ArgField.NAME) for argument in arguments]
            functions[name] = Body(nodes, _returns(function, signature), names)
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
