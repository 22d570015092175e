"""What happens to one frame on its worker: decode, preprocess, invoke, postprocess; each stage timed.

A model that takes pixels gets them from here; a SavedModel decodes and resizes in its own graph.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from edge.errors import CorruptImage
from edge.model.contract import PixelInput
from edge.model.preprocess import min_decoded_side, preprocess
from edge.runtime.interpreter import IMAGE
from edge.vision.decode import decode
from edge.vision.graph_input import for_graph

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge.model.contract import Contract
    from edge.model.tasks.task import Prediction
    from edge.runtime.interpreter import Interpreter
    from edge.vision.geometry import Region
    from edge.vision.graph_input import GraphInput

    Outputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """How images are decoded.

    Attributes:
        max_pixels: width times height of the largest image taken.
        exact: decode JPEG at full scale, instead of at the scale that the model needs.
    """

    max_pixels: int
    exact: bool = False


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Milliseconds that the stages of a frame took on its worker."""

    decode: float = 0.0
    preprocess: float = 0.0
    infer: float = 0.0
    postprocess: float = 0.0


@dataclass(frozen=True, slots=True)
class FrameResult:
    """What a worker brings back of one frame.

    Attributes:
        width: of the upright image in pixels.
        height: of the upright image in pixels.
        outputs: what a SavedModel's signature returned, unchanged; ``None`` for TFLite.
    """

    prediction: Prediction
    width: int
    height: int
    stages: StageTimes
    outputs: Outputs | None = None


class Pipeline(Protocol):
    """The stages of one model version, with an interpreter for each worker."""

    def run(self, worker: int, encoded: bytes, options: DecodeOptions) -> FrameResult:
        """One frame, from encoded bytes to prediction, on the worker of that number.

        Raises:
            RequestError: the image is at fault.
            InferenceFailed: the model failed.
        """
        ...

    def compute(self, worker: int, encoded: bytes, options: DecodeOptions) -> None:
        """The same stages without the last: the bare work that `edge bench` compares with."""
        ...


class PixelPipeline:
    """For a model that takes pixels."""

    def __init__(self, contract: Contract, interpreters: Sequence[Interpreter]) -> None:
        assert isinstance(contract.input, PixelInput)
        self._contract = contract
        self._spec = contract.input
        self._tuning = contract.tuning
        self._task = contract.task
        self._classes = contract.classes
        self._interpreters = interpreters
        self._min_side = min_decoded_side(contract.input, contract.tuning)

    def run(self, worker: int, encoded: bytes, options: DecodeOptions) -> FrameResult:
        """One frame; the boxes of a cropped one are carried back to the whole image."""
        computed = self._compute(worker, encoded, options)
        stopwatch = _Stopwatch()
        real = self._contract.real(computed.outputs)
        prediction = self._task.read_tensors(real, self._classes, computed.region)
        stages = StageTimes(
            computed.decode_ms, computed.preprocess_ms, computed.infer_ms, stopwatch.lap()
        )
        return FrameResult(prediction, computed.width, computed.height, stages)

    def compute(self, worker: int, encoded: bytes, options: DecodeOptions) -> None:
        """Decode, preprocess and invoke."""
        self._compute(worker, encoded, options)

    def _compute(self, worker: int, encoded: bytes, options: DecodeOptions) -> _Computed:
        stopwatch = _Stopwatch()
        min_side = None if options.exact else self._min_side
        frame = decode(encoded, max_pixels=options.max_pixels, min_side=min_side)
        decode_ms = stopwatch.lap()
        tensor, region = preprocess(frame, self._spec, self._tuning)
        preprocess_ms = stopwatch.lap()
        outputs = self._interpreters[worker].invoke({IMAGE: tensor[np.newaxis]})
        return _Computed(
            outputs,
            region,
            frame.width,
            frame.height,
            decode_ms,
            preprocess_ms,
            infer_ms=stopwatch.lap(),
        )


@dataclass(frozen=True, slots=True)
class _Computed:
    """Raw outputs, and all that is needed to read them."""

    outputs: Outputs
    region: Region
    width: int
    height: int
    decode_ms: float
    preprocess_ms: float
    infer_ms: float


class EncodedPipeline:
    """For a SavedModel, whose graph decodes and resizes."""

    def __init__(self, contract: Contract, interpreters: Sequence[Interpreter]) -> None:
        self._task = contract.task
        self._classes = contract.classes
        self._interpreters = interpreters

    def run(self, worker: int, encoded: bytes, options: DecodeOptions) -> FrameResult:
        """One frame; the graph gets bytes that it reads right: upright, of a format it knows."""
        stopwatch = _Stopwatch()
        image = for_graph(encoded, max_pixels=options.max_pixels)
        decode_ms = stopwatch.lap()
        outputs, image = self._invoke(worker, image, options)
        infer_ms = stopwatch.lap()
        prediction = self._task.read_signature(outputs, self._classes)
        stages = StageTimes(decode_ms, 0.0, infer_ms, stopwatch.lap())
        return FrameResult(prediction, image.width, image.height, stages, outputs)

    def compute(self, worker: int, encoded: bytes, options: DecodeOptions) -> None:
        """Prepare and invoke."""
        self._invoke(worker, for_graph(encoded, max_pixels=options.max_pixels), options)

    def _invoke(
        self, worker: int, image: GraphInput, options: DecodeOptions
    ) -> tuple[Outputs, GraphInput]:
        """Run the graph; an image that only we can read (arithmetic-coded JPEG) goes again as PNG."""
        interpreter = self._interpreters[worker]
        try:
            return interpreter.invoke({IMAGE: _as_tensor(image.encoded)}), image
        except CorruptImage:
            again = for_graph(image.encoded, max_pixels=options.max_pixels, re_encode=True)
            return interpreter.invoke({IMAGE: _as_tensor(again.encoded)}), again


def _as_tensor(encoded: bytes) -> NDArray[np.object_]:
    """A string tensor [1]."""
    return np.array([encoded], object)


class _Stopwatch:
    """Milliseconds since the last lap."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        elapsed_ms = (now - self._last) * 1000
        self._last = now
        return elapsed_ms
