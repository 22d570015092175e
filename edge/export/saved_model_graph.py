"""Follows an output of a SavedModel back to the operator that computes it, through functions, without TensorFlow.

Field numbers follow TensorFlow's `graph.proto`, `function.proto`, `node_def.proto` and `attr_value.proto`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.export import protobuf

_PASSES_THROUGH = {"Identity", "Reshape", "Squeeze", "Cast"}
_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
_LONGEST_WAY = 100  # a broken graph may go round in circles


@dataclass(frozen=True, slots=True)
class _Node:
    operator: str
    inputs: list[str]
    function: str


@dataclass(frozen=True, slots=True)
class _Body:
    """The nodes of the graph or of a function, and which tensor each output of a function is, in order."""

    nodes: dict[str, _Node]
    returns: list[str] = field(default_factory=list)


def operator_behind(meta_graph: memoryview, tensor: str) -> str | None:
    """The operator that computes a tensor such as ``StatefulPartitionedCall:0``, as in ``Sigmoid``.

    Operators that only repack are looked through. ``None`` where the way back is lost.

    Raises:
        ValueError: the graph is truncated.
    """
    for graph in protobuf.messages(meta_graph, 2):
        body, functions = _Body(_nodes(graph, 1)), _functions(graph)
        for _ in range(_LONGEST_WAY):
            name, index = _split(tensor)
            node = body.nodes.get(name)
            if node is None:
                return None
            if node.operator in _CALLS and node.function in functions:
                body = functions[node.function]
                if index >= len(body.returns):
                    return None
                tensor = body.returns[index]
            elif node.operator in _PASSES_THROUGH and node.inputs:
                tensor = node.inputs[0]
            else:
                return node.operator
    return None


def _split(tensor: str) -> tuple[str, int]:
    """Node and output of ``node``, ``node:1`` or, inside functions, ``node:output:1``."""
    name, *rest = tensor.split(":")
    return name, int(rest[-1]) if rest and rest[-1].isdecimal() else 0


def _nodes(message: memoryview, number: int) -> dict[str, _Node]:
    nodes = {}
    for node in protobuf.messages(message, number):
        operator = protobuf.text(node, 2)
        inputs = [bytes(value).decode("utf-8", "replace") for value in protobuf.messages(node, 3)]
        nodes[protobuf.text(node, 1)] = _Node(operator, inputs, _called(node) if operator in _CALLS else "")
    return nodes


def _called(node: memoryview) -> str:
    for attribute in protobuf.messages(node, 5):
        if protobuf.text(attribute, 1) == "f":
            for value in protobuf.messages(attribute, 2):
                return next((protobuf.text(function, 1) for function in protobuf.messages(value, 10)), "")
    return ""


def _functions(graph: memoryview) -> dict[str, _Body]:
    functions = {}
    for library in protobuf.messages(graph, 2):
        for function in protobuf.messages(library, 1):
            signature = next(protobuf.messages(function, 1), memoryview(b""))
            outputs = [protobuf.text(argument, 1) for argument in protobuf.messages(signature, 3)]
            tensors = {protobuf.text(entry, 1): protobuf.text(entry, 2) for entry in protobuf.messages(function, 4)}
            returns = [tensors.get(output, "") for output in outputs]
            functions[protobuf.text(signature, 1)] = _Body(_nodes(function, 3), returns)
    return functions
