"""Log lines on standard error, as text for people or as one JSON object per line.

Every room logs through the standard library; `configure` alone decides the format. A line that
belongs to a request carries its id. Facts are passed separately from the message, as
``extra=facts(model="flowers", ms=3.1)``.
"""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from edge.printable import escape, escape_json, escape_lines

if TYPE_CHECKING:
    from typing import TextIO

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Id of the request that is being answered in this context, if any."""

_FACTS = "edge_facts"

# Created once, which saves 4 us per line.
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode

_QUIET = ("uvicorn.error", "asyncio", "google.auth")
"""Loggers that announce every start and stop, which `edge serve` does itself; and one that at debug
quotes the variable that names the credentials."""


def facts(**values: Any) -> dict[str, Any]:
    """Return the ``extra`` of a logging call, with a line's facts. Never pass image bytes."""
    return {_FACTS: values}


def configure(level: str, form: Literal["console", "json"], stream: TextIO | None = None) -> None:
    """Write log lines of this level and above.

    Args:
        level: debug, info, warning or error.
        stream: standard error if not given.
    """
    # As "Optimization" in the library's logging guide says: do not look up what no line shows.
    logging._srcfile = None  # noqa: SLF001 -- documented in that guide
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else ConsoleFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time (UTC), level, event, request id, facts, any stack trace."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the record as one line, whatever its message contains."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if (identity := request_id.get()) is not None:
            line["request_id"] = identity
        line.update(getattr(record, _FACTS, {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return escape_json(_to_json(line))


@lru_cache(maxsize=2)
def _local_time(second: int) -> str:
    """The time for people, to the second; a busy service writes hundreds of lines in each."""
    return datetime.fromtimestamp(second).astimezone().strftime("%Y-%m-%d %H:%M:%S")


class ConsoleFormatter(logging.Formatter):
    """``2026-05-04 12:03:44.105 INFO message key=value``, in local time; any stack trace below."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the record for people; what does not print is escaped."""
        second, ms = divmod(int(record.created * 1000), 1000)
        words = [f"{_local_time(second)}.{ms:03}", record.levelname, escape(record.getMessage())]
        for name, value in getattr(record, _FACTS, {}).items():
            if value != "":
                words.append(f"{name}={escape(str(value))}")
        if (identity := request_id.get()) is not None:
            words.append(f"request_id={identity}")
        if record.exc_info:
            words.append(f"\n{escape_lines(self.formatException(record.exc_info))}")
        return " ".join(words)
