"""The per-frame pipeline: decode, preprocess, invoke, postprocess, each stage timed, on one worker.

A model that takes pixels gets them from here; a SavedModel decodes and resizes in its own graph.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.errors import CorruptImage
from edge.model.contract import PixelInput
from edge.model.preprocess import min_decoded_side, preprocess
from edge.runtime.interpreter import IMAGE
from edge.vision.decode import decode
from edge.vision.geometry import WHOLE_IMAGE
from edge.vision.graph_input import for_graph

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge.model.contract import Contract
    from edge.model.tasks.task import Prediction
    from edge.runtime.interpreter_pool import InterpreterPool
    from edge.vision.geometry import Region

    Outputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """How images are decoded.

    Attributes:
        max_pixels: maximum width times height of an image.
        exact: decode JPEG at full scale instead of at the scale that the model needs.
        deadline: until when a large image waits for memory, on the clock of `time.monotonic`.
    """

    max_pixels: int
    exact: bool = False
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Milliseconds that each stage of a frame took on its worker."""

    decode: float = 0.0
    preprocess: float = 0.0
    infer: float = 0.0
    postprocess: float = 0.0


@dataclass(frozen=True, slots=True)
class FrameResult:
    """What a worker returns for one frame.

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


@dataclass(frozen=True, slots=True)
class Computed:
    """A frame whose model has run: its raw outputs, and what is needed to read them.

    Attributes:
        outputs: by role, or by name for a SavedModel.
        region: the part of the image that the model saw.
        width: of the upright image in pixels.
        height: of the upright image in pixels.
        stages: all but `postprocess`.
    """

    outputs: Outputs
    region: Region
    width: int
    height: int
    stages: StageTimes


class Pipeline(ABC):
    """The stages of one model version."""

    def __init__(self, contract: Contract, interpreters: InterpreterPool) -> None:
        self._contract = contract
        self._interpreters = interpreters

    def run(self, worker: int, encoded: bytes, options: DecodeOptions) -> FrameResult:
        """Run one frame, from encoded bytes to prediction, on the worker of that number.

        Raises:
            RequestError: the image is at fault.
            InferenceFailed: the model failed.
        """
        computed = self.compute(worker, encoded, options)
        stopwatch = _Stopwatch()
        prediction = self.read(computed)
        stages = replace(computed.stages, postprocess=stopwatch.lap())
        has_signature = self._contract.signature is not None
        return FrameResult(
            prediction,
            computed.width,
            computed.height,
            stages,
            outputs=computed.outputs if has_signature else None,
        )

    @abstractmethod
    def compute(self, worker: int, encoded: bytes, options: DecodeOptions) -> Computed:
        """Decode, preprocess and invoke: the bare work that `edge bench` compares with.

        Raises:
            RequestError: the image is at fault.
            InferenceFailed: the model failed.
        """

    @abstractmethod
    def read(self, computed: Computed) -> Prediction:
        """Postprocess: raw outputs to a prediction, its boxes relative to the whole image."""


class PixelPipeline(Pipeline):
    """For a model that takes pixels."""

    def __init__(self, contract: Contract, interpreters: InterpreterPool) -> None:
        super().__init__(contract, interpreters)
        assert isinstance(contract.input, PixelInput)
        self._spec = contract.input
        self._min_side = min_decoded_side(contract.input, contract.tuning)

    def compute(self, worker: int, encoded: bytes, options: DecodeOptions) -> Computed:
        """Decode at the scale that the model needs, preprocess, and invoke."""
        stopwatch = _Stopwatch()
        min_side = None if options.exact else self._min_side
        frame = decode(
            encoded,
            max_pixels=options.max_pixels,
            min_side=min_side,
            deadline=options.deadline,
        )
        decode_ms = stopwatch.lap()
        tensor, region = preprocess(frame, self._spec, self._contract.tuning)
        preprocess_ms = stopwatch.lap()
        with self._interpreters.lease(worker) as interpreter:
            outputs = interpreter.invoke({IMAGE: tensor[np.newaxis]})
        stages = StageTimes(decode_ms, preprocess_ms, infer=stopwatch.lap())
        return Computed(outputs, region, frame.width, frame.height, stages)

    def read(self, computed: Computed) -> Prediction:
        """Dequantise the outputs, and carry the boxes of a cropped image back to the whole one."""
        real = self._contract.real(computed.outputs)
        return self._contract.task.read_tensors(real, self._contract.classes, computed.region)


class EncodedPipeline(Pipeline):
    """For a SavedModel, whose graph decodes and resizes."""

    def compute(self, worker: int, encoded: bytes, options: DecodeOptions) -> Computed:
        """Hand the graph bytes that it reads right: upright, in a format that it knows."""
        stopwatch = _Stopwatch()
        prepare = partial(
            for_graph, encoded, max_pixels=options.max_pixels, deadline=options.deadline
        )
        image = prepare()
        decode_ms = stopwatch.lap()
        try:
            outputs = self._invoke(worker, image.encoded)
        except CorruptImage:  # only Pillow can read it (arithmetic-coded JPEG): send it as PNG
            del image  # and the memory that is reserved for it
            image = prepare(re_encode=True)
            outputs = self._invoke(worker, image.encoded)
        stages = StageTimes(decode_ms, infer=stopwatch.lap())
        return Computed(outputs, WHOLE_IMAGE, image.width, image.height, stages)

    def _invoke(self, worker: int, encoded: bytes) -> Outputs:
        with self._interpreters.lease(worker) as interpreter:
            return interpreter.invoke({IMAGE: np.array([encoded], object)})

    def read(self, computed: Computed) -> Prediction:
        """Read the signature's outputs by name."""
        return self._contract.task.read_signature(computed.outputs, self._contract.classes)


class _Stopwatch:
    """Measures the milliseconds between laps."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        elapsed_ms = (now - self._last) * 1000
        self._last = now
        return elapsed_ms
