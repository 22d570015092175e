"""One version of a model: its name, its state, and once loaded the pipeline that runs it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from edge.errors import ExportError, InferenceFailed
from edge.runtime.memory import release_mapped_file
from edge.runtime.open import open_pipeline
from edge.vision.encode import grey_jpeg

if TYPE_CHECKING:
    from edge.export.read import Export
    from edge.runtime.pipeline import DecodeOptions, FrameResult, Pipeline

_WARM_UP_SIZE = (640, 480)


class VersionState(StrEnum):
    """The life of a version, in TensorFlow Serving's words: START > LOADING > AVAILABLE, or END after a fault."""

    START = "START"
    LOADING = "LOADING"
    AVAILABLE = "AVAILABLE"
    END = "END"


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Names the version that answered; a plain value that keeps no model in memory.

    Attributes:
        digest: SHA-256 in hex of the model file.
    """

    name: str
    version: int
    digest: str


class ModelVersion:
    """One version of a model.

    Attributes:
        ref: its name, version and digest.
        contract: what it expects and returns.
        state: see `VersionState`; changed by the thread that loads, read by all.
        fault: why it does not serve, in state END.
        labels: of all classes; known after the warm-up at the latest. ``None`` where a model names
            only what it sees.
    """

    def __init__(self, name: str, version: int, export: Export) -> None:
        self.ref = ModelRef(name, version, export.digest)
        self.export = export
        self.contract = export.contract
        self.labels = export.contract.labels
        self.state = VersionState.START
        self.fault: ExportError | None = None
        self._pipeline: Pipeline | None = None

    def __repr__(self) -> str:
        return f"<ModelVersion {self.name} version {self.version} {self.state}>"

    @property
    def name(self) -> str:
        """Of the model."""
        return self.ref.name

    @property
    def version(self) -> int:
        """Its number."""
        return self.ref.version

    def load(self, workers: int, options: DecodeOptions) -> None:
        """Open the model and run one frame on each worker's interpreter.

        Raises:
            ExportError: the runtime refuses the model, or its outputs are not what the contract says.
        """
        self.state = VersionState.LOADING
        try:
            self._pipeline = open_pipeline(self.export.model, self.contract, workers)
            for worker in range(workers):
                self._warm_up(worker, options)
            release_mapped_file(self.export.model)
        except ExportError as error:
            self.state, self.fault = VersionState.END, error
            raise
        except (
            Exception
        ) as error:  # out of memory, a broken installation: this model's end, not the service's
            fault = ExportError(
                self.export.path, f"it could not be loaded ({error!r})", "See the log"
            )
            self.state, self.fault = VersionState.END, fault
            raise fault from error
        self.state = VersionState.AVAILABLE

    def predict(self, worker: int, encoded: bytes, options: DecodeOptions) -> FrameResult:
        """One frame, from bytes to prediction, on the worker of that number.

        Raises:
            RequestError: the image is at fault.
            InferenceFailed: the model failed, or is not loaded.
        """
        if self._pipeline is None:
            raise InferenceFailed(f"The model {self.name} is not loaded.")
        return self._pipeline.run(worker, encoded, options)

    def _warm_up(self, worker: int, options: DecodeOptions) -> None:
        picture = grey_jpeg(*_WARM_UP_SIZE)
        # The limit is for callers' images; ours is always taken.
        warm_up_options = replace(options, max_pixels=math.prod(_WARM_UP_SIZE))
        try:
            prediction = self.predict(worker, picture, warm_up_options).prediction
        except ExportError:
            raise
        except (
            Exception
        ) as error:  # whatever a strange model does on its first frame, it is not served
            reason = f"its first frame failed: {error}"
            raise ExportError(self.export.path, reason, "Export the model again") from error
        try:
            labels = self.contract.task.class_labels(prediction)
        except ValueError as error:
            remedy = "Use the label file that came with this exact model"
            raise ExportError(self.export.path, str(error), remedy) from error
        if self.labels is None:
            self.labels = labels
