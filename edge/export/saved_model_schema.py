"""Field numbers of the protobuf messages in a SavedModel; those that are read here.

They follow TensorFlow's `saved_model.proto`, `meta_graph.proto`, `tensor_shape.proto`,
`graph.proto`, `function.proto`, `op_def.proto`, `node_def.proto` and `attr_value.proto`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class MapEntryField(IntEnum):
    """An entry of any `map<key, value>`."""

    KEY = 1
    VALUE = 2


class SavedModelField(IntEnum):
    """Message `SavedModel`, the root of `saved_model.pb`."""

    META_GRAPHS = 2


class MetaGraphField(IntEnum):
    """Message `MetaGraphDef`."""

    META_INFO = 1
    GRAPH = 2
    SIGNATURES = 5


class MetaInfoField(IntEnum):
    """Message `MetaGraphDef.MetaInfoDef`."""

    TAGS = 4


class SignatureField(IntEnum):
    """Message `SignatureDef`."""

    INPUTS = 1
    OUTPUTS = 2
    METHOD_NAME = 3


class TensorInfoField(IntEnum):
    """Message `TensorInfo`."""

    NAME = 1
    DTYPE = 2
    SHAPE = 3


class TensorShapeField(IntEnum):
    """Message `TensorShapeProto`."""

    DIM = 2


class DimField(IntEnum):
    """Message `TensorShapeProto.Dim`."""

    SIZE = 1


class GraphField(IntEnum):
    """Message `GraphDef`."""

    NODES = 1
    LIBRARY = 2


class LibraryField(IntEnum):
    """Message `FunctionDefLibrary`."""

    FUNCTIONS = 1


class FunctionField(IntEnum):
    """Message `FunctionDef`."""

    SIGNATURE = 1
    NODES = 3
    RETURNS = 4


class OpField(IntEnum):
    """Message `OpDef`, the signature of a function."""

    NAME = 1
    OUTPUTS = 3


class ArgField(IntEnum):
    """Message `OpDef.ArgDef`."""

    NAME = 1


class NodeField(IntEnum):
    """Message `NodeDef`."""

    NAME = 1
    OPERATOR = 2
    INPUTS = 3
    ATTRIBUTES = 5


class AttributeField(IntEnum):
    """Message `AttrValue`."""

    FUNCTION = 10


class NameAttrListField(IntEnum):
    """Message `NameAttrList`, a function by its name."""

    NAME = 1


DTYPES: Final = {
    1: "DT_FLOAT",
    2: "DT_DOUBLE",
    3: "DT_INT32",
    4: "DT_UINT8",
    7: "DT_STRING",
    9: "DT_INT64",
    10: "DT_BOOL",
}
"""Enum `DataType` of `types.proto`."""
