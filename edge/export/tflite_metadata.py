"""What a TFLite file carries inside: a `TFLITE_METADATA` flatbuffer, and label files in a zip appended to it.

Fields follow `metadata_schema.fbs` of TFLite Support.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from flatbuffers import number_types as types

from edge.export.flatbuffer import Graph, Table
from edge.model.contract import Normalization

if TYPE_CHECKING:
    from collections.abc import Iterator

_AXIS_LABELS, _VALUE_LABELS = 2, 3  # AssociatedFileType
_NORMALIZATION = 1  # ProcessUnitOptions
_USUAL_LABEL_FILES: Final = ("dict.txt", "labels.txt", "labelmap.txt")
_LARGEST_LABEL_FILE: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Embedded:
    """What was found inside the file.

    Attributes:
        labels: text of the label file; ``None`` where there is none.
        labels_file: its name.
        normalization: of the first input, meant for float inputs alone.
        output_names: what the metadata calls the outputs, in the graph's order.
    """

    labels: str | None = None
    labels_file: str = ""
    normalization: Normalization | None = None
    output_names: tuple[str, ...] = field(default=())


def read_embedded(data: bytes, graph: Graph) -> Embedded:
    """Read the file's metadata and label file; raises one of ``flatbuffer.BROKEN`` on broken metadata."""
    subgraph = _subgraph_metadata(graph)
    inputs = list(subgraph.tables(2)) if subgraph else []
    outputs = list(subgraph.tables(3)) if subgraph else []
    name, labels = _label_file(data, [file for tensor in outputs for file in _label_file_names(tensor)])
    return Embedded(
        labels=labels,
        labels_file=name,
        normalization=_normalization(inputs[0]) if inputs else None,
        output_names=tuple(output.text(0) for output in outputs),
    )


def _subgraph_metadata(graph: Graph) -> Table | None:
    blob = graph.metadata("TFLITE_METADATA")
    return next(Table.root(blob).tables(3), None) if blob else None


def _normalization(tensor: Table) -> Normalization | None:
    for unit in tensor.tables(4):
        options = unit.table(1)
        if unit.integer(0, types.Uint8Flags) == _NORMALIZATION and options is not None:
            mean, std = options.numbers(0, types.Float32Flags), options.numbers(1, types.Float32Flags)
            if mean and std and len(mean) in {1, 3} and len(std) in {1, 3} and all(std):
                return Normalization(tuple(mean), tuple(std))
    return None


def _label_file_names(tensor: Table) -> Iterator[str]:
    for file in tensor.tables(6):
        if file.integer(2, types.Int8Flags) in {_AXIS_LABELS, _VALUE_LABELS}:
            yield file.text(0)


def _label_file(data: bytes, named: list[str]) -> tuple[str, str | None]:
    try:
        appended = zipfile.ZipFile(io.BytesIO(data))
    except Exception:  # nothing is appended, as in most exports; zipfile raises nearly anything on chance bytes
        return "", None
    with appended:
        present = appended.namelist()
        for name in (*named, *_USUAL_LABEL_FILES):
            if name in present and appended.getinfo(name).file_size <= _LARGEST_LABEL_FILE:
                return name, _text(appended, name)
    return "", None


def _text(zipped: zipfile.ZipFile, name: str) -> str:
    try:
        return zipped.read(name).decode("utf-8-sig")
    except Exception as error:  # as above, and its decompressors too
        raise ValueError(f"the {name} inside it cannot be read ({error})") from error
