"""Reads the lines of a label file: numbers before the labels, quotes around them, JSON."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from edge.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NUMBERED = re.compile(r"(\d{1,6})(?:\s*[:,;]\s*|[.)]?\s+)(\S.*)")
"""`0 daisy`, `0: daisy`, `0,daisy`, `0. daisy`."""

_BYTES_LITERAL = re.compile(r"""b(['"]).*\1""")
_QUOTES: Final = ('"', "'")
_COMMENTS: Final = ("#", "//")
_ONE_A_LINE: Final = "A label file has one label a line."


def is_numbered_in_order(lines: Sequence[str]) -> bool:
    """Whether each line i begins with i and a blank, as Teachable Machine writes them."""
    return bool(lines) and all(
        line.startswith(f"{index} ") and line[len(str(index)) :].strip()
        for index, line in enumerate(lines)
    )


def clean_lines(lines: Sequence[str], file: object) -> tuple[str, ...]:
    """The labels of stripped lines.

    Raises:
        ExportError: an empty line, a comment, a Python literal, or some lines quoted.
    """
    if "" in lines:
        raise ExportError(file, f"line {lines.index('') + 1} is empty", _ONE_A_LINE)
    _refuse_comments(lines, file)
    for line in lines:
        if _BYTES_LITERAL.fullmatch(line):
            reason = f"the label {line} is a Python literal"
            raise ExportError(file, reason, "Write the label's text alone.")
    return tuple(_without_numbers(_without_quotes(lines, file)))


def _refuse_comments(lines: Sequence[str], file: object) -> None:
    comments = [number for number, line in enumerate(lines, 1) if line.startswith(_COMMENTS)]
    if comments and len(comments) < len(lines):  # all of them: labels that begin so
        reason = f"line {comments[0]} seems to be a comment: {lines[comments[0] - 1][:60]!r}"
        raise ExportError(file, reason, f"Remove the comment. {_ONE_A_LINE}")


def _without_quotes(lines: Sequence[str], file: object) -> list[str]:
    """The lines without quotes, and a comma after them, if every line has them."""
    quoted = []
    for line in lines:
        text = line.removesuffix(",").rstrip()
        is_quoted = len(text) > 1 and text[0] in _QUOTES and text[-1] == text[0]
        quoted.append(text[1:-1].strip() if is_quoted else None)
    found = [text for text in quoted if text]
    if not any(text is not None for text in quoted):
        return list(lines)
    if len(found) < len(lines):
        number = next(number for number, text in enumerate(quoted, 1) if not text)
        reason = f"line {number} has no label in quotes, as other lines have"
        raise ExportError(file, reason, "Write each label alone, without quotes.")
    return found


def _without_numbers(lines: list[str]) -> list[str]:
    """The labels in the order of the numbers before them, where the numbers are the classes'.

    They are if each of 0..N-1, or each of 1..N, stands before exactly one of N labels. Labels that
    are numbers, or begin with one (`3210_Blitz`), stay as they are.
    """
    labels: dict[int, str] = {}
    for line in lines:
        match = _NUMBERED.fullmatch(line)
        if match is None:
            return lines
        labels[int(match[1])] = match[2]
    first = min(labels)
    is_index = len(labels) == len(lines) and first in {0, 1} and max(labels) - first < len(lines)
    if not is_index:
        return lines
    ordered = [labels[index] for index in sorted(labels)]
    if first == 1 and len(set(ordered)) < len(ordered):  # `1 euro`, `2 euro`: names, no index
        return lines
    return ordered


def json_labels(text: str, file: object) -> tuple[str, ...] | None:
    """The labels of a JSON list or map; ``None`` if the text is not JSON.

    Raises:
        ExportError: JSON of another kind, or what begins and ends as JSON does and is none.
    """
    text = text.strip()
    if (text[:1], text[-1:]) not in {("[", "]"), ("{", "}")}:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    labels = _labels_of(value)
    if labels is None:
        reason = "it begins as JSON does, but is no list of labels"
        raise ExportError(file, reason, _ONE_A_LINE)
    return labels


def _labels_of(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, dict):
        value = _by_index(value)
    if not isinstance(value, list) or not value:
        return None
    if not all(isinstance(label, str) and label.strip() for label in value):
        return None
    return tuple(label.strip() for label in value)


def _by_index(value: Mapping[str, Any]) -> list[Any] | None:
    """The names of ``{"0": "a", "1": "b"}`` or ``{"a": 0, "b": 1}`` in order."""
    if all(key.isdecimal() and key.isascii() and len(key) < len("1000000") for key in value):
        named = {int(key): name for key, name in value.items()}
    elif all(isinstance(index, int) for index in value.values()):
        named = {index: name for name, index in value.items()}
    else:
        return None
    first = min(named, default=0)
    if len(named) != len(value) or first not in {0, 1} or max(named) - first >= len(named):
        return None
    return [named[index] for index in sorted(named)]
