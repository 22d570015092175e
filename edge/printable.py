"""Text from outside on a terminal or in a log: characters that do not print are escaped.

A control character in a camera's name, a file name or a label could command the owner's terminal
(OSC 52 writes the clipboard), a line separator could forge a log line, and a bidi override could
show a text in another order. `str.isprintable` refuses all of them.
"""

from __future__ import annotations

import json
import re
from typing import Any

# Everything but printable ASCII is looked at again with `str.isprintable`.
_CANDIDATE = re.compile(r"[^ -~]")


def escape(text: str) -> str:
    r"""Return the text with each character that does not print written as ``\x1b`` or ``\u202e``.

    Also escapes line breaks, so that the result is one line.
    """
    if text.isprintable():
        return text
    return _CANDIDATE.sub(_python_escape, text)


def escape_lines(text: str) -> str:
    """As `escape`, but keeps the line breaks of a text that has several lines."""
    return "\n".join(escape(line) for line in text.split("\n"))


def escape_json(text: str) -> str:
    r"""As `escape`, for JSON text: ``\u009b``, which parsers read as the same character.

    JSON itself escapes only the characters below U+0020. Line breaks between its tokens stay.
    """
    if text.isprintable():
        return text
    return _CANDIDATE.sub(_json_escape, text)


def printable_json(content: Any, indent: int | None = None) -> str:
    """Write a value as JSON for a terminal: readable in every language, and without commands."""
    return escape_json(json.dumps(content, ensure_ascii=False, indent=indent))


def first_unprintable(text: str) -> tuple[int, str] | None:
    """The position, from 0, and the name (``U+001B``) of the first character that does not print.

    ``None`` if all of them print.
    """
    if text.isprintable():
        return None
    for position, character in enumerate(text):
        if not character.isprintable():
            return position, f"U+{ord(character):04X}"
    return None


def _python_escape(found: re.Match[str]) -> str:
    character = found[0]
    if character.isprintable():
        return character
    return ascii(character)[1:-1]


def _json_escape(found: re.Match[str]) -> str:
    character = found[0]
    if character == "\n" or character.isprintable():
        return character
    return json.dumps(character)[1:-1]
