"""Reads CSV as Vertex AI and AutoML Vision import it.

    [ML_USE],path[,label]*                       classification
    [ML_USE],path[,label,x,y,x,y,x,y,x,y]        detection, a line for each box

Source: "Prepare image training data" of Vertex AI, and `InputConfig` of the AutoML API. Of the four
corners the second and the fourth may be empty.
"""

from __future__ import annotations

import csv
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from edge.datasets.box_values import checked_box, number
from edge.datasets.dataset import LabeledBox
from edge.datasets.index_rows import Row, labels_of
from edge.datasets.label_names import clean_label, split_of
from edge.datasets.reading import BadEntry, FaultLog
from edge.datasets.text_lines import read_lines
from edge.vision.picture_files import READABLE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.datasets.dataset import Split

_UNASSIGNED: Final = frozenset({"", "unassigned"})
_CORNERS: Final = 8
"""Fields of a box: x and y of four corners."""

_SEPARATORS: Final = {";": "semicolons", "\t": "tabs"}


def read_csv(file: Path, faults: FaultLog) -> Iterator[Row]:
    """Yield the rows of the file; what is wrong goes to ``faults``.

    A file is of boxes if any of its lines has a box. It is read twice, so that it need not be held.

    Raises:
        DataSetError: the file cannot be read.
    """
    has_boxes = any(_has_box(fields) for _, fields in _parse(file, FaultLog()))
    for source, fields in _parse(file, faults):
        try:
            yield _row(source, fields, has_boxes=has_boxes)
        except BadEntry as bad:
            faults.add(source, bad.reason)


def _parse(file: Path, faults: FaultLog) -> Iterator[tuple[str, list[str]]]:
    """Yield the fields of each line; one with an open quote is a fault, and ends with its line."""
    for source, line in read_lines(file, faults):
        try:
            (fields,) = csv.reader([line], strict=True, skipinitialspace=True)
        except (csv.Error, ValueError) as error:
            faults.add(source, f"The line is no CSV: {error}. Close its quotes.")
            continue
        separator = _other_separator(fields)
        if separator:
            faults.add(source, f"Its fields are separated by {separator}. Save it with commas.")
            continue
        yield source, [field.strip() for field in fields]


def _other_separator(fields: list[str]) -> str:
    """What separates fields instead of commas, as a spreadsheet may save them; empty if nothing."""
    if len(fields) != 1:
        return ""
    for character, name in _SEPARATORS.items():
        parts = fields[0].split(character)
        _, (path, *_) = _split([part.strip(' "') for part in parts])
        if len(parts) > 1 and PurePath(path).suffix.lower() in READABLE_SUFFIXES:
            return name
    return ""


def _split(fields: list[str]) -> tuple[Split | None, list[str]]:
    """The split that the line states, and the fields behind it."""
    if len(fields) > 1:
        split = split_of(fields[0])
        if split is not None or fields[0].lower() in _UNASSIGNED:
            return split, fields[1:]
    return None, fields


def _has_box(fields: list[str]) -> bool:
    """Whether the fields behind path and label are four corners, of which two may be empty.

    Numbers can be labels as well; but no picture has the same label twice, and each side of a box
    is there twice.
    """
    _, (_, *rest) = _split(fields)
    if len(rest) != 1 + _CORNERS or not rest[0]:
        return False
    corners = rest[1:]
    if not all(corners[index] for index in (0, 1, 4, 5)):
        return False
    given = [corner for corner in corners if corner]
    return all(map(_is_number, given)) and len(set(given)) < _CORNERS


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _row(source: str, fields: list[str], *, has_boxes: bool) -> Row:
    split, (name, *rest) = _split(fields)
    if has_boxes:
        boxes = _boxes(rest)
        labels = None if boxes is None else labels_of(boxes)
        return Row(source, name, labels, boxes, split)
    given = [clean_label(label) for label in _without_empty_end(rest)]
    return Row(source, name, tuple(dict.fromkeys(given)) or None, None, split)


def _without_empty_end(fields: list[str]) -> list[str]:
    end = len(fields)
    while end and not fields[end - 1]:
        end -= 1
    return fields[:end]


def _boxes(rest: list[str]) -> tuple[LabeledBox, ...] | None:
    """The box behind a path; none if all fields are empty; ``None`` if there are no fields."""
    if not any(rest):
        return () if len(rest) >= _CORNERS else None
    label, *corners = rest
    if not 4 <= len(corners) <= _CORNERS or not any(corners):  # noqa: PLR2004 -- corner 1 to 3
        raise BadEntry(
            f"A box needs a label and {_CORNERS} fields behind it: x_min, y_min, two fields, "
            "x_max, y_max, two fields. The second and the last two may be empty."
        )
    across = [number(value, "x") for value in corners[0::2] if value]
    down = [number(value, "y") for value in corners[1::2] if value]
    if len(across) < 2 or len(down) < 2:  # noqa: PLR2004 -- two sides each
        raise BadEntry("A box needs x_min, y_min, x_max and y_max.")
    box = checked_box(min(across), min(down), max(across), max(down))
    return (LabeledBox(clean_label(label), box),)
