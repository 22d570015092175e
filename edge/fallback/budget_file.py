"""The budget file: what was spent, and the steady clock it is counted on, over restarts."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING

from edge.clock import Reading, SteadyClock, read_clocks
from edge.durable import replace_file
from edge.fallback.budget import Spent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_log = logging.getLogger(__name__)


class BudgetFile:
    """Remembers what was spent.

    A write that fails (disk full, read-only) is logged once, and counting goes on in memory: the
    budget holds until a restart. A file that cannot be read may hold a spent budget: then nothing
    may be spent, and the edge serves alone.

    Attributes:
        clock: steady seconds, continuing from the file's.
        spent: as the file had it.
        readable: whether the file could be read; if not, what was spent is unknown.
        fault: why it could not be read, or why the last write failed; ``None`` if neither.
    """

    def __init__(self, file: Path | None, read: Callable[[], Reading] = read_clocks) -> None:
        """Read the file, if it exists.

        Args:
            file: ``None`` remembers nothing.
            read: reads the machine's clocks.
        """
        self.file = file
        self.fault: str | None = None
        self.readable = True
        self.clock = SteadyClock(read=read)
        self.spent = Spent()
        self._lock = threading.Lock()
        if file is not None:
            try:
                self._read(file, read)
            except (OSError, ValueError, TypeError, KeyError) as error:
                self.readable = False
                self.fault = (
                    f"The budget file {file} cannot be read ({type(error).__name__}: {error}), so "
                    "the online model is not called. Repair or remove the file, then restart."
                )
                _log.error("%s", self.fault)

    def _read(self, file: Path, read: Callable[[], Reading]) -> None:
        if not file.exists():
            return
        content = json.loads(file.read_text("utf-8"))
        clocks = content["reading"]
        reading = Reading(str(clocks["boot"]), float(clocks["since_boot"]), float(clocks["wall"]))
        self.clock = SteadyClock(float(content["steady"]), reading, read)
        self.spent = Spent.from_json(content["spent"])

    def save(self, spent: Callable[[], Spent]) -> None:
        """Write durably; takes milliseconds.

        Args:
            spent: called once it is this writer's turn, so that the last of several writers does
                not write an older value.
        """
        if self.file is None or not self.readable:
            return
        with self._lock:
            steady, reading = self.clock.mark()
            content = {"steady": steady, "reading": asdict(reading), "spent": spent().as_json()}
            try:
                self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                replace_file(self.file, json.dumps(content).encode())
            except OSError as error:
                if self.fault is None:
                    _log.error("budget file %s cannot be written: %s", self.file, error)
                self.fault = str(error)
            else:
                self.fault = None
