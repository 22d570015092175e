"""Reads the graph of a TFLite file: tensors, operators, signature, metadata. Runs nothing."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from flatbuffers import flexbuffers
from flatbuffers import number_types as types

from edge.errors import ExportError
from edge.export.flatbuffer import FLATBUFFER_ERRORS, Table
from edge.export.odd_file import describe_odd_file
from edge.export.tflite_schema import (
    BUILTIN_OPERATORS,
    CUSTOM_OPERATOR,
    TENSOR_TYPES,
    BufferField,
    MetadataField,
    ModelField,
    OperatorCodeField,
    OperatorField,
    QuantizationField,
    SignatureDefField,
    SubGraphField,
    TensorField,
    TensorMapField,
)
from edge.model.contract import Quantization

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IDENTIFIER: Final = b"TFL3"
"""Bytes 4 to 7 of every TFLite file."""

_FLOAT_TYPES: Final = {"float32": "<f4", "float16": "<f2"}
_MAX_CONSTANT_BYTES: Final = 64
"""Of what scales an image: a number, or one for each channel."""

_REPACKING_OPERATORS: Final = {"DEQUANTIZE", "QUANTIZE", "RESHAPE", "SQUEEZE", "CAST"}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of the graph.

    Attributes:
        dtype: as NumPy calls it.
        shape: empty if only a run tells.
        quantization: of the whole tensor; ``None`` if it has none, or one for each channel.
    """

    index: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    quantization: Quantization | None


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator by name, such as ``SOFTMAX``, with the indices of its tensors."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    custom_options: bytes

    @property
    def options(self) -> dict[str, Any]:
        """A custom operator's options, empty if it has none."""
        if not self.custom_options:
            return {}
        try:
            options = flexbuffers.Loads(self.custom_options)
        except Exception as error:  # flexbuffers raises nearly anything on broken bytes
            raise ValueError(f"the options of {self.name} cannot be read") from error
        return options if isinstance(options, dict) else {}


@contextmanager
def refuse_if_broken(model: Path) -> Iterator[None]:
    """Turn the errors of reading a damaged TFLite file into an ``ExportError`` that names it."""
    try:
        yield
    except FLATBUFFER_ERRORS as error:
        words = str(error) if isinstance(error, ValueError) else "its tables point outside of it"
        remedy = "Download or copy the export again"
        if odd := describe_odd_file(model):
            words, remedy = f"it is {odd[0]}", odd[1]
        raise ExportError(
            model, f"it is truncated or not a TFLite file: {words}", remedy
        ) from error


