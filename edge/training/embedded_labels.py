"""Writes what AutoML embeds into a TFLite file: a `TFLITE_METADATA` flatbuffer, and the labels.

Field numbers follow `metadata_schema.fbs` of TFLite Support. The label file is a zip behind the
flatbuffer, to which the metadata refers by name.
"""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Final

import flatbuffers

from edge.export.tflite_metadata import (
    AssociatedFileField,
    AssociatedFileType,
    ModelMetadataField,
    NormalizationField,
    ProcessUnitField,
    ProcessUnitOptions,
    SubGraphMetadataField,
    TensorMetadataField,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LABEL_FILE: Final = "labels.txt"
_IDENTIFIER: Final = b"M001"
_MODEL_NAME_FIELD: Final = 0
_FIELDS: Final = 8  # more than any of these tables has
_ZIP_DATE: Final = (1980, 1, 1, 0, 0, 0)  # the same labels give the same file


def metadata_buffer(name: str, mean: float, std: float) -> bytes:
    """The content of the buffer `TFLITE_METADATA` for a classifier of images.

    Args:
        name: of the model.
        mean: with ``std``, what the real values of a byte are: (byte - mean) / std.
    """
    writer = _Writer()
    floats = [writer.floats([number]) for number in (mean, std)]
    options = writer.table({NormalizationField.MEAN: floats[0], NormalizationField.STD: floats[1]})
    unit = writer.table(
        {ProcessUnitField.OPTIONS: options},
        {ProcessUnitField.OPTIONS_TYPE: ProcessUnitOptions.NORMALIZATION},
    )
    image = writer.table(
        {
            TensorMetadataField.NAME: writer.text("image"),
            TensorMetadataField.PROCESS_UNITS: writer.vector([unit]),
        }
    )
    labels = writer.table(
        {AssociatedFileField.NAME: writer.text(LABEL_FILE)},
        {AssociatedFileField.TYPE: AssociatedFileType.TENSOR_AXIS_LABELS},
    )
    scores = writer.table(
        {
            TensorMetadataField.NAME: writer.text("scores"),
            TensorMetadataField.ASSOCIATED_FILES: writer.vector([labels]),
        }
    )
    graph = writer.table(
        {
            SubGraphMetadataField.INPUTS: writer.vector([image]),
            SubGraphMetadataField.OUTPUTS: writer.vector([scores]),
        }
    )
    root = writer.table(
        {
            _MODEL_NAME_FIELD: writer.text(name),
            ModelMetadataField.SUBGRAPHS: writer.vector([graph]),
        }
    )
    writer.builder.Finish(root, _IDENTIFIER)
    return bytes(writer.builder.Output())


def append_labels(model: bytes, labels: Sequence[str]) -> bytes:
    """Append the label file to a TFLite file, one label a line."""
    stream = io.BytesIO()
    stream.write(model)
    with zipfile.ZipFile(stream, "a") as zipped:
        entry = zipfile.ZipInfo(LABEL_FILE, _ZIP_DATE)
        zipped.writestr(entry, "".join(f"{label}\n" for label in labels))
    return stream.getvalue()


class _Writer:
    """Writes tables by field number."""

    def __init__(self) -> None:
        self.builder = flatbuffers.Builder(1024)

    def table(self, offsets: Mapping[int, int], small: Mapping[int, int] | None = None) -> int:
        """A table of offsets to what was written before, and of one-byte numbers."""
        self.builder.StartObject(_FIELDS)
        for field, offset in offsets.items():
            self.builder.PrependUOffsetTRelativeSlot(field, offset, 0)
        for field, number in (small or {}).items():
            self.builder.PrependInt8Slot(field, number, 0)
        return int(self.builder.EndObject())

    def text(self, text: str) -> int:
        """A string."""
        return int(self.builder.CreateString(text))

    def vector(self, offsets: Sequence[int]) -> int:
        """A vector of tables."""
        self.builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self.builder.PrependUOffsetTRelative(offset)
        return int(self.builder.EndVector())

    def floats(self, numbers: Sequence[float]) -> int:
        """A vector of float32."""
        self.builder.StartVector(4, len(numbers), 4)
        for number in reversed(numbers):
            self.builder.PrependFloat32(number)
        return int(self.builder.EndVector())
