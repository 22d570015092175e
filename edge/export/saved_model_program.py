"""What a SavedModel's graph and functions consist of, and what calls what, without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from edge.export import protobuf
from edge.export.saved_model_schema import (
    ArgField,
    AttributeField,
    AttributeListField,
    FunctionField,
    GraphField,
    LibraryField,
    MapEntryField,
    MetaGraphField,
    NameAttrListField,
    NodeField,
    OpField,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_NODES: Final = 500_000
"""Of the graph and its functions. AutoML's exports have 5,000 to 30,000."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node.

    Attributes:
        inputs: names of the nodes (in a function also of its arguments) whose values it takes.
        controls: names of the nodes that run before it.
        functions: that its attributes name, such as the body of a loop.
    """

    name: str
    operator: str
    inputs: tuple[str, ...]
    controls: tuple[str, ...]
    functions: tuple[str, ...]


@dataclass(slots=True)
class Function:
    """A function of the library; one that is defined twice has the nodes of both.

    Attributes:
        implements: whether TensorFlow may call it in place of another function.
    """

    arguments: list[str] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    implements: bool = False


@dataclass(frozen=True, slots=True)
class Program:
    """All nodes of a `MetaGraphDef`: those of the graph, and those of each function by name."""

    graph: list[Node]
    functions: dict[str, Function]

    def nodes(self) -> Iterator[tuple[str, Node]]:
        """Every node, with the name of the function that it is in; empty for the graph itself."""
        for node in self.graph:
            yield "", node
        for name, function in self.functions.items():
            for node in function.nodes:
                yield name, node

    def calls(self, node: Node) -> list[str]:
        """The functions that a node may run: those it names, or that its operator is."""
        named = [name for name in node.functions if name in self.functions]
        return [*named, node.operator] if node.operator in self.functions else named

    def reached(
        self, nodes: Iterable[str], functions: Iterable[str]
    ) -> tuple[frozenset[str], frozenset[str]]:
        """The graph's nodes and the functions that run when these nodes and functions do."""
        by_name: dict[str, list[Node]] = {}
        for node in self.graph:
            by_name.setdefault(node.name, []).append(node)
        run_nodes: set[str] = set()
        run_functions: set[str] = set()
        functions_ahead = [name for name in functions if name in self.functions]
        nodes_ahead = list(nodes)
        while nodes_ahead:
            name = nodes_ahead.pop()
            if name in run_nodes:
                continue
            run_nodes.add(name)
            for node in by_name.get(name, ()):
                nodes_ahead += [*node.inputs, *node.controls]
                functions_ahead += self.calls(node)
        while functions_ahead:
            name = functions_ahead.pop()
            if name in run_functions:
                continue
            run_functions.add(name)
            for node in self.functions[name].nodes:
                functions_ahead += self.calls(node)
        return frozenset(run_nodes), frozenset(run_functions)


def read_program(meta_graph: memoryview) -> Program:
    """The nodes of a `MetaGraphDef`; raises ``ValueError`` if it is truncated or too large."""
    graph = protobuf.message(meta_graph, MetaGraphField.GRAPH)
    program = Program(list(_nodes(graph, GraphField.NODES)), {})
    total = len(program.graph)
    for library in protobuf.messages(graph, GraphField.LIBRARY):
        for message in protobuf.messages(library, LibraryField.FUNCTIONS):
            total += _add_function(program.functions, message)
            if total > MAX_NODES:
                raise _too_many_nodes()
    return program


def node_name(tensor: str) -> str:
    """The node that gives a tensor: ``scores`` for ``scores``, ``scores:0`` or ``scores:y:0``."""
    return tensor.partition(":")[0]


def _add_function(functions: dict[str, Function], message: memoryview) -> int:
    """Add a function and return its number of nodes."""
    signature = protobuf.message(message, FunctionField.SIGNATURE)
    function = functions.setdefault(protobuf.text(signature, OpField.NAME), Function())
    arguments = protobuf.messages(signature, OpField.INPUTS)
    function.arguments += [protobuf.text(argument, ArgField.NAME) for argument in arguments]
    nodes = list(_nodes(message, FunctionField.NODES))
    function.nodes += nodes
    for attribute in protobuf.messages(message, FunctionField.ATTRIBUTES):
        if protobuf.text(attribute, MapEntryField.KEY).startswith("api_"):
            function.implements = True
    return len(nodes)


def _nodes(message: memoryview, number: int) -> Iterator[Node]:
    for count, node in enumerate(protobuf.messages(message, number)):
        if count == MAX_NODES:
            raise _too_many_nodes()
        inputs = protobuf.texts(node, NodeField.INPUTS)
        yield Node(
            name=protobuf.text(node, NodeField.NAME),
            operator=protobuf.text(node, NodeField.OPERATOR),
            inputs=tuple(node_name(text) for text in inputs if not text.startswith("^")),
            controls=tuple(text[1:] for text in inputs if text.startswith("^")),
            functions=tuple(_functions_named(node)),
        )


def _functions_named(node: memoryview) -> Iterator[str]:
    for attribute in protobuf.messages(node, NodeField.ATTRIBUTES):
        value = protobuf.message(attribute, MapEntryField.VALUE)
        listed = protobuf.message(value, AttributeField.LIST)
        for function in (
            *protobuf.messages(value, AttributeField.FUNCTION),
            *protobuf.messages(listed, AttributeListField.FUNCTIONS),
        ):
            yield protobuf.text(function, NameAttrListField.NAME)


def _too_many_nodes() -> ValueError:
    return ValueError(f"its graph has more than {MAX_NODES:,} nodes")
