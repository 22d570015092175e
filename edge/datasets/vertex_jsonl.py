"""Reads JSON lines as Vertex AI imports them and `edge outbox export` writes them.

Source: the schemas image_classification_single_label_io_format,
image_classification_multi_label_io_format and image_bounding_box_io_format of Vertex AI.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from edge.datasets.box_values import checked_box, number
from edge.datasets.dataset import LabeledBox, Split
from edge.datasets.index_rows import MAX_BOXES, Row, labels_of
from edge.datasets.label_names import clean_label, split_of
from edge.datasets.reading import BadEntry, FaultLog
from edge.datasets.text_lines import read_lines
from edge.printable import escape

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ONE: Final = "classificationAnnotation"
_SEVERAL: Final = "classificationAnnotations"
_BOXES: Final = "boundingBoxAnnotations"
_ML_USE: Final = ("aiplatform.googleapis.com/ml_use", "ml_use")
_SIDES: Final = ("xMin", "yMin", "xMax", "yMax")
_MAX_SHOWN: Final = 40


def read_jsonl(file: Path, faults: FaultLog) -> Iterator[Row]:
    """Yield the rows of the file; what is wrong goes to ``faults``.

    Raises:
        DataSetError: the file cannot be read.
    """
    for source, line in read_lines(file, faults):
        try:
            yield _row(source, _parse(line))
        except BadEntry as bad:
            faults.add(source, bad.reason)


def _parse(line: str) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except ValueError as error:
        raise BadEntry(f"The line is no JSON: {escape(str(error))}.") from error
    except RecursionError as error:
        raise BadEntry("The line is no JSON of a picture: it is nested too deep.") from error
    if not isinstance(content, dict):
        raise BadEntry("The line must be a JSON object with imageGcsUri.")
    return content


def _row(source: str, line: dict[str, Any]) -> Row:
    name = line.get("imageGcsUri")
    if not isinstance(name, str):
        raise BadEntry("imageGcsUri is missing: it is the path of the picture.")
    _refuse_other_annotations(line)
    split = _split(line.get("dataItemResourceLabels", {}))
    if _BOXES in line:
        boxes = _boxes(line[_BOXES])
        return Row(source, name, labels_of(boxes), boxes, split)
    return Row(source, name, _labels(line), None, split)


def _refuse_other_annotations(line: dict[str, Any]) -> None:
    """Raise ``BadEntry`` for what would otherwise be passed over: polygons, two kinds at once."""
    given = [key for key in line if key.endswith(("Annotation", "Annotations"))]
    others = [key for key in given if key not in {_ONE, _SEVERAL, _BOXES}]
    if others:
        shown = escape(others[0][:_MAX_SHOWN])
        raise BadEntry(f"{shown} is not read: edge knows {_ONE}, {_SEVERAL} and {_BOXES}.")
    if len(given) > 1:
        raise BadEntry(f"The line has {given[0]} and {given[1]}: give one of them.")


def _split(labels: Any) -> Split | None:
    if not isinstance(labels, dict):
        raise BadEntry("dataItemResourceLabels must be an object.")
    for key in _ML_USE:
        word = labels.get(key)
        if word is None:
            continue
        text = word.strip().lower() if isinstance(word, str) else None
        split = split_of(text) if text else None
        if split is None and text not in {"", "unassigned"}:
            shown = escape(str(word)[:_MAX_SHOWN])
            raise BadEntry(f"{key} is {shown}: it must be training, validation or test.")
        return split
    return None


def _labels(line: dict[str, Any]) -> tuple[str, ...] | None:
    """The labels of the whole picture; ``None`` without an annotation."""
    if _ONE in line:
        return (_display_name(line[_ONE]),)
    if _SEVERAL not in line:
        return None
    annotations = _list(line[_SEVERAL], _SEVERAL)
    return tuple(dict.fromkeys(_display_name(annotation) for annotation in annotations))


def _boxes(annotations: Any) -> tuple[LabeledBox, ...]:
    given = _list(annotations, _BOXES)
    if len(given) > MAX_BOXES:
        raise BadEntry(f"The picture has more than {MAX_BOXES:,} boxes.")
    return tuple(_box(annotation) for annotation in given)


def _box(annotation: Any) -> LabeledBox:
    label = _display_name(annotation)
    sides = [number(annotation.get(side), side) for side in _SIDES]
    return LabeledBox(label, checked_box(*sides))


def _display_name(annotation: Any) -> str:
    if not isinstance(annotation, dict) or "displayName" not in annotation:
        raise BadEntry("An annotation must be an object with displayName.")
    return clean_label(annotation["displayName"])


def _list(value: Any, key: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadEntry(f"{key} must be a list.")
    return value
