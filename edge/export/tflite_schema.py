"""Field numbers and codes of TensorFlow Lite's `schema.fbs` (version 3); those that are read here.

A field's number is its place in the declaration of its table, counted from 0 with deprecated ones.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class ModelField(IntEnum):
    """Table `Model`, the root."""

    OPERATOR_CODES = 1
    SUBGRAPHS = 2
    BUFFERS = 4
    METADATA = 6
    SIGNATURE_DEFS = 7


class OperatorCodeField(IntEnum):
    """Table `OperatorCode`."""

    DEPRECATED_BUILTIN_CODE = 0
    CUSTOM_CODE = 1
    BUILTIN_CODE = 3


class SubGraphField(IntEnum):
    """Table `SubGraph`."""

    TENSORS = 0
    INPUTS = 1
    OUTPUTS = 2
    OPERATORS = 3


class TensorField(IntEnum):
    """Table `Tensor`."""

    SHAPE = 0
    TYPE = 1
    BUFFER = 2
    NAME = 3
    QUANTIZATION = 4


class QuantizationField(IntEnum):
    """Table `QuantizationParameters`."""

    SCALE = 2
    ZERO_POINT = 3


class OperatorField(IntEnum):
    """Table `Operator`."""

    OPCODE_INDEX = 0
    INPUTS = 1
    OUTPUTS = 2
    CUSTOM_OPTIONS = 5


class BufferField(IntEnum):
    """Table `Buffer`."""

    DATA = 0


class MetadataField(IntEnum):
    """Table `Metadata`."""

    NAME = 0
    BUFFER = 1


class SignatureDefField(IntEnum):
    """Table `SignatureDef`."""

    OUTPUTS = 1


class TensorMapField(IntEnum):
    """Table `TensorMap`."""

    NAME = 0
    TENSOR_INDEX = 1


TENSOR_TYPES: Final = {
    0: "float32",
    1: "float16",
    2: "int32",
    3: "uint8",
    4: "int64",
    5: "string",
    6: "bool",
    7: "int16",
    9: "int8",
}
"""Enum `TensorType`, as NumPy calls the types."""

BUILTIN_OPERATORS: Final = {
    0: "ADD",
    6: "DEQUANTIZE",
    9: "FULLY_CONNECTED",
    14: "LOGISTIC",
    18: "MUL",
    22: "RESHAPE",
    25: "SOFTMAX",
    39: "TRANSPOSE",
    41: "SUB",
    42: "DIV",
    43: "SQUEEZE",
    53: "CAST",
    114: "QUANTIZE",
}
"""Enum `BuiltinOperator`: the operators that matter here."""

CUSTOM_OPERATOR: Final = 32
"""`BuiltinOperator` of an operator that is known by its `custom_code`."""
