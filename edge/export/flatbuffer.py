"""Reads out of a TFLite file what a contract needs: tensors, operators, signatures, metadata. Runs nothing.

Slots follow TensorFlow's `schema.fbs` (version 3), where field n of a table stands in slot 4 + 2n.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from flatbuffers import flexbuffers
from flatbuffers import number_types as types
from flatbuffers.table import Table as RawTable

from edge.model.contract import Quantization

if TYPE_CHECKING:
    from collections.abc import Iterator

IDENTIFIER = b"TFL3"

DTYPES = {0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 5: "string", 6: "bool", 7: "int16", 9: "int8"}

_BUILTINS = {6: "DEQUANTIZE", 14: "LOGISTIC", 22: "RESHAPE", 25: "SOFTMAX", 43: "SQUEEZE", 53: "CAST", 114: "QUANTIZE"}
_CUSTOM = 32

BROKEN = (struct.error, TypeError, ValueError, IndexError, OverflowError, UnicodeDecodeError)
"""What reading past or beside the end of a flatbuffer raises."""


class Table:
    """A flatbuffer table, its fields taken by number."""

    def __init__(self, data: bytes, position: int) -> None:
        self._raw = RawTable(data, position)

    @classmethod
    def root(cls, data: bytes) -> Table:
        """The table that the file starts with."""
        return cls(data, struct.unpack_from("<I", data, 0)[0])

    def _offset(self, field: int) -> int:
        return int(self._raw.Offset(4 + 2 * field))

    def integer(self, field: int, flags: Any = types.Int32Flags, default: int = 0) -> int:
        """A number; ``flags`` is the schema's type."""
        offset = self._offset(field)
        return int(self._raw.Get(flags, self._raw.Pos + offset)) if offset else default

    def text(self, field: int) -> str:
        """A string, empty where absent."""
        offset = self._offset(field)
        return self._raw.String(self._raw.Pos + offset).decode() if offset else ""

    def table(self, field: int) -> Table | None:
        """A table, or ``None`` where absent."""
        offset = self._offset(field)
        return Table(self._raw.Bytes, self._raw.Indirect(self._raw.Pos + offset)) if offset else None

    def tables(self, field: int) -> Iterator[Table]:
        """The tables of a vector."""
        offset = self._offset(field)
        if offset:
            start = self._raw.Vector(offset)
            for index in range(self._raw.VectorLen(offset)):
                yield Table(self._raw.Bytes, self._raw.Indirect(start + 4 * index))

    def at(self, field: int, index: int) -> Table:
        """One table of a vector."""
        offset = self._offset(field)
        if not offset or not 0 <= index < self._raw.VectorLen(offset):
            raise IndexError(f"no element {index} in field {field}")
        return Table(self._raw.Bytes, self._raw.Indirect(self._raw.Vector(offset) + 4 * index))

    def numbers(self, field: int, flags: Any = types.Int32Flags) -> list[Any]:
        """The numbers of a vector, empty where absent."""
        offset = self._offset(field)
        return list(self._raw.GetVectorAsNumpy(flags, offset).tolist()) if offset else []

    def blob(self, field: int) -> bytes:
        """The bytes of a vector; raises where they reach past the end of the file."""
        offset = self._offset(field)
        if not offset:
            return b""
        start, length = self._raw.Vector(offset), self._raw.VectorLen(offset)
        if start + length > len(self._raw.Bytes):
            raise IndexError(f"{start + length - len(self._raw.Bytes)} bytes are missing at the end")
        return bytes(self._raw.Bytes[start : start + length])

    def blob_end(self, field: int) -> int:
        """Where the bytes of a vector end in the file."""
        offset = self._offset(field)
        return int(self._raw.Vector(offset)) + int(self._raw.VectorLen(offset)) if offset else 0


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor: its index in the graph, name, dtype, shape (empty where only a run tells), quantisation."""

    index: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    quantization: Quantization | None


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator by name (``SOFTMAX``, ``TFLite_Detection_PostProcess``), its tensors, and a custom one's options."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    custom_options: bytes

    @property
    def options(self) -> dict[str, Any]:
        """A custom operator's options, empty where it has none."""
        try:
            options = flexbuffers.Loads(self.custom_options) if self.custom_options else {}
        except Exception as error:  # flexbuffers raises nearly anything on broken bytes
            raise ValueError(f"the options of {self.name} cannot be read") from error
        return options if isinstance(options, dict) else {}


class Graph:
    """The first subgraph of a TFLite file.

    Raises (in every method): one of ``BROKEN`` where the file is truncated or no flatbuffer.
    """

    def __init__(self, data: bytes) -> None:
        if data[4:8] != IDENTIFIER:
            raise ValueError("it does not start as a TFLite file does")
        self._model = Table.root(data)
        self._graph = self._model.at(2, 0)
        missing = max((buffer.blob_end(0) for buffer in self._model.tables(4)), default=0) - len(data)
        if missing > 0:
            raise ValueError(f"at least {missing:,} bytes are missing at its end")

    def tensor(self, index: int) -> Tensor:
        """The tensor of that index."""
        table = self._graph.at(0, index)
        kind = table.integer(1, types.Int8Flags)
        return Tensor(
            index, table.text(3), DTYPES.get(kind, f"type {kind}"), tuple(table.numbers(0)), _quantization(table)
        )

    @property
    def inputs(self) -> list[Tensor]:
        """The graph's inputs."""
        return [self.tensor(index) for index in self._graph.numbers(1)]

    @property
    def outputs(self) -> list[Tensor]:
        """The graph's outputs."""
        return [self.tensor(index) for index in self._graph.numbers(2)]

    @cached_property
    def operators(self) -> list[Operator]:
        """All operators, in the order they run."""
        names = [_operator_name(code) for code in self._model.tables(1)]
        return [
            Operator(
                names[table.integer(0, types.Uint32Flags)],
                tuple(table.numbers(1)),
                tuple(table.numbers(2)),
                table.blob(5),
            )
            for table in self._graph.tables(3)
        ]

    def producer(self, tensor: int) -> Operator | None:
        """The operator that writes the tensor."""
        return next((op for op in reversed(self.operators) if tensor in op.outputs), None)

    @property
    def signature_outputs(self) -> dict[str, int]:
        """Output names of the first signature to tensor indices; empty where there is no signature."""
        signature = next(self._model.tables(7), None)
        if signature is None:
            return {}
        return {entry.text(0): entry.integer(1, types.Uint32Flags) for entry in signature.tables(1)}

    def metadata(self, name: str) -> bytes:
        """The metadata buffer of that name, empty where there is none."""
        for entry in self._model.tables(6):
            if entry.text(0) == name:
                return self._model.at(4, entry.integer(1, types.Uint32Flags)).blob(0)
        return b""


def _operator_name(code: Table) -> str:
    # Files written before 2020 know only the one-byte code of field 0.
    number = max(code.integer(0, types.Int8Flags), code.integer(3))
    return code.text(1) if number == _CUSTOM else _BUILTINS.get(number, f"builtin {number}")


def _quantization(tensor: Table) -> Quantization | None:
    table = tensor.table(4)
    if table is None:
        return None
    scales, zero_points = table.numbers(2, types.Float32Flags), table.numbers(3, types.Int64Flags)
    return Quantization(scales[0], int(zero_points[0]) if zero_points else 0) if len(scales) == 1 else None
