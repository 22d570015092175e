"""Starts the soak's clients, each kind in a process of its own, and gathers what they report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

if TYPE_CHECKING:
    pass

KINDS = ("cameras", "broken", "streams", "walls", "owners")
_TESTS = Path(__file__).resolve().parents[1]
_END_S = 30.0
_KEPT_FAULTS = 200


class Clients:
    """All clients, while the context is open.

    Attributes:
        counts: what was asked, and the outcome, to their number so far.
        faults: what must not happen and did.
    """

    def __init__(self, address: tuple[str, int], seed: int) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.faults: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self._arguments = [str(word) for word in (*address, seed)]
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._readers: list[threading.Thread] = []

    def __enter__(self) -> Self:
        for kind in KINDS:
            process = subprocess.Popen(
                [sys.executable, "-m", "soak.client", kind, *self._arguments],
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": str(_TESTS)},
            )
            reader = threading.Thread(target=self._gather, args=(process.stdout,), daemon=True)
            reader.start()
            self._processes[kind] = process
            self._readers.append(reader)
        return self

    def __exit__(self, *_: object) -> None:
        """End all, and take in their last reports."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                self.faults.append((f"the client {name} ended by itself", str(process.poll())))
            process.terminate()
        for name, process in self._processes.items():
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self.faults.append((f"the client {name} did not end", ""))
                process.kill()
                process.wait()
        for reader in self._readers:
            reader.join()

    @property
    def answers(self) -> int:
        """Outcomes so far."""
        with self._lock:
            return self.counts.total()

    def _gather(self, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                told = json.loads(line)
                with self._lock:
                    for what, outcome, number in told["counts"]:
                        self.counts[what, outcome] += number
                    room = max(0, _KEPT_FAULTS - len(self.faults))
                    self.faults += [(kind, detail) for kind, detail in told["faults"][:room]]
