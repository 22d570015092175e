"""Finds and reads label files of every kind, and matches labels to the model's classes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from edge.errors import ExportError
from edge.export.folder import read_manifest, visible
from edge.export.regular_file import MAX_LABEL_FILE_BYTES, read_bounded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BACKGROUND: Final = "background"

MAX_LABELS: Final = 100_000
"""The largest public classifiers have 22,000 classes (ImageNet) and 81,000 (landmarks)."""

_SUFFIXES: Final = {".txt", ".pbtxt"}
_NAME_RULES: Final[tuple[Callable[[str], bool], ...]] = (
    lambda name: name == "dict.txt",
    lambda name: name in {"labels.txt", "labelmap.txt", "label_map.pbtxt"},
    lambda name: "label" in name or "dict" in name,
    lambda name: not name.startswith(("readme", "license", "notice", "requirements")),
)
"""From the surest to the vaguest; the first rule that any file fits decides."""

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
_BYTES_LITERAL = re.compile(r"""b(['"]).*\1""")


def find_label_file(folder: Path) -> Path | None:
    """The export's label file: the manifest's, one of a usual name, or the only candidate.

    Returns:
        ``None`` if there is no candidate.

    Raises:
        ExportError: the manifest names a file that is missing, or there are several candidates.
    """
    if named := _named_by_manifest(folder):
        return named
    files = [entry for entry in visible(folder) if entry.is_file()]
    texts = [file for file in files if file.suffix.lower() in _SUFFIXES]
    for fits in _NAME_RULES:
        fitting = [file for file in texts if fits(file.name.lower())]
        if len(fitting) > 1:
            names = ", ".join(file.name for file in fitting)
            reason = f"several files could hold the labels: {names}"
            raise ExportError(folder, reason, "Keep one, named dict.txt.")
        if fitting:
            return fitting[0]
    return None


def _named_by_manifest(folder: Path) -> Path | None:
    name = read_manifest(folder).get("labelsFile")
    if not isinstance(name, str) or not name:
        return None
    file = folder / name
    if not file.is_file() or file.resolve().parent != folder.resolve():
        reason = f"it names the label file {name!r}, which is not next to it"
        raise ExportError(folder / "manifest.json", reason, "Put it there.")
    return file


def parse_labels(text: str, file: object) -> tuple[str, ...]:
    """The labels in a file's text: one a line, or a pbtxt map with ids from 0 or 1.

    Raises:
        ExportError: an empty line, a Python literal, a map with missing or repeated ids, or more
            than `MAX_LABELS`.
    """
    items = _pbtxt_items(text, file)
    if items:
        return _parse_pbtxt(items, file)
    text = text.replace("\r\n", "\n").rstrip()
    if text.count("\n") >= MAX_LABELS:
        raise _too_many_labels(file)
    lines = [line.strip() for line in text.split("\n")]
    if "" in lines:
        number = lines.index("") + 1
        raise ExportError(file, f"line {number} is empty", "A label file has one label a line.")
    for line in lines:
        if _BYTES_LITERAL.fullmatch(line):
            reason = f"the label {line} is a Python literal"
            raise ExportError(file, reason, "Write the label's text alone.")
    return tuple(lines)


def _pbtxt_items(text: str, file: object) -> list[str]:
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
            raise _too_many_labels(file)
        bodies.append(rest[1])
        position = rest.end()
    return bodies


def _too_many_labels(file: object) -> ExportError:
    reason = f"it has more than {MAX_LABELS:,} labels"
    return ExportError(file, reason, "Use the label file that came with this exact model.")


def _parse_pbtxt(items: list[str], file: object) -> tuple[str, ...]:
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


def read_label_file(file: Path) -> tuple[str, ...]:
    """The labels in a file; raises ``ExportError`` as `parse_labels`, or if it is not UTF-8."""
    content = read_bounded(file, MAX_LABEL_FILE_BYTES)
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        return parse_labels(text, file)
    except UnicodeDecodeError as error:
        raise ExportError(file, "it is not UTF-8 text", "Save the label file as UTF-8.") from error


def match_classes(labels: tuple[str, ...], classes: int | None, file: object) -> tuple[str, ...]:
    """The labels of exactly the model's classes.

    If there is one label more than classes and the first is ``background``, it is dropped: label
    files next to detection exports have it, while the class tensor counts from 0 without it.

    Args:
        classes: how many the model has; ``None`` if it does not say, and then a leading
            ``background`` is dropped and the number is not checked.

    Raises:
        ExportError: any other mismatch.
    """
    starts_with_background = bool(labels) and labels[0].casefold() == BACKGROUND
    if starts_with_background and classes in {None, len(labels) - 1}:
        return labels[1:]
    if classes is not None and len(labels) != classes:
        raise ExportError(
            file,
            f"it has {len(labels)} labels, but the model has {classes} classes",
            "Use the label file that came with this exact model.",
        )
    return labels
