"""Reads label files of every kind, and matches labels to the model's classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.errors import ExportError
from edge.export.label_map import MAX_LABELS, label_map_items, parse_label_map, too_many_labels
from edge.export.label_text import clean_lines, json_labels
from edge.export.regular_file import MAX_LABEL_FILE_BYTES
from edge.export.text_file import read_text

if TYPE_CHECKING:
    from pathlib import Path

BACKGROUNDS: Final = frozenset({"background", "__background__", "???", "unlabeled", "n/a"})
"""What detectors' label files call the class of nothing, in lower case. It leads, if it is there.

The names after the first are those of public label maps of COCO.
"""

_OWN_FILE: Final = "Use the label file that came with this exact model."


def parse_labels(text: str, file: object) -> tuple[str, ...]:
    """The labels in a file's text: one a line, a JSON list, or a pbtxt map with ids from 0 or 1.

    Numbers before the labels are the classes' if they are 0..N-1 or 1..N.

    Raises:
        ExportError: an empty line, a comment, a Python literal, a map with missing or repeated ids,
            or more than `MAX_LABELS`.
    """
    items = label_map_items(text, file)
    if items:
        return parse_label_map(items, file)
    labels = json_labels(text, file)
    if labels is None:
        lines = split_lines(text)
        if len(lines) > MAX_LABELS:
            raise too_many_labels(file)
        return clean_lines(lines, file)
    if len(labels) > MAX_LABELS:
        raise too_many_labels(file)
    return labels


def split_lines(text: str) -> list[str]:
    """The lines of a label file, stripped, without the empty ones at its end."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip()
    return [line.strip() for line in text.split("\n")]


def read_label_file(file: Path) -> tuple[str, ...]:
    """The labels in a file; raises ``ExportError`` as `parse_labels`, or if it is not UTF-8."""
    return parse_labels(read_text(file, MAX_LABEL_FILE_BYTES), file)


def match_classes(labels: tuple[str, ...], classes: int | None, file: object) -> tuple[str, ...]:
    """The labels of exactly the model's classes.

    If there is one label more than classes and the first is one of `BACKGROUNDS`, it is dropped:
    label files next to detection exports have it, while the class tensor counts from 0 without it.

    Args:
        classes: how many the model has; ``None`` if it does not say, and then a leading
            ``background`` is dropped and the number is not checked.

    Raises:
        ExportError: any other mismatch, or one label again and again.
    """
    if len(labels) > 1 and len(set(labels)) == 1:
        reason = f"all its {len(labels)} labels are {labels[0]!r}"
        raise ExportError(file, reason, _OWN_FILE)
    starts_with_background = bool(labels) and labels[0].casefold() in BACKGROUNDS
    if starts_with_background and classes in {None, len(labels) - 1}:
        return labels[1:]
    if classes is not None and len(labels) != classes:
        raise ExportError(
            file,
            f"it has {len(labels)} labels, but the model has {classes} classes",
            _OWN_FILE,
        )
    return labels
