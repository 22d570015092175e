"""The labels of a TFLite file: those inside it, else those next to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import ExportError
from edge.export.family_rules import Labels
from edge.export.label_files import has_other_models, labels_beside
from edge.export.labels import match_classes, parse_labels

if TYPE_CHECKING:
    from edge.export.tflite_model import TFLiteModel


def find_labels(model: TFLiteModel, classes: int | None, *, usual: str = "dict.txt") -> Labels:
    """The labels inside the file, else those next to it; both must fit the classes.

    Args:
        usual: what the tool that made the file calls its label file.

    Raises:
        ExportError: there are none, or they do not fit.
    """
    path, metadata = model.path, model.metadata
    inside = None
    if metadata.labels is not None:
        name = f"{path.name}!{metadata.labels_file}"
        inside = match_classes(parse_labels(metadata.labels, name), classes, name)
    # Next to several models, a label file may be another model's.
    is_asked = inside is None or not has_other_models(path)
    beside = labels_beside(path, classes) if is_asked else None
    if inside is not None:
        note = None
        if beside is not None and beside.labels != inside:
            file = beside.file.name
            note = f"{file} differs from the labels inside {path.name}, which are used"
        return Labels(inside, f"{metadata.labels_file} inside {path.name}", note)
    if beside is not None:
        return Labels(beside.labels, beside.file.name)
    count = "" if classes is None else f" for its {classes} classes"
    raise ExportError(
        path,
        f"no labels{count} were found inside it or next to it",
        f"Put the export's label file next to it, named {usual}, one label a line",
    )
