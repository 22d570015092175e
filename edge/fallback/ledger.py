"""The budget's file: what was spent, and the steady clock it was counted on, over restarts."""

from __future__ import annotations

import json
import logging
import os
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING

from edge.clock import Reading, SteadyClock, read_clocks
from edge.fallback.budget import Spent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_log = logging.getLogger(__name__)


class Ledger:
    """Remembers what was spent.

    A write that fails (disk full, read-only) is told once and counted in memory on: the budget holds until a restart. A
    file that cannot be read may hold a budget that is spent: nothing may be spent then, and the edge serves on alone.

    Attributes:
        clock: steady seconds, going on from the file's.
        spent: as the file had it.
        known: whether what was spent is known.
        fault: why it could not be read, or written last; ``None`` where all is well.
    """

    def __init__(self, file: Path | None, read: Callable[[], Reading] = read_clocks) -> None:
        """Read the file, if it is there; ``None`` keeps nothing.

        Args:
            read: reads the machine's clocks.
        """
        self.file = file
        self.fault: str | None = None
        self.known = True
        self.clock = SteadyClock(read=read)
        self.spent = Spent()
        self._lock = threading.Lock()
        if file is not None:
            try:
                self._read(file, read)
            except (OSError, ValueError, TypeError, KeyError) as error:
                self.known = False
                self.fault = (
                    f"What was spent on the online model cannot be read from {file} ({type(error).__name__}: {error}). "
                    "It is not asked until you mend or remove the file, and start anew."
                )
                _log.error("%s", self.fault)

    def _read(self, file: Path, read: Callable[[], Reading]) -> None:
        if not file.exists():
            return
        kept = json.loads(file.read_text("utf-8"))
        boot, since_boot, wall = (kept["reading"][name] for name in ("boot", "since_boot", "wall"))
        self.clock = SteadyClock(float(kept["steady"]), Reading(str(boot), float(since_boot), float(wall)), read)
        self.spent = Spent.from_json(kept["spent"])

    def save(self, spent: Callable[[], Spent]) -> None:
        """Write durably; a reader sees the old file or the new one, never half of one. Takes milliseconds.

        Args:
            spent: asked when its turn has come, so that of several writers the last does not write what is older.
        """
        if self.file is None or not self.known:
            return
        with self._lock:
            steady, reading = self.clock.mark()
            kept = {"steady": steady, "reading": asdict(reading), "spent": spent().as_json()}
            try:
                self._replace(self.file, json.dumps(kept))
            except OSError as error:
                if self.fault is None:
                    _log.error("what was spent on the cloud cannot be written to %s: %s", self.file, error)
                self.fault = str(error)
            else:
                self.fault = None

    @staticmethod
    def _replace(file: Path, text: str) -> None:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = file.with_name(f"{file.name}.new")
        with new.open("w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        new.replace(file)
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
