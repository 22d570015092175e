"""Reads label maps: the items of a `.pbtxt`, each with a name and an id."""

from __future__ import annotations

import re
from typing import Final

from edge.errors import ExportError

MAX_LABELS: Final = 100_000
"""The largest public classifiers have 22,000 classes (ImageNet) and 81,000 (landmarks)."""

# Possessive quantifiers: an item that is not closed must not be tried from every letter.
_ITEM_START = re.compile(r"\bitem\s*+\{")
_ITEM_REST = re.compile(r"""((?:"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'|[^}"'])*+)\}""")
_FIELD = re.compile(
    r"""\b(name|display_name|id)\s*:\s*"""
    r"""(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(-?\d+))""",
)
_MAX_ID_DIGITS: Final = 9
_IDS_REMEDY: Final = "Ids must run from 0 or 1 without a gap, one for every class."
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|(.))", re.DOTALL)


def label_map_items(text: str, file: object) -> list[str]:
    """What is between the braces of each `item { ... }`; empty if the first is none."""
    bodies: list[str] = []
    position = 0
    while start := _ITEM_START.search(text, position):
        rest = _ITEM_REST.match(text, start.end())
        if rest is None and bodies:
            raise ExportError(file, "an item is not closed", "Copy the label file again.")
        if rest is None:
            return []
        if len(bodies) == MAX_LABELS:
            raise too_many_labels(file)
        bodies.append(rest[1])
        position = rest.end()
    return bodies


def parse_label_map(items: list[str], file: object) -> tuple[str, ...]:
    """The labels in the order of their ids; raises ``ExportError`` if an id is missing or twice."""
    labels: dict[int, str] = {}
    for body in items:
        fields = {}
        for key, double_quoted, single_quoted, number in _FIELD.findall(body):
            fields[key] = double_quoted or single_quoted or number
        label = fields.get("display_name") or fields.get("name")
        if not label or "id" not in fields:
            example = 'Write items like: item { name: "cat" id: 1 }.'
            raise ExportError(file, "an item has no name or no id", example)
        if len(fields["id"]) > _MAX_ID_DIGITS:
            raise ExportError(file, "an id is out of range", _IDS_REMEDY)
        class_id = int(fields["id"])
        if class_id in labels:
            reason = f"id {class_id} appears twice"
            raise ExportError(file, reason, "Give every label an id of its own.")
        labels[class_id] = _unescape(label)
    first = min(labels)
    if first not in {0, 1} or set(labels) != set(range(first, first + len(labels))):
        raise ExportError(file, "its ids have gaps", _IDS_REMEDY)
    return tuple(labels[class_id] for class_id in sorted(labels))


def _unescape(text: str) -> str:
    """The text of a quoted string, in which protobuf writes non-ASCII letters as octal bytes."""

    def plain(escape: re.Match[bytes]) -> bytes:
        octal, character = escape[1], escape[2]
        if octal:
            return bytes([int(octal, 8) & 0xFF])
        return character

    return _ESCAPE.sub(plain, text.encode()).decode("utf-8", "replace")


def too_many_labels(file: object) -> ExportError:
    """The error for a file of more than `MAX_LABELS`."""
    reason = f"it has more than {MAX_LABELS:,} labels"
    return ExportError(file, reason, "Use the label file that came with this exact model.")
