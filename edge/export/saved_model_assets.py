"""Whether a table that a SavedModel fills from a text file reads one of the export's own assets.

The path of an asset is a constant in the graph, for which the loader puts the real path. Or it is
bound to an argument of a function. So the path is followed back from the operator to where it
comes from, through the calls of functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.export import protobuf
from edge.export.saved_model_program import node_name
from edge.export.saved_model_schema import (
    AnyField,
    AssetField,
    CollectionField,
    ConcreteFunctionField,
    ListField,
    MapEntryField,
    MetaGraphField,
    ObjectField,
    ObjectsField,
    TensorInfoField,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.export.saved_model_program import Node, Program

_FILE_NAME_INPUT: Final = 1
_ASSETS_COLLECTION: Final = "saved_model_assets"
_CALLS: Final = {"PartitionedCall", "StatefulPartitionedCall"}
_MAX_STEPS: Final = 20


def asset_file_names(meta_graph: memoryview) -> list[str]:
    """The names of the asset files, below the folder `assets`."""
    return [protobuf.text(asset, AssetField.FILE_NAME) for asset in _assets(meta_graph)]


class Assets:
    """The assets of a `MetaGraphDef`, and which nodes read them."""

    def __init__(self, meta_graph: memoryview, program: Program, *, is_only: bool) -> None:
        """Read the assets.

        Args:
            is_only: whether the SavedModel has no other graph. TensorFlow then loads the functions
                of its object graph, if it has one, and never runs the nodes outside of functions.
        """
        self._program = program
        has_objects = any(True for _ in protobuf.messages(meta_graph, MetaGraphField.OBJECTS))
        self._runs_graph = not (is_only and has_objects)
        tensors = [protobuf.message(asset, AssetField.TENSOR) for asset in _assets(meta_graph)]
        self._asset_nodes = {
            node_name(protobuf.text(tensor, TensorInfoField.NAME)) for tensor in tensors
        }
        objects = protobuf.message(meta_graph, MetaGraphField.OBJECTS)
        self._is_asset_object = [
            any(True for _ in protobuf.messages(node, ObjectField.ASSET))
            for node in protobuf.messages(objects, ObjectsField.NODES)
        ]
        self._bound_inputs: dict[str, list[int]] = {}
        for entry in protobuf.messages(objects, ObjectsField.CONCRETE_FUNCTIONS):
            concrete = protobuf.message(entry, MapEntryField.VALUE)
            bound = protobuf.integers(concrete, ConcreteFunctionField.BOUND_INPUTS)
            self._bound_inputs[protobuf.text(entry, MapEntryField.KEY)] = bound

    def is_read_by(self, function: str, node: Node) -> bool:
        """Whether the file that a node reads is an asset, wherever its function is called."""
        if len(node.inputs) <= _FILE_NAME_INPUT:
            return False
        return self._is_asset(function, node.inputs[_FILE_NAME_INPUT], _MAX_STEPS)

    def _is_asset(self, function: str, name: str, steps: int) -> bool:
        """Whether a node or an argument is an asset's path."""
        if steps == 0:
            return False
        if function and name in self._program.functions[function].arguments:
            return self._is_asset_argument(function, name, steps)
        nodes = self._program.functions[function].nodes if function else self._program.graph
        sources = [node for node in nodes if node.name == name]
        if len(sources) != 1:
            return False
        if sources[0].operator == "Identity" and sources[0].inputs:
            return self._is_asset(function, sources[0].inputs[0], steps - 1)
        return not function and name in self._asset_nodes

    def _is_asset_argument(self, function: str, name: str, steps: int) -> bool:
        """Whether each call of a function, and the loader, give it an asset for an argument."""
        arguments = self._program.functions[function].arguments
        index = arguments.index(name)
        if function in self._bound_inputs:
            bound = self._bound_inputs[function]
            at = index - (len(arguments) - len(bound))  # they are the last arguments
            if not 0 <= at < len(bound) or not self._is_asset_node(bound[at]):
                return False
        for caller, node in self._program.nodes():
            is_run = bool(caller) or self._runs_graph
            if not is_run or function not in self._program.calls(node):
                continue
            is_call = node.operator in _CALLS or node.operator == function
            if not is_call or index >= len(node.inputs):
                return False
            if not self._is_asset(caller, node.inputs[index], steps - 1):
                return False
        return True

    def _is_asset_node(self, index: int) -> bool:
        return index < len(self._is_asset_object) and self._is_asset_object[index]


def _assets(meta_graph: memoryview) -> Iterator[memoryview]:
    """Each `AssetFileDef`: newer files have a field of them, older ones a collection."""
    yield from protobuf.messages(meta_graph, MetaGraphField.ASSETS)
    for entry in protobuf.messages(meta_graph, MetaGraphField.COLLECTIONS):
        if protobuf.text(entry, MapEntryField.KEY) == _ASSETS_COLLECTION:
            collection = protobuf.message(entry, MapEntryField.VALUE)
            values = protobuf.message(collection, CollectionField.ANY_LIST)
            for value in protobuf.messages(values, ListField.VALUES):
                yield protobuf.message(value, AnyField.VALUE)
