"""Reads `data.yaml` of a YOLO data set: a small part of YAML, which needs no library.

Known are `key: value` on one line, lists (`[a, b]`, or a line `- a` each), and maps from class
numbers to names (`{0: a}`, or a line `0: a` each). Anything else is refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from edge.datasets.reading import MAX_LABELS
from edge.datasets.text_lines import read_text
from edge.errors import DataSetError
from edge.printable import escape

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAX_BYTES: Final = 1 << 20
_SPLITS: Final = ("train", "val", "test")
_KEY = re.compile(r"""([A-Za-z_]\w*|\d+|"[^"]*"|'[^']*')\s*:(?:\s+(.*))?$""")
_NUMBERED = re.compile(r"\s*(\d+)\s*:\s*(.*)$", re.DOTALL)
_QUOTES: Final = "'\""
_BEFORE_QUOTE: Final = ("", ",", ":", "[", "{", "-")
"""What a quote follows; anywhere else it is an apostrophe."""


class YoloFile:
    """What `data.yaml` says.

    Attributes:
        names: of the classes, by their numbers.
        splits: key (``train``, ``val``, ``test``) to the folders that it names.
        path: the folder that they are relative to, as written; empty if there is none.
    """

    def __init__(self, file: Path) -> None:
        entries = _entries(file)
        names = entries.get("names", [])
        if not names:
            raise DataSetError(f"{escape(str(file))} has no names: they are the labels.")
        self.names = _by_number(names, file)
        self.splits = {key: entries[key] for key in _SPLITS if entries.get(key)}
        self.path = "".join(entries.get("path", [])[:1])


def is_yolo(file: Path) -> bool:
    """Whether a YAML file names classes."""
    try:
        return "names" in _entries(file)
    except DataSetError:
        return False


def _entries(file: Path) -> dict[str, list[str]]:
    """The values of each key at the margin; a map's are ``"0: name"``."""
    entries: dict[str, list[str]] = {}
    key = ""
    for number, raw in enumerate(read_text(file, _MAX_BYTES).splitlines(), 1):
        line = _without_comment(raw)
        if not line.strip() or line.strip() in {"---", "..."}:
            continue
        top = _KEY.match(line)
        if top is not None and not line[0].isdigit():
            key = _unquote(top[1])
            entries[key] = _values((top[2] or "").strip(), file, number)
        elif key and line.lstrip().startswith("- "):
            entries[key].append(_unquote(line.strip()[2:].strip()))
        elif key and (line[0].isspace() or line[0].isdigit()):
            entries[key].append(line.strip())
        else:
            raise _refused(file, number, "edge reads keys with a value, a list or a map")
    return entries


def _values(text: str, file: Path, number: int) -> list[str]:
    if not text:
        return []
    if text[0] not in "[{":
        return [_unquote(text)]
    if text[-1] != {"[": "]", "{": "}"}[text[0]]:
        raise _refused(file, number, "write a list in brackets on one line")
    values = _items(text[1:-1])
    if values is None:
        raise _refused(file, number, "lists in lists are not read")
    return [_unquote(value) for value in values] if text[0] == "[" else values


def _outside_quotes(text: str) -> Iterator[tuple[int, str]]:
    """Yield the characters that are not quoted, with their positions."""
    quote = before = ""
    for position, character in enumerate(text):
        if quote:
            is_escaped = quote == '"' and text[position - 1] == "\\"
            if character == quote and not is_escaped:
                quote = ""
        elif character in _QUOTES and before in _BEFORE_QUOTE:
            quote = character
        else:
            yield position, character
        if not character.isspace():
            before = character


def _without_comment(line: str) -> str:
    for position, character in _outside_quotes(line):
        if character == "#" and (position == 0 or line[position - 1].isspace()):
            return line[:position].rstrip()
    return line.rstrip()


def _items(text: str) -> list[str] | None:
    """The parts between commas; ``None`` if there are brackets in it."""
    items: list[str] = []
    start = 0
    for position, character in _outside_quotes(text):
        if character in "[]{}":
            return None
        if character == ",":
            items.append(text[start:position].strip())
            start = position + 1
    items.append(text[start:].strip())
    return [item for item in items if item]


def _by_number(values: list[str], file: Path) -> dict[int, str]:
    """Class numbers to names: a list counts from 0, a map states the numbers."""
    if len(values) > MAX_LABELS:
        raise DataSetError(f"{escape(str(file))} has more than {MAX_LABELS:,} names.")
    pairs = [_NUMBERED.match(value) for value in values]
    if not all(pairs):
        return dict(enumerate(values))
    return {int(pair[1]): _unquote(pair[2].strip()) for pair in pairs if pair is not None}


def _unquote(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) > 1 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _refused(file: Path, number: int, reason: str) -> DataSetError:
    return DataSetError(f"{escape(file.name)}, line {number}: {reason}.")
