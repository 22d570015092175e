"""One version of a model: its name, its state and, once loaded, the pipeline that runs it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from edge.errors import ExportError, InferenceFailed
from edge.runtime.open import open_pipeline
from edge.vision.encode import grey_jpeg

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.export.read import Export
    from edge.runtime.pipeline import DecodeOptions, FrameResult, Pipeline
    from edge.runtime.proof import Prover

_WARM_UP_SIZE = (640, 480)
_ANY_WORKER = 0


class VersionState(StrEnum):
    """The states of a version, named as in TensorFlow Serving.

    START > LOADING > AVAILABLE, or END after a fault.
    """

    START = "START"
    LOADING = "LOADING"
    AVAILABLE = "AVAILABLE"
    END = "END"


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Identifies the version that answered. A plain value, which keeps no model in memory.

    Attributes:
        digest: SHA-256 of the model file, in hex.
        builtin: whether it is a built-in model that serves because the owner has given none.
    """

    name: str
    version: int
    digest: str
    builtin: bool = False


class ModelVersion:
    """One version of a model.

    Attributes:
        ref: name, version and digest.
        contract: what the model expects and returns.
        state: written by the thread that loads, read by all threads.
        fault: why the model does not serve; set in state END only.
        labels: one per class. ``None`` until the warm-up if only the model itself knows them, and
            for good if it names only what it sees.
    """

    def __init__(
        self,
        name: str,
        version: int,
        export: Export,
        prover: Prover | None = None,
        threads: int = 1,
    ) -> None:
        """A version that is not loaded yet.

        Args:
            prover: tries the model before it is opened; ``None`` for one that is known to run.
            threads: on which a frame runs.
        """
        self._prover = prover
        self._threads = threads
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
        """The model's name."""
        return self.ref.name

    @property
    def version(self) -> int:
        """The version's number."""
        return self.ref.version

    def prove(self) -> None:
        """Try the model in a process of its own, if it is new here.

        Raises:
            ExportError: it ended that process, took too long, or was refused.
        """
        if self._prover is not None:
            self._prover.prove(self.export.model, self.contract, self.ref.digest)

    def load(
        self, workers: int, options: DecodeOptions, proof: Callable[[], None] | None = None
    ) -> None:
        """Prove the model, open it, and run one frame through it.

        Args:
            workers: number of frames that may run at the same time.
            proof: waits for a proof that has begun; ``None`` to prove the model now.

        Raises:
            ExportError: the runtime refuses the model, or its outputs contradict the contract.
        """
        self.state = VersionState.LOADING
        try:
            (proof or self.prove)()
            self._pipeline = open_pipeline(self.export.model, self.contract, workers, self._threads)
            self._warm_up(options)
        except ExportError as error:
            self.state, self.fault = VersionState.END, error
            raise
        except Exception as error:
            # Out of memory, a broken installation: the end of this model, not of the service.
            reason = f"it could not be loaded ({error!r})"
            fault = ExportError(self.export.path, reason, "See the log")
            self.state, self.fault = VersionState.END, fault
            raise fault from error
        self.state = VersionState.AVAILABLE

    def predict(self, worker: int, encoded: bytes, options: DecodeOptions) -> FrameResult:
        """Run one frame, from bytes to prediction, on the worker of that number.

        Raises:
            RequestError: the image is at fault.
            InferenceFailed: the model failed, or is not loaded.
        """
        if self._pipeline is None:
            raise InferenceFailed(f"The model {self.name} is not loaded.")
        return self._pipeline.run(worker, encoded, options)

    def _warm_up(self, options: DecodeOptions) -> None:
        picture = grey_jpeg(*_WARM_UP_SIZE)
        # The pixel limit is meant for clients' images, not for this one.
        warm_up_options = replace(options, max_pixels=math.prod(_WARM_UP_SIZE))
        try:
            prediction = self.predict(_ANY_WORKER, picture, warm_up_options).prediction
        except ExportError:
            raise
        except Exception as error:
            # Whatever a strange model does with its first frame, it must not serve.
            reason = f"its first frame failed: {error}"
            raise ExportError(self.export.path, reason, "Export the model again") from error
        try:
            labels = self.contract.task.class_labels(prediction)
        except ValueError as error:
            remedy = "Use the label file that came with this exact model"
            raise ExportError(self.export.path, str(error), remedy) from error
        if self.labels is None:
            self.labels = labels
