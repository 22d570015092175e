"""Answers as text for programs: a tab-separated line an image, JSON lines, and CSV."""

from __future__ import annotations

import csv
import io
import json
import sys
from typing import IO, TYPE_CHECKING, Any, Final

import click

from edge.commands.images import STANDARD_INPUT
from edge.commands.results.words import describe
from edge.dataplane.answer import Answer, answer_json, error_json
from edge.errors import OutputError
from edge.printable import escape, printable_json

if TYPE_CHECKING:
    from pathlib import Path

    from edge.commands.results.outcome import Outcome
    from edge.commands.results.summary import Summary
    from edge.model.prediction import Item

CSV_COLUMNS: Final = (
    "file", "status", "label", "index", "score", "x_min", "y_min", "x_max", "y_max", "message",
)  # fmt: skip

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # noqa: RUF001
"""First characters, wide ones included, that make a spreadsheet compute a text."""


class TabSeparated:
    """Prints `file TAB status TAB words`, one line an image, nothing cut."""

    async def add(self, outcome: Outcome) -> None:
        """Print the line of an image."""
        words = describe(outcome.result)
        click.echo("\t".join((escape(str(outcome.image.path)), outcome.status, words)))

    def finish(self, summary: Summary) -> None:
        """Nothing remains to be printed."""


class JsonLines:
    """Prints one JSON object a line and image."""

    async def add(self, outcome: Outcome) -> None:
        """Print the line of an image."""
        result = outcome.result
        body = answer_json(result) if isinstance(result, Answer) else error_json(result)
        echo_json({"file": str(outcome.image.path), **body})

    def finish(self, summary: Summary) -> None:
        """Nothing remains to be printed."""


def echo_json(content: Any, indent: int | None = None) -> None:
    """Print JSON; in ASCII where standard output cannot hold what is in it."""
    text = printable_json(content, indent)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(content, indent=indent)
    click.echo(text)


class CsvFile:
    """Writes RFC 4180: a header, then a row for each prediction, or one for an image without any.

    A text that a spreadsheet would take for a formula gets a ``'`` in front, and characters that
    do not print are escaped, so that a row is a line.

    Args:
        target: the file to write, as UTF-8; ``None`` for standard output.
    """

    def __init__(self, target: Path | None) -> None:
        self._target = target
        self._file: IO[str] | None = None
        if target is not None:
            try:
                self._file = target.open("w", encoding="utf-8", newline="")
            except OSError as error:
                raise _unwritable(target, error) from error
        self._write([CSV_COLUMNS])

    async def add(self, outcome: Outcome) -> None:
        """Write the rows of an image."""
        file, status = str(outcome.image.path), outcome.status
        answer = outcome.answer
        if answer is not None and answer.items:
            self._write([_item_row(file, status, item) for item in answer.items])
        else:
            empty = [""] * (len(CSV_COLUMNS) - 3)
            message = describe(outcome.result)
            self._write([[_plain_text(file), status, *empty, _plain_text(message)]])

    def finish(self, summary: Summary) -> None:
        """Close the file."""
        del summary
        if self._file is not None and self._target is not None:
            try:
                self._file.close()
            except OSError as error:
                raise _unwritable(self._target, error) from error

    def _write(self, rows: list[Any]) -> None:
        lines = io.StringIO(newline="")
        csv.writer(lines, lineterminator="\r\n").writerows(rows)
        if self._file is None or self._target is None:
            click.echo(lines.getvalue(), nl=False)
            return
        try:
            self._file.write(lines.getvalue())
            self._file.flush()
        except OSError as error:
            raise _unwritable(self._target, error) from error


def _item_row(file: str, status: str, item: Item) -> list[Any]:
    found = item.as_json()
    box = found.get("box", {})
    corners = [box.get(corner, "") for corner in ("x_min", "y_min", "x_max", "y_max")]
    label = _plain_text(item.label)
    return [_plain_text(file), status, label, item.index, found["score"], *corners, ""]


def _plain_text(text: str) -> str:
    text = escape(text)  # a tab or a line break in front is harmless from here on
    is_formula = text != STANDARD_INPUT and text.lstrip().startswith(_FORMULA_STARTS)
    return f"'{text}" if is_formula else text


def _unwritable(target: Path, error: OSError) -> OutputError:
    return OutputError(f"{target} cannot be written: {error.strerror or error}.")
