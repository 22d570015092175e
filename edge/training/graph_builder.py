"""Builds a TensorFlow graph node by node, and writes it as protobuf, without TensorFlow.

Attributes whose value is the default of their operator are left out, as TensorFlow itself does.
The same calls give the same bytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

from edge.export import protobuf_encoding as encode
from edge.export.saved_model_schema import (
    ArgField,
    DataType,
    FunctionField,
    GraphField,
    LibraryField,
    NodeField,
    OpField,
    VersionsField,
)
from edge.training.graph_attributes import (
    Constant,
    FunctionName,
    encode_attribute,
    map_entry,
    numbers,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edge.training.graph_attributes import Attribute

_PRODUCER: Final = 2474
"""The version of TensorFlow's graphs that the operators here were written after: that of 2.21."""

_MIN_CONSUMER: Final = 12
"""The oldest version that may read the graph; what TensorFlow 2.21 itself writes."""

_FIRST_OUTPUTS: Final = {
    "AddV2": "z",
    "Cast": "y",
    "Const": "output",
    "DecodeImage": "image",
    "ExpandDims": "output",
    "GatherV2": "output",
    "Less": "z",
    "RealDiv": "z",
    "ScaleAndTranslate": "resized_images",
    "Shape": "output",
    "Squeeze": "output",
    "StridedSlice": "output",
    "Sub": "z",
    "TensorListSetItem": "output_handle",
}
"""By which name a node's value is taken inside functions: the operator's first output."""


class _Body(ABC):
    """The nodes of a graph or of a function."""

    def __init__(self) -> None:
        self._nodes: list[bytes] = []

    def node(
        self, name: str, operator: str, inputs: Sequence[str] = (), **attributes: Attribute
    ) -> str:
        """Add a node.

        Args:
            name: not used before in this body.
            operator: as TensorFlow registers it.
            inputs: tensors that earlier calls returned.

        Returns:
            The tensor that it computes, the first one if it computes several.
        """
        fields = [encode.text(NodeField.NAME, name), encode.text(NodeField.OPERATOR, operator)]
        fields.extend(encode.text(NodeField.INPUTS, tensor) for tensor in inputs)
        for key in sorted(attributes):
            value = encode_attribute(attributes[key])
            fields.append(map_entry(NodeField.ATTRIBUTES, key, value))
        self._nodes.append(b"".join(fields))
        return self._tensor(name, operator)

    def constant(self, name: str, values: Any) -> str:
        """Add a constant: an array of float32 or int32, or a `Constant`."""
        value = values if isinstance(values, Constant) else numbers(values)
        return self.node(name, "Const", dtype=value.dtype, value=value)

    @abstractmethod
    def _tensor(self, name: str, operator: str) -> str:
        """How other nodes name what this one computes."""


class GraphBuilder(_Body):
    """The graph of a model, with the functions that its nodes run."""

    def __init__(self) -> None:
        super().__init__()
        self._functions: list[bytes] = []

    def add_function(self, function: FunctionBuilder) -> FunctionName:
        """Put a function into the graph's library."""
        self._functions.append(function.encoded())
        return FunctionName(function.name)

    def encoded(self) -> bytes:
        """As `GraphDef`."""
        nodes = (encode.message(GraphField.NODES, node) for node in self._nodes)
        functions = (encode.message(LibraryField.FUNCTIONS, one) for one in self._functions)
        versions = encode.message(
            GraphField.VERSIONS,
            encode.integer(VersionsField.PRODUCER, _PRODUCER),
            encode.integer(VersionsField.MIN_CONSUMER, _MIN_CONSUMER),
        )
        return b"".join((*nodes, encode.message(GraphField.LIBRARY, *functions), versions))

    def _tensor(self, name: str, operator: str) -> str:  # noqa: ARG002 -- only functions need it
        return name


class FunctionBuilder(_Body):
    """A function. Its arguments are tensors by their names.

    Args:
        arguments: names to types, in order.
    """

    def __init__(self, name: str, arguments: Mapping[str, DataType]) -> None:
        super().__init__()
        self.name = name
        self._arguments = arguments
        self._results: dict[str, DataType] = {}
        self._returns: list[bytes] = []

    def add_result(self, name: str, dtype: DataType, tensor: str) -> None:
        """Return a tensor, after those of earlier calls."""
        self._results[name] = dtype
        self._returns.append(map_entry(FunctionField.RETURNS, name, tensor.encode()))

    def encoded(self) -> bytes:
        """As `FunctionDef`."""
        signature = encode.message(
            FunctionField.SIGNATURE,
            encode.text(OpField.NAME, self.name),
            *_declarations(OpField.INPUTS, self._arguments),
            *_declarations(OpField.OUTPUTS, self._results),
        )
        nodes = (encode.message(FunctionField.NODES, node) for node in self._nodes)
        return b"".join((signature, *nodes, *self._returns))

    def _tensor(self, name: str, operator: str) -> str:
        return f"{name}:{_FIRST_OUTPUTS[operator]}:0"


def _declarations(number: int, tensors: Mapping[str, DataType]) -> Iterator[bytes]:
    """Names and types of a function's arguments or results."""
    for name, dtype in tensors.items():
        yield encode.message(
            number, encode.text(ArgField.NAME, name), encode.integer(ArgField.TYPE, dtype)
        )
