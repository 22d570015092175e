"""A repository of models that behave, wait or fail as a test wants it, all on one tiny export that really runs."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from builders.tflite import classifier
from edge.errors import ExportError
from edge.export.read import read_export
from edge.repository.manager import ModelRepository
from edge.repository.servable import Servable, State

if TYPE_CHECKING:
    from pathlib import Path

    from edge.repository.servable import Decoding, Outcome

LABELS = tuple(f"label {number}" for number in range(12))
PATIENCE_S = 30.0


class Broken(Servable):
    """Its warm-up goes well; every frame after it fails, as no error of the tree."""

    def predict(self, worker: int, encoded: bytes, decoding: Decoding) -> Outcome:
        if self.state is State.AVAILABLE:
            raise RuntimeError("the model broke")
        return super().predict(worker, encoded, decoding)


class Gated(Servable):
    """Keeps each frame until its gate is opened."""

    def __init__(self, *about) -> None:
        super().__init__(*about)
        self.gate = threading.Event()
        self.begun = 0

    def predict(self, worker: int, encoded: bytes, decoding: Decoding) -> Outcome:
        if self.state is State.AVAILABLE:
            self.begun += 1
            assert self.gate.wait(PATIENCE_S)
        return super().predict(worker, encoded, decoding)


class Slow(Servable):
    """Takes half a second for each frame."""

    def predict(self, worker: int, encoded: bytes, decoding: Decoding) -> Outcome:
        if self.state is State.AVAILABLE:
            time.sleep(0.5)
        return super().predict(worker, encoded, decoding)


def odd_repository(folder: Path) -> ModelRepository:
    """``good`` (the default), ``broken``, ``gated``, ``slow``, and ``refused``, which could not be read."""
    folder.mkdir(exist_ok=True)
    (folder / "model.tflite").write_bytes(classifier())
    (folder / "dict.txt").write_text("\n".join(LABELS))
    export = read_export(folder)
    kinds = {"broken": Broken, "gated": Gated, "good": Servable, "slow": Slow}
    servables = [kind(name, 1, export) for name, kind in kinds.items()]
    refused = {"refused": ExportError(folder, "it was made for this", "Make another")}
    return ModelRepository(folder, servables, refused, "good")
