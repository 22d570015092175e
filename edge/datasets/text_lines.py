"""Reads an index file line by line: UTF-8, with any line ends, and bounded."""

from __future__ import annotations

import codecs
import os
import stat
from typing import TYPE_CHECKING, Final

from edge.errors import DataSetError
from edge.printable import escape

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

    from edge.datasets.reading import FaultLog

MAX_LINE_BYTES: Final = 1 << 20
"""A line of JSONL with the 500 boxes that Vertex AI takes has 50 KB."""

MAX_LINES: Final = 2_000_000
"""Lines of one index file: ten boxes, with a line each, for as many pictures as are read."""

_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def open_file(file: Path) -> BufferedReader:
    """Open a regular file for reading; never waits for a FIFO or a device.

    Raises:
        DataSetError: it is no regular file, or cannot be opened.
    """
    shown = escape(str(file))
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its name has a NUL character"
        raise DataSetError(f"{shown} cannot be read: {reason}.") from error
    stream = os.fdopen(descriptor, "rb") if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    if stream is None:
        os.close(descriptor)
        raise DataSetError(f"{shown} cannot be read: it is not a regular file.")
    return stream


def read_text(file: Path, max_bytes: int) -> str:
    """The text of a small file; a byte order mark is skipped.

    Raises:
        DataSetError: not a regular file, more than ``max_bytes``, or not UTF-8.
    """
    with open_file(file) as stream:
        content = stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        size = f"{max_bytes >> 20} MiB" if max_bytes >= 1 << 20 else f"{max_bytes:,} bytes"
        raise DataSetError(
            f"{escape(str(file))} has more than {size}, too much for a file of its kind. Split it."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_utf8(file) from error
    if "\0" in text:
        raise _no_utf8(file)
    return text


def read_lines(file: Path, faults: FaultLog) -> Iterator[tuple[str, str]]:
    """Yield ``("labels.csv, line 12", text)`` for each line that is not blank.

    Lines end with LF or CR LF. A line that is too long or no UTF-8 becomes a fault.

    Raises:
        DataSetError: not a regular file, not UTF-8 as a whole (UTF-16), or too many lines.
    """
    name = escape(file.name)
    with open_file(file) as stream:
        if stream.peek(2)[:2] in _UTF16_MARKS:
            raise _no_utf8(file)
        number = 0
        while line := stream.readline(MAX_LINE_BYTES + 1):
            number += 1
            if number > MAX_LINES:
                raise DataSetError(
                    f"{escape(str(file))} has more than {MAX_LINES:,} lines. Split it."
                )
            source = f"{name}, line {number}"
            if len(line) > MAX_LINE_BYTES:
                _skip_line(stream, line)
                faults.add(source, f"The line has more than {MAX_LINE_BYTES >> 20} MiB.")
                continue
            text = _decode(line, source, faults, is_first=number == 1)
            if text:
                yield source, text


def _decode(line: bytes, source: str, faults: FaultLog, *, is_first: bool) -> str:
    """The line without its end and without blanks around it; empty if it is a fault."""
    try:
        text = line.decode("utf-8-sig" if is_first else "utf-8").strip()
    except UnicodeDecodeError as error:
        faults.add(source, f"Byte {error.start + 1} is not UTF-8. Save the file as UTF-8.")
        return ""
    if "\0" in text:
        faults.add(source, "It has a NUL character. Save the file as UTF-8 text.")
        return ""
    return text


def _skip_line(stream: BufferedReader, part: bytes) -> None:
    while part and not part.endswith(b"\n"):
        part = stream.readline(MAX_LINE_BYTES)


def _no_utf8(file: Path) -> DataSetError:
    return DataSetError(f"{escape(str(file))} is not UTF-8 text. Save the file as UTF-8.")
