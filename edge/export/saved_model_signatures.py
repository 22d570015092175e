"""Reads the signatures of a SavedModel from `saved_model.pb`, without TensorFlow."""

from __future__ import annotations

from typing import Final

from edge.export import protobuf
from edge.export.saved_model_schema import (
    DTYPES,
    DimField,
    GraphField,
    MapEntryField,
    MetaGraphField,
    MetaInfoField,
    NodeField,
    SavedModelField,
    SignatureField,
    TensorInfoField,
    TensorShapeField,
)
from edge.model.contract import SignatureInfo

_SERVING_TAG: Final = "serve"


def find_serving_graph(saved_model: memoryview) -> memoryview:
    """The `MetaGraphDef` that is made for serving, out of the bytes of `saved_model.pb`.

    Raises:
        ValueError: truncated, not a SavedModel, or without such a graph.
    """
    graphs = list(protobuf.messages(saved_model, SavedModelField.META_GRAPHS))
    if not graphs and is_frozen_graph(saved_model):
        raise ValueError("it is a frozen graph of TensorFlow 1")
    if not graphs:
        raise ValueError("it holds no graph")
    for graph in graphs:
        info = protobuf.message(graph, MetaGraphField.META_INFO)
        if _SERVING_TAG in protobuf.texts(info, MetaInfoField.TAGS):
            return graph
    raise ValueError(f"no graph is tagged {_SERVING_TAG!r}")


def is_frozen_graph(content: memoryview) -> bool:
    """Whether bytes are a `GraphDef`, such as a `model.pb`, rather than a SavedModel."""
    try:
        nodes = list(protobuf.messages(content, GraphField.NODES))
        return bool(nodes) and bool(protobuf.text(nodes[0], NodeField.OPERATOR))
    except ValueError:
        return False


def read_signatures(meta_graph: memoryview) -> dict[str, SignatureInfo]:
    """The signatures of a `MetaGraphDef` by name; raises ``ValueError`` if it is truncated."""
    signatures = {}
    for entry in protobuf.messages(meta_graph, MetaGraphField.SIGNATURES):
        name = protobuf.text(entry, MapEntryField.KEY)
        for signature in protobuf.messages(entry, MapEntryField.VALUE):
            signatures[name] = SignatureInfo(
                inputs=_tensors(signature, SignatureField.INPUTS),
                outputs=_tensors(signature, SignatureField.OUTPUTS),
                method=protobuf.text(signature, SignatureField.METHOD_NAME),
            )
    return signatures


def _tensors(signature: memoryview, number: int) -> dict[str, tuple[str, tuple[int, ...], str]]:
    tensors = {}
    for entry in protobuf.messages(signature, number):
        name = protobuf.text(entry, MapEntryField.KEY)
        for info in protobuf.messages(entry, MapEntryField.VALUE):
            kind = protobuf.integer(info, TensorInfoField.DTYPE)
            dtype = DTYPES.get(kind, f"DT_{kind}")
            tensors[name] = (dtype, _shape(info), protobuf.text(info, TensorInfoField.NAME))
    return tensors


def _shape(info: memoryview) -> tuple[int, ...]:
    shape = protobuf.message(info, TensorInfoField.SHAPE)
    dims = protobuf.messages(shape, TensorShapeField.DIM)
    return tuple(protobuf.integer(dim, DimField.SIZE) for dim in dims)
