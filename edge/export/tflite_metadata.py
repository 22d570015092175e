"""What a TFLite file carries inside: a `TFLITE_METADATA` flatbuffer, and a zip with label files.

Fields and codes follow `metadata_schema.fbs` of TFLite Support.
"""

from __future__ import annotations

import io
import math
import zipfile
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from flatbuffers import number_types as types

from edge.export.flatbuffer import Table
from edge.export.regular_file import MAX_LABEL_FILE_BYTES
from edge.export.zip_directory import directory_bytes
from edge.model.contract import Normalization

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.export.tflite_graph import Graph

METADATA_BUFFER: Final = "TFLITE_METADATA"
_USUAL_LABEL_FILES: Final = ("dict.txt", "labels.txt", "labelmap.txt")
_MAX_DIRECTORY_BYTES: Final = 1 << 16
"""Of the list of the appended files; there is one, or a few."""


class ModelMetadataField(IntEnum):
    """Table `ModelMetadata`, the root."""

    SUBGRAPHS = 3


class SubGraphMetadataField(IntEnum):
    """Table `SubGraphMetadata`."""

    INPUTS = 2
    OUTPUTS = 3


class TensorMetadataField(IntEnum):
    """Table `TensorMetadata`."""

    NAME = 0
    PROCESS_UNITS = 4
    ASSOCIATED_FILES = 6


class ProcessUnitField(IntEnum):
    """Table `ProcessUnit`."""

    OPTIONS_TYPE = 0
    OPTIONS = 1


class ProcessUnitOptions(IntEnum):
    """Union `ProcessUnitOptions`."""

    NORMALIZATION = 1


class NormalizationField(IntEnum):
    """Table `NormalizationOptions`."""

    MEAN = 0
    STD = 1


class AssociatedFileField(IntEnum):
    """Table `AssociatedFile`."""

    NAME = 0
    TYPE = 2


class AssociatedFileType(IntEnum):
    """Enum `AssociatedFileType`."""

    TENSOR_AXIS_LABELS = 2
    TENSOR_VALUE_LABELS = 3


_LABEL_FILE_TYPES: Final = {
    AssociatedFileType.TENSOR_AXIS_LABELS,
    AssociatedFileType.TENSOR_VALUE_LABELS,
}


@dataclass(frozen=True, slots=True)
class Metadata:
    """What was found inside the file.

    Attributes:
        labels: text of the label file; ``None`` if there is none.
        labels_file: its name.
        normalization: of the first input, meant for float inputs alone; ``None`` if none is stated.
        output_names: what the metadata calls the outputs, in the graph's order.
    """

    labels: str | None = None
    labels_file: str = ""
    normalization: Normalization | None = None
    output_names: tuple[str, ...] = ()


def read_metadata(data: bytes, graph: Graph) -> Metadata:
    """Read the file's metadata and label file; raises one of `FLATBUFFER_ERRORS` if broken."""
    inputs: list[Table] = []
    outputs: list[Table] = []
    subgraph = _subgraph_metadata(graph)
    if subgraph is not None:
        inputs = list(subgraph.tables(SubGraphMetadataField.INPUTS))
        outputs = list(subgraph.tables(SubGraphMetadataField.OUTPUTS))
    named_files = [name for tensor in outputs for name in _label_file_names(tensor)]
    labels_file, labels = _label_file(data, named_files)
    return Metadata(
        labels=labels,
        labels_file=labels_file,
        normalization=_normalization(inputs[0]) if inputs else None,
        output_names=tuple(output.text(TensorMetadataField.NAME) for output in outputs),
    )


def _subgraph_metadata(graph: Graph) -> Table | None:
    blob = graph.metadata(METADATA_BUFFER)
    if not blob:
        return None
    return next(Table.root(blob).tables(ModelMetadataField.SUBGRAPHS), None)


def _normalization(tensor: Table) -> Normalization | None:
    """The stated normalisation, if it makes sense: one value or three, finite, std above 0."""
    for unit in tensor.tables(TensorMetadataField.PROCESS_UNITS):
        kind = unit.integer(ProcessUnitField.OPTIONS_TYPE, types.Uint8Flags)
        options = unit.table(ProcessUnitField.OPTIONS)
        if kind != ProcessUnitOptions.NORMALIZATION or options is None:
            continue
        mean = options.numbers(NormalizationField.MEAN, types.Float32Flags)
        std = options.numbers(NormalizationField.STD, types.Float32Flags)
        is_finite = all(math.isfinite(number) for number in (*mean, *std))
        if len(mean) in {1, 3} and len(std) in {1, 3} and is_finite and min(std) > 0:
            return Normalization(tuple(mean), tuple(std))
    return None


def _label_file_names(tensor: Table) -> Iterator[str]:
    for file in tensor.tables(TensorMetadataField.ASSOCIATED_FILES):
        if file.integer(AssociatedFileField.TYPE, types.Int8Flags) in _LABEL_FILE_TYPES:
            yield file.text(AssociatedFileField.NAME)


def _label_file(data: bytes, named_files: list[str]) -> tuple[str, str | None]:
    """Name and text of the label file: the one that the metadata names, or one of a usual name."""
    stream = io.BytesIO(data)
    if directory_bytes(stream) > _MAX_DIRECTORY_BYTES:
        return "", None
    try:
        appended = zipfile.ZipFile(stream)
    except Exception:  # most files end in no zip, and zipfile raises nearly anything on other bytes
        return "", None
    with appended:
        present = appended.namelist()
        for name in (*named_files, *_USUAL_LABEL_FILES):
            if name in present and appended.getinfo(name).file_size <= MAX_LABEL_FILE_BYTES:
                return name, _text(appended, name)
    return "", None


def _text(zipped: zipfile.ZipFile, name: str) -> str:
    try:
        with zipped.open(name) as file:  # whatever the zip's directory states of its size
            content = file.read(MAX_LABEL_FILE_BYTES)
        return content.decode("utf-8-sig")
    except Exception as error:  # zipfile's decompressors raise nearly anything too
        raise ValueError(f"the {name} inside it cannot be read ({error})") from error
