"""A report that is one page on disk: how it is known, and what file it may replace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path


def generator_mark(command: str) -> str:
    """The line that tells a report of ``edge COMMAND`` from any other page."""
    return f'<meta name="generator" content="edge {command}">'


def check_page(file: Path, command: str) -> None:
    """Find out beforehand whether a report of a command may be written there.

    Raises:
        OutputError: it is a folder, in none, or something other than an older report of it.
    """
    if file.is_dir():
        raise OutputError(f"{file} is a folder. Name a file, such as {file}/report.html.")
    if not file.parent.is_dir():
        raise OutputError(f"There is no folder {file.parent} for the report.")
    try:
        if file.exists() and generator_mark(command) not in file.read_text("utf-8", "replace"):
            raise OutputError(f"{file} is there and is no report of edge {command}. Name another.")
    except OSError as error:
        raise OutputError(f"{file} cannot be read: {error.strerror or error}.") from error


def write_page(file: Path, page: str) -> None:
    """Write a report.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        file.write_text(page, "utf-8")
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"The report cannot be written to {file}: {reason}.") from error
