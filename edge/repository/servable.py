"""One version of a model: its loading and warm-up, and the stages of a frame on a worker."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from edge.errors import CorruptImage, ExportError
from edge.model import classification, detection
from edge.model.contract import Format, PixelInput, Task
from edge.model.prediction import Classification
from edge.model.preprocess import enough_pixels, preprocess
from edge.runtime.memory import release_mapped_file
from edge.vision.decode import decode
from edge.vision.encode import grey_jpeg
from edge.vision.graph_input import GraphInput, for_graph

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from edge.export.read import Export
    from edge.model.prediction import Prediction
    from edge.runtime.interpreter import Interpreter

_WARM_UP_SIZE = (640, 480)


class State(StrEnum):
    """The life of a version, in TensorFlow Serving's words: START > LOADING > AVAILABLE, or END where it failed."""

    START = "START"
    LOADING = "LOADING"
    AVAILABLE = "AVAILABLE"
    END = "END"


@dataclass(frozen=True, slots=True)
class Decoding:
    """How images are decoded: the most pixels taken, and whether JPEG is decoded at full scale."""

    max_pixels: int
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Stages:
    """Milliseconds that the stages of a frame took on its worker."""

    decode: float
    preprocess: float
    infer: float
    read_out: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a worker brings back of one frame.

    Attributes:
        width: of the upright image in pixels.
        height: of the upright image in pixels.
        outputs: what a SavedModel's signature returned, unchanged; ``None`` for TFLite.
    """

    prediction: Prediction
    width: int
    height: int
    stages: Stages
    outputs: Mapping[str, NDArray[Any]] | None = None


class Servable:
    """One version of a model and, once loaded, an interpreter for every worker.

    Attributes:
        state: see `State`; changed by the thread that loads, read by all.
        fault: why it does not serve, in state END.
        labels: of all classes; known after the warm-up at the latest, ``None`` where a model names only what it sees.
    """

    def __init__(self, name: str, version: int, export: Export) -> None:
        self.name = name
        self.version = version
        self.export = export
        self.contract = export.contract
        self.labels = export.contract.labels
        self.state = State.START
        self.fault: ExportError | None = None
        self._interpreters: Sequence[Interpreter] = ()

    def __repr__(self) -> str:
        return f"<Servable {self.name} version {self.version} {self.state}>"

    def load(self, workers: int, decoding: Decoding) -> None:
        """Load an interpreter for each worker and run one frame through each.

        Raises:
            ExportError: the runtime refuses the model, or its outputs are not what the contract says.
        """
        self.state = State.LOADING
        try:
            self._interpreters = interpreters(self.export, workers)
            for worker in range(workers):
                self._warm_up(worker, decoding)
            release_mapped_file(self.export.model)
        except ExportError as error:
            self.state, self.fault = State.END, error
            raise
        except Exception as error:  # out of memory, a broken installation: one model's end, not the service's
            fault = ExportError(self.export.path, f"it could not be loaded ({error!r})", "See the log")
            self.state, self.fault = State.END, fault
            raise fault from error
        self.state = State.AVAILABLE

    def predict(self, worker: int, encoded: bytes, decoding: Decoding) -> Outcome:
        """One frame, from bytes to prediction, on the worker of that number.

        Raises:
            RequestError: the image is at fault.
            InferenceFailed: the model failed.
        """
        if isinstance(self.contract.input, PixelInput):
            return self._predict_pixels(worker, encoded, decoding, self.contract.input)
        return self._predict_encoded(worker, encoded, decoding)

    def _predict_pixels(self, worker: int, encoded: bytes, decoding: Decoding, spec: PixelInput) -> Outcome:
        clock = _Stopwatch()
        enough = None if decoding.exact else enough_pixels(spec, self.contract.tuning)
        frame = decode(encoded, max_pixels=decoding.max_pixels, enough=enough)
        decoded = clock.lap()
        tensor, region = preprocess(frame, spec, self.contract.tuning)
        preprocessed = clock.lap()
        outputs = self._interpreters[worker].invoke(tensor)
        inferred = clock.lap()
        prediction: Prediction
        if self.contract.task is Task.CLASSIFICATION:
            prediction = classification.from_tensors(outputs, self.contract)
        else:
            prediction = detection.from_tensors(outputs, self.contract, region)
        stages = Stages(decoded, preprocessed, inferred, clock.lap())
        return Outcome(prediction, frame.width, frame.height, stages)

    def _predict_encoded(self, worker: int, encoded: bytes, decoding: Decoding) -> Outcome:
        clock = _Stopwatch()
        image = for_graph(encoded, max_pixels=decoding.max_pixels)
        decoded = clock.lap()
        outputs, image = self._invoke_graph(worker, image, decoding)
        inferred = clock.lap()
        read = _SIGNATURE_READERS[self.contract.task]
        prediction = read(outputs, self.contract)
        stages = Stages(decoded, 0.0, inferred, clock.lap())
        return Outcome(prediction, image.width, image.height, stages, outputs)

    def _invoke_graph(
        self, worker: int, image: GraphInput, decoding: Decoding
    ) -> tuple[Mapping[str, NDArray[Any]], GraphInput]:
        """Run the graph; what it cannot read though we can, it gets again as PNG (an arithmetic-coded JPEG, say)."""
        interpreter = self._interpreters[worker]
        try:
            return interpreter.invoke(image.encoded), image
        except CorruptImage:
            again = for_graph(image.encoded, max_pixels=decoding.max_pixels, re_encode=True)
            return interpreter.invoke(again.encoded), again

    def _warm_up(self, worker: int, decoding: Decoding) -> None:
        try:
            # whatever limit is set for callers' images, ours is taken
            ours = replace(decoding, max_pixels=math.prod(_WARM_UP_SIZE))
            outcome = self.predict(worker, grey_jpeg(*_WARM_UP_SIZE), ours)
        except ExportError:
            raise
        except Exception as error:  # whatever a strange model does on its first frame, it is not served
            raise ExportError(self.export.path, f"its first frame failed: {error}", "Export the model again") from error
        prediction = outcome.prediction
        if self.labels is None and isinstance(prediction, Classification):
            self.labels = prediction.labels
        if isinstance(prediction, Classification) and len(prediction.labels) != len(prediction.scores):
            raise ExportError(
                self.export.path,
                f"it answers {len(prediction.scores)} scores for {len(prediction.labels)} labels",
                "Use the label file that came with this very model",
            )


_SIGNATURE_READERS: Mapping[Task, Callable[..., Prediction]] = {
    Task.CLASSIFICATION: classification.from_signature,
    Task.DETECTION: detection.from_signature,
}


class _Stopwatch:
    """Milliseconds since the last lap."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        elapsed, self._last = (now - self._last) * 1000, now
        return elapsed


def interpreters(export: Export, workers: int) -> Sequence[Interpreter]:
    """An interpreter a worker. The runtimes are imported here, so that a TFLite model never loads TensorFlow."""
    if export.contract.format is Format.TFLITE:
        from edge.runtime.litert import LiteRTInterpreter  # noqa: PLC0415

        return [LiteRTInterpreter(export.model, export.contract) for _ in range(workers)]
    try:
        from edge.runtime.tensorflow import TensorFlowInterpreter  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ExportError(
            export.path,
            "it is a SavedModel, and TensorFlow is not installed here",
            'Use the full image or `pip install tensorflow`, or export the model as "TFLite"',
        ) from error
    return [TensorFlowInterpreter(export.model, export.contract, threads=workers)] * workers
