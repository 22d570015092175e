"""Log lines, as people read them or as JSON, one a line, on standard error.

Every room logs through the standard library; `configure` alone decides what becomes of it. A line that belongs to a
request carries its id. Facts go beside the words, as ``extra=facts(model="flowers", ms=3.1)``.
"""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from typing import TextIO

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that is being answered here, if any."""

_FACTS = "edge_facts"

_to_json = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), default=str
).encode  # made once: 4 us a line

_QUIET = ("uvicorn.error", "asyncio")
"""Loggers whose news of every start and stop is ours to tell."""


def facts(**values: Any) -> dict[str, Any]:
    """What a log line says beside its words: the ``extra`` of a logging call. No image bytes."""
    return {_FACTS: values}


def configure(level: str, form: Literal["console", "json"], stream: TextIO | None = None) -> None:
    """Write everything of that level and above.

    Args:
        level: debug, info, warning or error.
        stream: standard error if not given.
    """
    # The standard library's own advice ("Optimization" in its logging guide): what no line shows is not looked up.
    logging._srcfile = None  # noqa: SLF001 -- documented there under this name
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else ConsoleFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


class JsonFormatter(logging.Formatter):
    """A JSON object a line: time (UTC), level, event, the request's id, the line's facts, and a stack trace if any."""

    def format(self, record: logging.LogRecord) -> str:
        """The record in one line, whatever its message holds."""
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
        return _to_json(line)


class ConsoleFormatter(logging.Formatter):
    """``12:03:44.105 INFO message key=value``, in local time; a stack trace below, if any."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a person reads it."""
        time = (
            datetime.fromtimestamp(record.created)
            .astimezone()
            .isoformat(" ", "milliseconds")[11:23]
        )
        words = [time, record.levelname, record.getMessage()]
        words += [
            f"{name}={value}" for name, value in getattr(record, _FACTS, {}).items() if value != ""
        ]
        if (identity := request_id.get()) is not None:
            words.append(f"request_id={identity}")
        if record.exc_info:
            words.append(f"\n{self.formatException(record.exc_info)}")
        return " ".join(words)
