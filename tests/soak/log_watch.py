"""Looks for stack traces in a server's log while it grows."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serving.process import Server

_LINE = re.compile(r"^\d\d:\d\d:\d\d\.\d{3} ")  # a line of `edge.logs.ConsoleFormatter`
_TRACE = "Traceback (most recent call last):"
_ID = re.compile(r"request_id=(\S+)")
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Trace:
    """A stack trace in the log.

    Attributes:
        request_id: of the request that it belongs to; ``None`` if the log does not say.
        error: its last line: the exception.
        text: the log's entry.
    """

    request_id: str | None
    error: str
    text: str


class LogWatch:
    """Reads what is new in the log of a server in the console format.

    Attributes:
        entries: number of log entries so far, by level.
        stray: lines that belong to none, such as those that a library prints by itself.
    """

    def __init__(self, server: Server) -> None:
        self._file = server.log_file
        self._offset = 0
        self._entry: list[str] = []
        self._unfinished = ""
        self.entries: Counter[str] = Counter()
        self.stray: Counter[str] = Counter()

    def read(self) -> list[Trace]:
        """The stack traces of the entries that are complete and were not read before."""
        found = []
        while piece := os.pread(self._file.fileno(), _PIECE, self._offset):
            self._offset += len(piece)
            text = self._unfinished + piece.decode("utf-8", "replace")
            *lines, self._unfinished = text.split("\n")
            for line in lines:
                if _LINE.match(line):
                    found += self._finish()
                    self.entries[line.split(" ", 2)[1]] += 1
                self._entry.append(line)
        return found

    def rest(self) -> list[Trace]:
        """As `read`, and the last entry: nothing more is written."""
        return [*self.read(), *self._finish()]

    def _finish(self) -> list[Trace]:
        entry, self._entry = self._entry, []
        if not any(_TRACE in line for line in entry):
            self.stray.update(line[:100] for line in entry[1:] if line.strip())
            return []
        text = "\n".join(entry)
        found = _ID.search(text)
        return [Trace(found[1] if found else None, _error(entry)[:300], text)]


def _error(entry: list[str]) -> str:
    """The exception of the last stack trace: the first line that is not indented after it."""
    error, in_trace = "", False
    for line in entry:
        if _TRACE in line:
            in_trace = True
        elif in_trace and line and not line.startswith((" ", "+", "|")):
            error, in_trace = line, False
    return error
