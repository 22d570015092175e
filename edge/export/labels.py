"""Label files of every kind to a tuple of labels, one a class, and the rule for `background`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edge.errors import ExportError
from edge.export.folder import read_manifest

if TYPE_CHECKING:
    from pathlib import Path

BACKGROUND = "background"

_ITEM = re.compile(r"""\bitem\s*\{((?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^}"'])*)\}""")
_FIELD = re.compile(r"""\b(name|display_name|id)\s*:\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(-?\d+))""")
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|(.))", re.DOTALL)
_BYTES_LITERAL = re.compile(r"""b(['"]).*\1""")


def find_label_file(folder: Path) -> Path | None:
    """The export's label file, whatever it is called: as its manifest says, by the usual names, or the only candidate.

    Raises:
        ExportError: the manifest names a file that is not there, or several files could be it.
    """
    if named := _named_by_manifest(folder):
        return named
    texts = sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in {".txt", ".pbtxt"} and not file.name.startswith(".") and file.is_file()
    )
    for fits in (
        lambda name: name == "dict.txt",
        lambda name: name in {"labels.txt", "labelmap.txt", "label_map.pbtxt"},
        lambda name: "label" in name or "dict" in name,
        lambda name: not name.startswith(("readme", "license", "notice", "requirements")),
    ):
        found = [file for file in texts if fits(file.name.lower())]
        if len(found) > 1:
            names = ", ".join(file.name for file in found)
            raise ExportError(folder, f"several files could hold the labels: {names}", "Keep one, named dict.txt.")
        if found:
            return found[0]
    return None


def _named_by_manifest(folder: Path) -> Path | None:
    name = read_manifest(folder).get("labelsFile")
    if not isinstance(name, str) or not name:
        return None
    file = folder / name
    if not file.is_file() or file.resolve().parent != folder.resolve():
        raise ExportError(
            folder / "manifest.json", f"it names the label file {name!r}, which is not beside it", "Put it there."
        )
    return file


def parse_labels(text: str, file: object) -> tuple[str, ...]:
    """Labels of a file's text: a line each, or a pbtxt map with ids from 0 or 1.

    Raises:
        ExportError: an empty line among the labels, byte literals, or a map with missing or repeated ids.
    """
    if _ITEM.search(text):
        return _parse_pbtxt(text, file)
    lines = [line.strip() for line in text.replace("\r\n", "\n").rstrip().split("\n")]
    if "" in lines:
        raise ExportError(file, f"line {lines.index('') + 1} is empty", "A label file has one label a line.")
    literal = next((line for line in lines if _BYTES_LITERAL.fullmatch(line)), None)
    if literal:
        raise ExportError(file, f"the label {literal} is a Python literal", "Write the label's text alone.")
    return tuple(lines)


def _parse_pbtxt(text: str, file: object) -> tuple[str, ...]:
    names: dict[int, str] = {}
    for body in _ITEM.findall(text):
        fields = {key: double or single or number for key, double, single, number in _FIELD.findall(body)}
        label, number = fields.get("display_name") or fields.get("name"), fields.get("id")
        if not label or number is None:
            raise ExportError(file, "an item has no name or no id", 'Items read: item { name: "cat" id: 1 }.')
        if int(number) in names:
            raise ExportError(file, f"id {number} stands twice", "Give every label an id of its own.")
        names[int(number)] = _unescape(label)
    first = min(names)
    if first not in {0, 1} or set(names) != set(range(first, first + len(names))):
        raise ExportError(file, "its ids have gaps", "Ids must run from 0 or 1 without a gap, one for every class.")
    return tuple(names[number] for number in sorted(names))


def _unescape(text: str) -> str:
    """A quoted string's text: protobuf's text format writes what is not ASCII as the bytes of UTF-8, in octal."""

    def plain(escape: re.Match[bytes]) -> bytes:
        return bytes([int(escape[1], 8) & 0xFF]) if escape[1] else escape[2]

    return _ESCAPE.sub(plain, text.encode()).decode("utf-8", "replace")


def read_label_file(file: Path) -> tuple[str, ...]:
    """Labels of a file; raises ``ExportError`` where it is not UTF-8 or as `parse_labels` does."""
    try:
        return parse_labels(file.read_text("utf-8-sig"), file)
    except UnicodeDecodeError as error:
        raise ExportError(file, "it is not UTF-8 text", "Save the label file as UTF-8.") from error


def match_classes(labels: tuple[str, ...], classes: int | None, file: object) -> tuple[str, ...]:
    """The labels of exactly the model's classes, a leading ``background`` dropped.

    With one label more than classes, the first being ``background``, that one is dropped: side dictionaries of
    detection exports have it, while the class tensor is 0-based without it.

    Args:
        classes: how many the model has; ``None`` where it does not tell, and then ``background`` alone is judged.

    Raises:
        ExportError: any other mismatch.
    """
    leads = labels[:1] and labels[0].casefold() == BACKGROUND
    if leads and classes in {None, len(labels) - 1}:
        return labels[1:]
    if classes is not None and len(labels) != classes:
        raise ExportError(
            file,
            f"it has {len(labels)} labels, but the model has {classes} classes",
            "Use the label file that came with this very model.",
        )
    return labels
