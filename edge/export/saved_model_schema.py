"""Field numbers of the protobuf messages in a SavedModel; those that are read or written here.

They follow TensorFlow's `saved_model.proto`, `meta_graph.proto`, `tensor_shape.proto`,
`graph.proto`, `versions.proto`, `function.proto`, `op_def.proto`, `node_def.proto`,
`attr_value.proto`, `tensor.proto`, `types.proto`, `saver.proto` and `saved_object_graph.proto`.
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

    SCHEMA_VERSION = 1
    META_GRAPHS = 2


class MetaGraphField(IntEnum):
    """Message `MetaGraphDef`."""

    META_INFO = 1
    GRAPH = 2
    SAVER = 3
    COLLECTIONS = 4
    SIGNATURES = 5
    ASSETS = 6
    OBJECTS = 7


class MetaInfoField(IntEnum):
    """Message `MetaGraphDef.MetaInfoDef`."""

    TAGS = 4
    STRIPPED_DEFAULTS = 7


class SaverField(IntEnum):
    """Message `SaverDef`."""

    RESTORE_OPERATION = 3


class CollectionField(IntEnum):
    """Message `CollectionDef`; its lists have their values in field 1."""

    NODE_LIST = 1
    ANY_LIST = 5


class ListField(IntEnum):
    """Messages `CollectionDef.NodeList` and `CollectionDef.AnyList`."""

    VALUES = 1


class AnyField(IntEnum):
    """Message `google.protobuf.Any`."""

    VALUE = 2


class AssetField(IntEnum):
    """Message `AssetFileDef`."""

    TENSOR = 1
    FILE_NAME = 2


class ObjectsField(IntEnum):
    """Message `SavedObjectGraph`."""

    NODES = 1
    CONCRETE_FUNCTIONS = 2


class ObjectField(IntEnum):
    """Message `SavedObject`."""

    ASSET = 5


class ConcreteFunctionField(IntEnum):
    """Message `SavedConcreteFunction`."""

    BOUND_INPUTS = 2


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
    SPARSE = 4
    COMPOSITE = 5


class CompositeTensorField(IntEnum):
    """Message `TensorInfo.CompositeTensor`."""

    COMPONENTS = 2


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
    VERSIONS = 4


class VersionsField(IntEnum):
    """Message `VersionDef`."""

    PRODUCER = 1
    MIN_CONSUMER = 2


class LibraryField(IntEnum):
    """Message `FunctionDefLibrary`."""

    FUNCTIONS = 1


class FunctionField(IntEnum):
    """Message `FunctionDef`."""

    SIGNATURE = 1
    NODES = 3
    RETURNS = 4
    ATTRIBUTES = 5


class OpField(IntEnum):
    """Message `OpDef`, the signature of a function."""

    NAME = 1
    INPUTS = 2
    OUTPUTS = 3


class ArgField(IntEnum):
    """Message `OpDef.ArgDef`."""

    NAME = 1
    TYPE = 3


class NodeField(IntEnum):
    """Message `NodeDef`."""

    NAME = 1
    OPERATOR = 2
    INPUTS = 3
    ATTRIBUTES = 5


class AttributeField(IntEnum):
    """Message `AttrValue`."""

    LIST = 1
    STRING = 2
    INTEGER = 3
    BOOLEAN = 5
    TYPE = 6
    SHAPE = 7
    TENSOR = 8
    FUNCTION = 10


class TensorField(IntEnum):
    """Message `TensorProto`."""

    DTYPE = 1
    SHAPE = 2
    CONTENT = 4
    FLOATS = 5
    STRINGS = 8


class AttributeListField(IntEnum):
    """Message `AttrValue.ListValue`."""

    INTEGERS = 3
    TYPES = 6
    FUNCTIONS = 9


class NameAttrListField(IntEnum):
    """Message `NameAttrList`, a function by its name."""

    NAME = 1


class DataType(IntEnum):
    """Enum `DataType`: those that models of images use."""

    FLOAT = 1
    DOUBLE = 2
    INT32 = 3
    UINT8 = 4
    STRING = 7
    INT64 = 9
    BOOL = 10
    VARIANT = 21


DTYPES: Final = {int(dtype): f"DT_{dtype.name}" for dtype in DataType}
"""Their names."""
