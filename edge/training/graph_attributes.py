"""The attributes of a TensorFlow graph's nodes, as protobuf."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edge.export import protobuf_encoding as encode
from edge.export.saved_model_schema import (
    AttributeField,
    AttributeListField,
    DataType,
    DimField,
    MapEntryField,
    NameAttrListField,
    TensorField,
    TensorShapeField,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_DTYPES: Final = {
    np.dtype(np.float32): DataType.FLOAT,
    np.dtype(np.int32): DataType.INT32,
}


@dataclass(frozen=True, slots=True)
class Shape:
    """A tensor's shape: -1 where a dimension is open."""

    dims: tuple[int, ...]

    def encoded(self) -> bytes:
        """As `TensorShapeProto`."""
        dims = (encode.integer(DimField.SIZE, size) for size in self.dims)
        return b"".join(encode.message(TensorShapeField.DIM, dim) for dim in dims)


@dataclass(frozen=True, slots=True)
class FunctionName:
    """A function of the graph's library."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """The value of a constant.

    Attributes:
        values: strings or bytes, as protobuf fields of `TensorProto`.
    """

    dtype: DataType
    shape: Shape
    values: bytes


Attribute = (
    bool
    | int
    | str
    | DataType
    | Shape
    | FunctionName
    | Constant
    | tuple[int, ...]
    | tuple[DataType, ...]
)


def numbers(values: Any) -> Constant:
    """A constant of an array of float32 or int32."""
    array = np.asarray(values)
    dtype = _DTYPES[array.dtype]
    little_endian = array.astype(array.dtype.newbyteorder("<"), copy=False)
    content = encode.message(TensorField.CONTENT, little_endian.tobytes())
    return Constant(dtype, Shape(array.shape), content)


def row_of_texts(texts: tuple[str, ...]) -> Constant:
    """A constant of strings, in UTF-8, of shape [1, texts]."""
    encoded = b"".join(encode.text(TensorField.STRINGS, text) for text in texts)
    return Constant(DataType.STRING, Shape((1, len(texts))), encoded)


def encode_attribute(value: Attribute) -> bytes:
    """As `AttrValue`, which has a field for each type of value."""
    return _ENCODERS[type(value)](value)


def map_entry(number: int, key: str, *value: bytes) -> bytes:
    """An entry of a map from names to messages; ``value`` are the message's fields."""
    name = encode.text(MapEntryField.KEY, key)
    return encode.message(number, name, encode.message(MapEntryField.VALUE, *value))


def _encode_shape(shape: Shape) -> bytes:
    return encode.message(AttributeField.SHAPE, shape.encoded())


def _encode_function(function: FunctionName) -> bytes:
    name = encode.text(NameAttrListField.NAME, function.name)
    return encode.message(AttributeField.FUNCTION, name)


def _encode_constant(constant: Constant) -> bytes:
    return encode.message(
        AttributeField.TENSOR,
        encode.integer(TensorField.DTYPE, constant.dtype),
        encode.message(TensorField.SHAPE, constant.shape.encoded()),
        constant.values,
    )


def _encode_list(values: tuple[int, ...]) -> bytes:
    is_types = all(isinstance(value, DataType) for value in values)
    number = AttributeListField.TYPES if is_types else AttributeListField.INTEGERS
    return encode.message(AttributeField.LIST, encode.integers(number, values))


_ENCODERS: Final[dict[type, Callable[[Any], bytes]]] = {
    bool: partial(encode.integer, AttributeField.BOOLEAN),
    int: partial(encode.integer, AttributeField.INTEGER),
    str: partial(encode.text, AttributeField.STRING),
    DataType: partial(encode.integer, AttributeField.TYPE),
    Shape: _encode_shape,
    FunctionName: _encode_function,
    Constant: _encode_constant,
    tuple: _encode_list,
}
