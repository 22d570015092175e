"""Which operators of a SavedModel may reach outside of it: files, processes, network or Python.

A SavedModel is a program, and TensorFlow runs what its graph says. So every node counts, in the
graph and in every function, whether it is reached or not, and every graph, whichever is served.
Two kinds of operators that touch files are harmless in one place:

* those that save and restore variables, which TensorFlow adds to every graph with variables, as
  long as neither a signature nor the loading runs them; the loader itself runs the restoring ones,
  with the path of the export's own `variables`;
* those that fill a table from a text file, if that file is one of the export's own assets.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from edge.export import protobuf
from edge.export.saved_model_assets import Assets, asset_file_names
from edge.export.saved_model_operators import PURE_OPERATORS
from edge.export.saved_model_program import node_name, read_program
from edge.export.saved_model_schema import (
    CollectionField,
    CompositeTensorField,
    ListField,
    MapEntryField,
    MetaGraphField,
    ObjectsField,
    SavedModelField,
    SaverField,
    SignatureField,
    TensorInfoField,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.export.saved_model_program import Node, Program

_RESTORING: Final = {"RestoreV2", "Restore", "RestoreSlice", "ShardedFilename", "ShardedFilespec"}
_SAVING: Final = {"SaveV2", "Save", "SaveSlices", "MergeV2Checkpoints"}
_FROM_TEXT_FILE: Final = {"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"}
_MAX_NAME: Final = 80  # letters of a name in an error
_MAX_FOUND: Final = 100
_MAX_TENSOR_DEPTH: Final = 20


def unsafe_operators(saved_model: memoryview) -> tuple[str, ...]:
    """The operators that may reach outside of the model: ``ReadFile (node load)``, at most 100.

    Raises:
        ValueError: the file is truncated or too large.
    """
    found: dict[str, None] = {}
    meta_graphs = list(protobuf.messages(saved_model, SavedModelField.META_GRAPHS))
    for meta_graph in meta_graphs:
        for words in _unsafe_in(meta_graph, is_only=len(meta_graphs) == 1):
            found[words] = None
            if len(found) == _MAX_FOUND:
                return tuple(found)
    return tuple(found)


def _unsafe_in(meta_graph: memoryview, *, is_only: bool) -> Iterator[str]:
    for name in asset_file_names(meta_graph):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            yield f"the asset {_printable(name)}"
    program = read_program(meta_graph)
    run = program.reached(_nodes_run(meta_graph), _functions_run(meta_graph, program))
    restored = program.reached([_restore_operation(meta_graph)], [])
    assets = Assets(meta_graph, program, is_only=is_only)
    for function, node in program.nodes():
        is_run = _is_in(run, function, node)
        is_restoring = _is_in(restored, function, node)
        if node.operator in PURE_OPERATORS or node.operator in program.functions:
            continue
        if node.operator in _RESTORING and not is_run:
            continue
        if node.operator in _SAVING and not is_run and not is_restoring:
            continue
        is_from_file = node.operator in _FROM_TEXT_FILE
        if is_from_file and assets.is_read_by(function, node):
            continue
        place = f" of function {_printable(function)}" if function else ""
        yield f"{_printable(node.operator)} (node {_printable(node.name)}{place})"


def _is_in(reached: tuple[frozenset[str], frozenset[str]], function: str, node: Node) -> bool:
    nodes, functions = reached
    return function in functions if function else node.name in nodes


def _nodes_run(meta_graph: memoryview) -> Iterator[str]:
    """The nodes that a request or the loading asks for: of signatures, and of collections.

    One of the collections names the nodes that initialise the model.
    """
    for entry in protobuf.messages(meta_graph, MetaGraphField.SIGNATURES):
        signature = protobuf.message(entry, MapEntryField.VALUE)
        for number in (SignatureField.INPUTS, SignatureField.OUTPUTS):
            for tensor in protobuf.messages(signature, number):
                yield from _tensor_nodes(protobuf.message(tensor, MapEntryField.VALUE))
    for entry in protobuf.messages(meta_graph, MetaGraphField.COLLECTIONS):
        collection = protobuf.message(entry, MapEntryField.VALUE)
        nodes = protobuf.message(collection, CollectionField.NODE_LIST)
        for name in protobuf.texts(nodes, ListField.VALUES):
            yield node_name(name)


def _tensor_nodes(info: memoryview, depth: int = 0) -> Iterator[str]:
    """The nodes that a `TensorInfo` names, in each of its three forms."""
    if depth > _MAX_TENSOR_DEPTH:
        raise ValueError("its signatures are nested too deep")
    yield node_name(protobuf.text(info, TensorInfoField.NAME))
    sparse = protobuf.message(info, TensorInfoField.SPARSE)
    for _, part in protobuf.fields(sparse):
        if isinstance(part, memoryview):
            yield node_name(bytes(part).decode("utf-8", "replace"))
    composite = protobuf.message(info, TensorInfoField.COMPOSITE)
    for component in protobuf.messages(composite, CompositeTensorField.COMPONENTS):
        yield from _tensor_nodes(component, depth + 1)


def _functions_run(meta_graph: memoryview, program: Program) -> Iterator[str]:
    """The functions that the loader makes callable, of which it calls some itself."""
    objects = protobuf.message(meta_graph, MetaGraphField.OBJECTS)
    for entry in protobuf.messages(objects, ObjectsField.CONCRETE_FUNCTIONS):
        yield protobuf.text(entry, MapEntryField.KEY)
    for name, function in program.functions.items():
        if function.implements:
            yield name


def _restore_operation(meta_graph: memoryview) -> str:
    saver = protobuf.message(meta_graph, MetaGraphField.SAVER)
    return node_name(protobuf.text(saver, SaverField.RESTORE_OPERATION))


def _printable(name: str) -> str:
    """A name as an error may show it: no control characters, and not too long."""
    shown = name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}..."
    return shown if shown.isprintable() else repr(shown)
