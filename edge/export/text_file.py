"""Reads the text files of an export: UTF-8, with or without a byte order mark, and bounded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edge.errors import ExportError
from edge.export.regular_file import MAX_TEXT_BYTES, read_bounded

if TYPE_CHECKING:
    from pathlib import Path


def read_text(file: Path, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """The text of a file; a byte order mark is skipped.

    Raises:
        ExportError: not UTF-8, or with NUL characters, as UTF-16 without a mark has them; or too
            large, or not a regular file.
        OSError: it cannot be read.
    """
    return decode_text(read_bounded(file, max_bytes), file)


def decode_text(content: bytes, file: object) -> str:
    """The text of a file's bytes; raises ``ExportError`` as `read_text` does."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ExportError(file, "it is not UTF-8 text", "Save the file as UTF-8.") from error
    if "\0" in text:
        reason = "it is not UTF-8 text: it has NUL characters, as UTF-16 has"
        raise ExportError(file, reason, "Save the file as UTF-8.")
    return text


def read_json(file: Path) -> Any:
    """The value in a JSON file; raises ``ExportError`` as `read_text`, or if it is not JSON."""
    text = read_text(file)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        words = error if isinstance(error, ValueError) else "its values are nested too deep"
        reason = f"it cannot be read as JSON ({words})"
        raise ExportError(file, reason, "Copy it from the export again, or remove it.") from error