class Graph:
    """The first subgraph of a TFLite file.

    Every method raises one of `FLATBUFFER_ERRORS` if the file is truncated or is not a flatbuffer.
    """

    def __init__(self, data: bytes) -> None:
        if data[4:8] != IDENTIFIER:
            raise ValueError("it does not start as one does")
        self._model = Table.root(data)
        self._graph = self._model.at(ModelField.SUBGRAPHS, 0)
        buffers = self._model.tables(ModelField.BUFFERS)
        ends = [buffer.blob_end(BufferField.DATA) for buffer in buffers]
        missing = max(ends, default=0) - len(data)
        if missing > 0:
            raise ValueError(f"at least {missing:,} bytes are missing at its end")

    def tensor(self, index: int) -> Tensor:
        """The tensor of that index."""
        table = self._graph.at(SubGraphField.TENSORS, index)
        kind = table.integer(TensorField.TYPE, types.Int8Flags)
        return Tensor(
            index=index,
            name=table.text(TensorField.NAME),
            dtype=TENSOR_TYPES.get(kind, f"type {kind}"),
            shape=tuple(table.numbers(TensorField.SHAPE)),
            quantization=_quantization(table),
        )

    @property
    def inputs(self) -> list[Tensor]:
        """The graph's inputs."""
        return [self.tensor(index) for index in self._graph.numbers(SubGraphField.INPUTS)]

    @property
    def outputs(self) -> list[Tensor]:
        """The graph's outputs."""
        return [self.tensor(index) for index in self._graph.numbers(SubGraphField.OUTPUTS)]

    @cached_property
    def operators(self) -> list[Operator]:
        """All operators, in the order in which they run."""
        names = [_operator_name(code) for code in self._model.tables(ModelField.OPERATOR_CODES)]
        operators = []
        for table in self._graph.tables(SubGraphField.OPERATORS):
            code = table.integer(OperatorField.OPCODE_INDEX, types.Uint32Flags)
            operator = Operator(
                name=names[code],
                inputs=tuple(table.numbers(OperatorField.INPUTS)),
                outputs=tuple(table.numbers(OperatorField.OUTPUTS)),
                custom_options=table.blob(OperatorField.CUSTOM_OPTIONS),
            )
            operators.append(operator)
        return operators

    def operator(self, name: str) -> Operator | None:
        """The first operator of that name."""
        return next((operator for operator in self.operators if operator.name == name), None)

    def operator_behind(self, tensor: Tensor) -> str | None:
        """The name of the operator that computes a tensor; ``None`` if there is none.

        Operators that only repack their input are skipped.
        """
        index = tensor.index
        for _ in range(len(self.operators)):  # a broken graph may go round in circles
            operator = self._producer(index)
            if operator is None:
                return None
            if operator.name not in _REPACKING_OPERATORS:
                return operator.name
            index = operator.inputs[0]
        return None

    def consumers(self, tensor: int) -> list[Operator]:
        """The operators that take a tensor."""
        return [operator for operator in self.operators if tensor in operator.inputs]

    def constant(self, index: int) -> tuple[float, ...] | None:
        """The values of a small constant float tensor; ``None`` for any other tensor.

        Files with float16 weights hold it as float16, and an operator converts it.
        """
        table = self._graph.at(SubGraphField.TENSORS, index)
        buffer = table.integer(TensorField.BUFFER, types.Uint32Flags)
        content = self._model.at(ModelField.BUFFERS, buffer).blob(BufferField.DATA)
        dtype = _FLOAT_TYPES.get(self.tensor(index).dtype)
        if content and dtype is not None:
            is_small = len(content) <= _MAX_CONSTANT_BYTES
            return tuple(np.frombuffer(content, dtype).tolist()) if is_small else None
        producer = self._producer(index)
        if producer is not None and producer.name == "DEQUANTIZE" and producer.inputs[0] != index:
            stored = self.tensor(producer.inputs[0])
            return self.constant(stored.index) if stored.dtype == "float16" else None
        return None

    def _producer(self, tensor: int) -> Operator | None:
        for operator in reversed(self.operators):
            if tensor in operator.outputs:
                return operator
        return None

    @property
    def signature_outputs(self) -> dict[str, int]:
        """Output names of the first signature to tensor indices, empty if there is no signature."""
        signature = next(self._model.tables(ModelField.SIGNATURE_DEFS), None)
        if signature is None:
            return {}
        outputs = {}
        for entry in signature.tables(SignatureDefField.OUTPUTS):
            index = entry.integer(TensorMapField.TENSOR_INDEX, types.Uint32Flags)
            outputs[entry.text(TensorMapField.NAME)] = index
        return outputs

    @property
    def metadata_names(self) -> list[str]:
        """The names of all metadata buffers."""
        return [entry.text(MetadataField.NAME) for entry in self._model.tables(ModelField.METADATA)]

    def metadata(self, name: str) -> bytes:
        """The metadata buffer of that name, empty if there is none."""
        for entry in self._model.tables(ModelField.METADATA):
            if entry.text(MetadataField.NAME) == name:
                index = entry.integer(MetadataField.BUFFER, types.Uint32Flags)
                return self._model.at(ModelField.BUFFERS, index).blob(BufferField.DATA)
        return b""


def _operator_name(code: Table) -> str:
    # Files written before 2020 have only the one-byte code; newer ones have both if it fits.
    number = max(
        code.integer(OperatorCodeField.DEPRECATED_BUILTIN_CODE, types.Int8Flags),
        code.integer(OperatorCodeField.BUILTIN_CODE),
    )
    if number == CUSTOM_OPERATOR:
        return code.text(OperatorCodeField.CUSTOM_CODE)
    return BUILTIN_OPERATORS.get(number, f"builtin {number}")


def _quantization(tensor: Table) -> Quantization | None:
    table = tensor.table(TensorField.QUANTIZATION)
    if table is None:
        return None
    scales = table.numbers(QuantizationField.SCALE, types.Float32Flags)
    zero_points = table.numbers(QuantizationField.ZERO_POINT, types.Int64Flags)
    if len(scales) != 1:
        return None
    return Quantization(scales[0], int(zero_points[0]) if zero_points else 0)
